"""Schedulers: their threads, and the processes that they run, of which each knows the other (erl_process.h)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from beamgdb.evidence.findings import INT, Findings, NotProved, Seen, differ, only
from beamgdb.evidence.process_table import is_process
from beamgdb.memory import Unreadable
from beamgdb.vm.schedulers import KINDS, MAX_SCHEDULERS
from jit.otp.layouts.resolve import Field

HEAD = 512
"""Bytes at the beginning of an `ErtsSchedulerData` in which everything is that is looked for."""

CACHE_LINE = 64
"""What the size of an `ErtsAlignedSchedulerData` is a multiple of."""

LARGEST_SIZE, GROWN = 1 << 17, 1 << 11
"""Bytes of one at most, and by which it may differ from that of a release near by."""

NUMBERS = {"no": False, "dirty_no": True}
"""By the field with a scheduler's number: whether it is for dirty ones."""

LIST_AT = 24
"""Words before the list of all threads in a `struct pthread` of glibc, where the thread pointer is not to itself."""

SELF_AT = 2
"""Words before the pointer to itself, on x86-64 (`tcbhead_t`)."""


class Kind(NamedTuple):
    """Schedulers of one kind: where the first lies, and their number, None where no variable tells."""

    first: int
    number: int | None


def prove(seen: Seen, found: Findings) -> None:
    """`ErtsSchedulerData`, and what of `Process` leads to it."""
    kinds = list(_kinds(seen))
    firsts = [kind.first for kind in kinds]
    if not firsts:
        raise NotProved("there are no schedulers")
    words = {base: seen.words(base, HEAD) for base in firsts}
    # Of a core file that was cut off not all may be there.
    places = range(0, min(map(len, words.values())) * seen.word, seen.word)
    tid = only(
        (at for at in places if all(_is_thread(seen, words[base][at // seen.word]) for base in firsts)),
        "ErtsSchedulerData.tid",
    )
    found.add("ErtsSchedulerData", f"the threads of {len(firsts)} schedulers", {"tid": Field(tid, seen.word)})
    _registers(seen, found, words)
    _sizes(seen, found, kinds, tid)
    prove_running(seen, found)


def _kinds(seen: Seen) -> Iterator[Kind]:
    """Those of which there are any."""
    for _, array, counter in KINDS:
        at, count_at = seen.symbol(array), seen.symbol(counter)
        base = seen.memory.word(at) if at is not None else 0
        count = seen.number(count_at, INT) if count_at is not None else None
        if base and (count is None or 0 < count <= MAX_SCHEDULERS):
            yield Kind(base, count)


def _sizes(seen: Seen, found: Findings, kinds: list[Kind], tid: int) -> None:
    """The distance from one scheduler to the next, and their numbers: where no variable counts them, these must be
    right for all that have threads."""
    for step in _steps(seen, kinds):
        arrays = _arrays(seen, kinds, step, tid)
        every = [one for array in arrays for one in array]
        if len(every) == len(kinds) or not differ((_thread(seen, one + tid) for one in every), len(every)):
            continue
        numbers = _numbers(seen, arrays)
        is_counted = all(kind.number == len(array) for kind, array in zip(kinds, arrays))
        if is_counted or (len(numbers) == len(NUMBERS) and all(kind.number is None for kind in kinds)):
            how = f"the threads of {len(every)} schedulers"
            found.add_size("ErtsAlignedSchedulerData", how, step)
            found.add("ErtsSchedulerData", how, numbers)
            return
    if any((kind.number or 1) > 1 for kind in kinds):
        found.given_up.append("no place for the second scheduler")


def _steps(seen: Seen, kinds: list[Kind]) -> list[int]:
    """What the distance may be, what is near that in the table first: over a remote connection each takes its time."""
    near = seen.near.size("ErtsAlignedSchedulerData")
    most = LARGEST_SIZE if any((kind.number or 1) > 1 for kind in kinds) else GROWN
    steps = (step for step in range(CACHE_LINE, LARGEST_SIZE, CACHE_LINE) if abs(step - near) < most)
    return sorted(steps, key=lambda step: abs(step - near)) if any(kind.number != 1 for kind in kinds) else []


def _arrays(seen: Seen, kinds: list[Kind], step: int, tid: int) -> list[list[int]]:
    """The schedulers of each kind, as far as they have threads. Behind those of one kind may be those of another."""
    firsts = {kind.first for kind in kinds}

    def is_one_more(address: int) -> bool:
        return address not in firsts and _thread(seen, address + tid) != 0

    return [
        [kind.first, *takewhile(is_one_more, (kind.first + n * step for n in range(1, kind.number or MAX_SCHEDULERS)))]
        for kind in kinds
    ]


def _numbers(seen: Seen, arrays: list[list[int]]) -> dict[str, Field]:
    """Each scheduler has its number among the normal ones, or among the dirty ones of its kind; the other one is 0. The
    first stands elsewhere too, but once right before the other one."""
    if len(arrays) != len(KINDS):
        return {}
    fits = {}
    for name, is_dirty in NUMBERS.items():
        wanted = {
            one: n + 1 if is_dirty == (kind > 0) else 0
            for kind, array in enumerate(arrays) for n, one in enumerate(array)
        }  # fmt: skip
        fits[name] = [
            at for at in range(0, HEAD, seen.word)
            if all(seen.number(one + at, seen.word) == number for one, number in wanted.items())
        ]  # fmt: skip
    pairs = [(at, at_dirty) for at in fits["no"] for at_dirty in fits["dirty_no"] if at_dirty == at + seen.word]
    return {name: Field(at, seen.word) for name, at in zip(NUMBERS, pairs[0])} if len(pairs) == 1 else {}


def _is_thread(seen: Seen, pointer: int) -> bool:
    """Whether this is a `pthread_t`: a pointer to what has a pointer to itself, or is in a list of such."""
    if not pointer or pointer % seen.word:
        return False
    try:
        if seen.has_musl:
            # At its beginning (pthread_impl.h).
            return seen.memory.word(pointer) == pointer
        if seen.arch == "x86_64":
            return seen.memory.word(pointer) == seen.memory.word(pointer + SELF_AT * seen.word) == pointer
        here = pointer + LIST_AT * seen.word
        after, before = seen.memory.pair(here)
        return seen.memory.word(after + seen.word) == here == seen.memory.word(before) and after != here
    except Unreadable:
        return False


def _registers(seen: Seen, found: Findings, words: dict[int, tuple[int, ...]]) -> None:
    """What each has of its own, by the cache line, and what does not know whose it is: run queues and what they sleep
    on do."""
    if len(words) < len(KINDS):
        raise NotProved(f"ErtsSchedulerData.registers of {len(words)} schedulers")
    places = [
        n for n in range(min(map(len, words.values())))
        if differ(lines := [one[n] for one in words.values()], len(words))
        and all(line and line % CACHE_LINE == 0 and not _is_thread(seen, line) for line in lines)
        and all(_is_unowned(seen, one[n], scheduler) for scheduler, one in words.items())
    ]  # fmt: skip
    at = only((n * seen.word for n in places), "ErtsSchedulerData.registers")
    how = f"{len(words)} schedulers"
    found.add("ErtsSchedulerData", how, {"registers": Field(at, seen.word)})


def _is_unowned(seen: Seen, address: int, scheduler: int) -> bool:
    words = seen.words(address, HEAD)
    return bool(words) and scheduler not in words


def _thread(seen: Seen, address: int) -> int:
    """The `pthread_t` there, 0 if it is none."""
    raw = seen.memory.try_read(address, seen.word)
    pointer = int.from_bytes(raw or b"", seen.memory.byteorder)
    return pointer if _is_thread(seen, pointer) else 0


def prove_running(seen: Seen, found: Findings) -> None:
    """A scheduler and the process that it runs point to each other."""
    pairs = set()
    window = seen.window("Process")
    for scheduler in _all(seen, found):
        for at, process in enumerate(seen.words(scheduler, HEAD)):
            if is_process(seen, found, process):
                back = (n for n, one in enumerate(seen.words(process, window)) if one == scheduler)
                pairs |= {(at * seen.word, n * seen.word) for n in back}
    current = only((one for one, _ in pairs), "ErtsSchedulerData.current_process")
    data = only((one for _, one in pairs), "Process.scheduler_data")
    how = "a scheduler and its process"
    found.add("ErtsSchedulerData", how, {"current_process": Field(current, seen.word)})
    found.add("Process", how, {"scheduler_data": Field(data, seen.word)})


def running(seen: Seen, found: Findings) -> set[int]:
    """The processes that schedulers run, as far as it is known where that stands."""
    if not found.has("ErtsSchedulerData", "current_process"):
        return set()
    at = found.offset("ErtsSchedulerData", "current_process")
    return {process for one in _all(seen, found) if is_process(seen, found, process := seen.memory.word(one + at))}


def _all(seen: Seen, found: Findings) -> list[int]:
    """All schedulers; the first of each kind where it is not known how far the next one is."""
    step, tid = found.sizes.get("ErtsAlignedSchedulerData"), found.offset("ErtsSchedulerData", "tid")
    kinds = list(_kinds(seen))
    arrays = _arrays(seen, kinds, step, tid) if step else [[kind.first] for kind in kinds]
    return [one for array in arrays for one in array]
