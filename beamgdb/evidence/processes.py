"""Processes: what all of them have in common at a stop (erl_process.h, erl_ptab.h, register.h)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from beamgdb.evidence.findings import ENOUGH, INT, Findings, NotProved, Seen, differ, most, only
from beamgdb.memory import Unreadable
from jit.otp.code import MAX_ARG
from jit.otp.layouts.resolve import Field
from jit.otp.tags import ATOM, IMMED2_BITS, IMMED2_MASK

SOME = 4
"""Different values that are enough where each can hardly be by chance."""

REGISTRATION_WORDS = 8
"""Words of a `RegProc` at most."""

ARGUMENT_REGISTERS = 64
"""Bytes behind `arg_reg` within which the registers of a process itself begin."""

PRIORITIES = tuple(level << 4 | level << 2 | level for level in range(4))
"""The lowest bits of a state: three times a priority, all the same unless one was just changed."""

NORMAL = PRIORITIES[2]
"""That of most processes (`PRIORITY_NORMAL`, erl_process.h)."""

PRIORITY_MASK = 0x3F

MAX_STATE = 1 << 30
"""All flags of a state are below."""


class Processes:
    """A sample of processes, each as the words of its `Process`."""

    def __init__(self, seen: Seen, found: Findings) -> None:
        self.seen = seen
        self.window = seen.window("Process")
        read = {address: seen.words(address, self.window) for address in found.processes}
        size = min(map(len, read.values()), default=0)
        self.words = {address: words[:size] for address, words in read.items()}
        self._columns = list(zip(*self.words.values()))
        self.places = range(0, size * seen.word, seen.word)
        self.how = f"{len(self.words)} processes"
        if len(self.words) < ENOUGH:
            raise NotProved(f"there are {len(self.words)} processes")

    def at(self, place: int) -> tuple[int, ...]:
        """The word there of each. Raises `NotProved` for a place outside."""
        if place not in self.places:
            raise NotProved(f"no word of a process at {place}")
        return self._columns[place // self.seen.word]

    def numbers(self, place: int, size: int) -> list[int]:
        """The number there of each."""
        return [self.seen.number(address + place, size) for address in self.words]


def prove(seen: Seen, found: Findings) -> None:
    """What data alone proves of `Process`. What is given up is not missed by the rest."""
    processes = Processes(seen, found)
    for part in (_heaps, _registrations, _initial_calls, _argument_registers):
        try:
            part(processes, found)
        except (NotProved, Unreadable) as error:
            found.given_up.append(str(error))


def _heaps(processes: Processes, found: Findings) -> None:
    """The heap and its end, and its size in words."""
    word, places = processes.seen.word, processes.places
    first = processes.at
    pairs = {}
    for at in places:
        low = first(at)
        if low[0] % word or not differ(low, ENOUGH):
            continue
        for at_end in places:
            high = first(at_end)
            sizes = [(top - base) // word for base, top in zip(low, high)]
            if not 0 < sizes[0] < 1 << 32 or not differ(sizes, SOME) or (high[0] - low[0]) % word:
                continue
            told = [place for place in places if _are_sizes(first(place), sizes)]
            if told:
                pairs[at, at_end] = told
    heap, hend = only((one for one, _ in pairs), "Process.heap"), only((one for _, one in pairs), "Process.hend")
    found.add("Process", processes.how, {"heap": Field(heap, word), "hend": Field(hend, word)})
    if len(pairs[heap, hend]) == 1:
        found.add("Process", processes.how, {"heap_sz": Field(pairs[heap, hend][0], word)})


def _are_sizes(noted: Sequence[int], sizes: Sequence[int]) -> bool:
    """Whether most processes have noted their sizes. Those that have differ: an empty queue is three words in most of
    them, which many a number is too."""
    return most(map(int.__eq__, noted, sizes)) and differ((one for one, size in zip(noted, sizes) if one == size), SOME)


def within_heaps(processes: Processes, found: Findings) -> Iterator[int]:
    """Places of words that point into the heap and stack of each process."""
    low, high = (processes.at(found.offset("Process", name)) for name in ("heap", "hend"))
    word = processes.seen.word
    for at in processes.places:
        words = processes.at(at)
        if most(a <= b <= c and b % word == 0 for a, b, c in zip(low, words, high)):
            yield at


def _registrations(processes: Processes, found: Findings) -> None:
    """A name that a process has leads back to it."""
    seen, word = processes.seen, processes.seen.word
    places = {}
    for at in processes.places:
        registered = {one: address for one, address in zip(processes.at(at), processes.words) if one}
        if len(registered) >= ENOUGH and (fields := _registration(seen, found, registered)):
            places[at] = fields
    reg = only(places, "Process.common.u.alive.reg")
    how = f"{sum(map(bool, processes.at(reg)))} registered names"
    found.add("Process", how, {"common.u.alive.reg": Field(reg, word)})
    found.add("RegProc", how, {name: Field(at, word) for name, at in places[reg].items()})


def _registration(seen: Seen, found: Findings, registered: dict[int, int]) -> dict[str, int] | None:
    """Where the registrations have name and process, None where they are none."""
    size = REGISTRATION_WORDS * seen.word
    first, owner = next(iter(registered.items()))
    if first % seen.word or (raw := seen.memory.try_read(first, size)) is None or _bytes(seen, owner) not in raw:
        return None
    read = {address: seen.words(address, size) for address in registered}
    count = min(map(len, read.values()))
    owners = [at for at in range(count) if all(read[one][at] == process for one, process in registered.items())]
    names = [
        at for at in range(count)
        if all(is_atom(seen, found, words[at]) for words in read.values())
        and differ((words[at] for words in read.values()), len(read))
    ]  # fmt: skip
    if len(owners) != 1 or len(names) != 1:
        return None
    return {"name": names[0] * seen.word, "p": owners[0] * seen.word}


def _bytes(seen: Seen, number: int) -> bytes:
    return number.to_bytes(seen.word, seen.memory.byteorder)


def is_atom(seen: Seen, found: Findings, term: int) -> bool:
    """Whether a word is an atom that the table has."""
    table = seen.variable("erts_atom_table")
    count = seen.number(table + found.offset("IndexTable", "entries"), INT)
    return term & IMMED2_MASK == ATOM and term >> IMMED2_BITS < count


def is_mfa(seen: Seen, found: Findings, words: Sequence[int]) -> bool:
    """Whether the words are module, function and arity."""
    return len(words) == 3 and words[2] <= MAX_ARG and all(is_atom(seen, found, word) for word in words[:2])


def _initial_calls(processes: Processes, found: Findings) -> None:
    """The function that each process was started with."""
    seen, word = processes.seen, processes.seen.word
    places = []
    for at in processes.places[:-2]:
        calls = list(zip(*(processes.at(at + n * word) for n in range(3))))
        if most(is_mfa(seen, found, call) for call in calls) and differ(calls, SOME):
            places.append(at)
    at = only(places, "Process.u.initial")
    names = ("module", "function", "arity")
    found.add("Process", processes.how, {f"u.initial.{one}": Field(at + n * word, word) for n, one in enumerate(names)})


def _argument_registers(processes: Processes, found: Findings) -> None:
    """`arg_reg` points to registers that are part of the process, right behind, unless they are too many."""
    places = {}
    for at in processes.places:
        distances = [one - address for one, address in zip(processes.at(at), processes.words)]
        common = max(set(distances), key=distances.count)
        if at < common <= at + ARGUMENT_REGISTERS and most(distance == common for distance in distances):
            places[at] = common
    at = only(places, "Process.arg_reg")
    word = processes.seen.word
    elements = processes.seen.near.field("Process", "def_arg_reg").elements
    found.add("Process", processes.how, {"arg_reg": Field(at, word), "def_arg_reg": Field(places[at], word, elements)})


def states(processes: Processes, are_normal: bool = True) -> list[int]:
    """Places of what may be the states: three times the same priority, normal for most of the processes if they
    `are_normal`, and in all a few flags of many."""
    places = []
    for at in range(0, len(processes.places) * processes.seen.word, INT):
        numbers = processes.numbers(at, INT)
        levels = [one & PRIORITY_MASK for one in numbers]
        if (
            most(level in PRIORITIES and one < MAX_STATE for one, level in zip(numbers, levels))
            and differ(levels, 3)
            and (not are_normal or levels.count(NORMAL) > len(levels) // 2)
        ):
            places.append(at)
    return places
