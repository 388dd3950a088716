"""Schedulers: their threads, and the processes that they run, of which each knows the other (erl_process.h)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from beamgdb.evidence.findings import INT, Findings, NotProved, Seen, differ, only
from beamgdb.evidence.process_table import is_process
from beamgdb.memory import Unreadable
from beamgdb.vm.schedulers import KINDS, MAX_SCHEDULERS
from jit.otp.layouts.resolve import Field

HEAD = 512
"""Bytes at the beginning of an `ErtsSchedulerData` in which everything is that is looked for."""

CACHE_LINE = 64
"""What the size of an `ErtsAlignedSchedulerData` is a multiple of."""

LARGEST_SIZE = 1 << 17
"""Bytes of one at most."""

LIST_AT = 24
"""Words before the list of all threads in a `struct pthread` of glibc, where the thread pointer is not to itself."""

SELF_AT = 2
"""Words before the pointer to itself, on x86-64 (`tcbhead_t`)."""


def prove(seen: Seen, found: Findings) -> None:
    """`ErtsSchedulerData`, and what of `Process` leads to it."""
    kinds = list(_kinds(seen))
    firsts = [base for base, _ in kinds]
    if not firsts:
        raise NotProved("there are no schedulers")
    places = range(0, HEAD, seen.word)
    words = {base: seen.words(base, HEAD) for base in firsts}
    tid = only(
        (at for at in places if all(_is_thread(seen, words[base][at // seen.word]) for base in firsts)),
        "ErtsSchedulerData.tid",
    )
    found.add("ErtsSchedulerData", f"the threads of {len(firsts)} schedulers", {"tid": Field(tid, seen.word)})
    _registers(seen, found, words)
    many = [(base, count) for base, count in kinds if count > 1]
    if many:
        step = _step(seen, many, tid)
        number = sum(count for _, count in many)
        found.add_size("ErtsAlignedSchedulerData", f"the threads of {number} schedulers", step)
    prove_running(seen, found)


def _kinds(seen: Seen) -> Iterator[tuple[int, int]]:
    """The first scheduler of each kind, and their number."""
    for _, array, counter in KINDS:
        at, count_at = seen.symbol(array), seen.symbol(counter)
        if at is None or count_at is None:
            continue
        base, count = seen.memory.word(at), seen.number(count_at, INT)
        if base and 0 < count <= MAX_SCHEDULERS:
            yield base, count


def _is_thread(seen: Seen, pointer: int) -> bool:
    """Whether this is a `pthread_t`: a pointer to what has a pointer to itself, or is in a list of such."""
    if not pointer or pointer % seen.word:
        return False
    try:
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
        n for n in range(HEAD // seen.word)
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


def _step(seen: Seen, kinds: list[tuple[int, int]], tid: int) -> int:
    """The distance from one scheduler to the next: the smallest at which all have threads of their own."""
    for step in range(CACHE_LINE, LARGEST_SIZE, CACHE_LINE):
        places = [base + n * step + tid for base, count in kinds for n in range(count)]
        threads = list(takewhile(bool, (_thread(seen, place) for place in places)))
        if len(threads) == len(places) and differ(threads, len(threads)):
            return step
    raise NotProved("no place for the second scheduler")


def _thread(seen: Seen, address: int) -> int:
    """The `pthread_t` there, 0 if it is none."""
    raw = seen.memory.try_read(address, seen.word)
    pointer = int.from_bytes(raw or b"", seen.memory.byteorder)
    return pointer if _is_thread(seen, pointer) else 0


def prove_running(seen: Seen, found: Findings) -> None:
    """A scheduler and the process that it runs point to each other."""
    step = found.sizes.get("ErtsAlignedSchedulerData", 0)
    schedulers = [base + n * step for base, count in _kinds(seen) for n in range(count if step else 1)]
    pairs = set()
    window = seen.window("Process")
    for scheduler in schedulers:
        for at, process in enumerate(seen.words(scheduler, HEAD)):
            if is_process(seen, found, process):
                back = (n for n, one in enumerate(seen.words(process, window)) if one == scheduler)
                pairs |= {(at * seen.word, n * seen.word) for n in back}
    current = only((one for one, _ in pairs), "ErtsSchedulerData.current_process")
    data = only((one for _, one in pairs), "Process.scheduler_data")
    how = "a scheduler and its process"
    found.add("ErtsSchedulerData", how, {"current_process": Field(current, seen.word)})
    found.add("Process", how, {"scheduler_data": Field(data, seen.word)})
