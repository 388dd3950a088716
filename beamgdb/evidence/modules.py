"""Loaded code: what is in the VM's table of ranges begins with a header that leads to functions with names
(beam_ranges.c, beam_code.h)."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.code import ranges
from beamgdb.code.code_ix import CODE_INDICES, code_index
from beamgdb.evidence.findings import ENOUGH, Findings, NotProved, Seen, differ
from beamgdb.evidence.processes import is_mfa
from beamgdb.memory import Unreadable
from beamgdb.records.record import Record
from beamgdb.records.statics import referred
from jit.otp.code import MFA_WORDS
from jit.otp.layouts.resolve import Field

SAMPLE = 24
"""Modules that are looked at."""

Bounds = tuple[int, int]
"""Where a module's code starts, with its `BeamCodeHeader`, and where it ends."""

Place = tuple[int, int, int]
"""Where a header has the number of functions and the functions, and where these have their names."""


def prove(seen: Seen, found: Findings) -> None:
    """`ranges`, `Range`, `BeamCodeHeader`, `ErtsCodeInfo`, `ErtsCodeMFA`; for the interpreter lines too."""
    tables = {
        bounds: (first, place)
        for first in _tables(seen)
        if len(bounds := _bounds(seen, first)) >= ENOUGH and (place := _headers(seen, found, sampled(bounds)))
    }
    if len(tables) != 1:
        raise NotProved(f"{len(tables) or 'no'} tables of loaded code")
    ((bounds, (first, place)),) = tables.items()
    word, how = seen.word, f"{len(bounds)} modules"
    _adopt(seen, found, "ranges", how, "modules", "n", "allocated")
    _adopt(seen, found, "Range", how, "start", "end")
    at_count, at_functions, at_mfa = place
    found.add("BeamCodeHeader", how, {
        "num_functions": Field(at_count, word), "functions": Field(at_functions, word, 1),
    })  # fmt: skip
    names = ("module", "function", "arity")
    found.add("ErtsCodeMFA", how, {name: Field(n * word, word) for n, name in enumerate(names)})
    found.add("ErtsCodeInfo", how, {
        "mfa": Field(at_mfa, MFA_WORDS * word),
        **{f"mfa.{name}": Field(at_mfa + n * word, word) for n, name in enumerate(names)},
    })  # fmt: skip
    found.code = bounds


def sampled(bounds: tuple[Bounds, ...]) -> tuple[Bounds, ...]:
    """Some of the modules, from all over memory."""
    return bounds[:: max(1, -(-len(bounds) // SAMPLE))]


def _tables(seen: Seen) -> Iterator[Record]:
    """What may be the static `r`, by the code that uses it, or as `roots` has found it, if it is as in the table of a
    VM like this."""
    named = seen.symbol(ranges.TABLE)
    found = (named,) if named is not None else referred(seen.memory, seen.symbol, seen.arch, ranges.USERS)
    for address in sorted(found):
        yield Record(seen.memory, seen.near, "ranges", address)


def _bounds(seen: Seen, first: Record) -> tuple[Bounds, ...]:
    """The code that is loaded, by the table in use: by address, nothing overlaps. Empty if it is none."""
    active = code_index(seen.memory, seen.symbol, "active")
    if active is None:
        return ()
    try:
        for index in range(CODE_INDICES):
            table = first.element(index)
            modules, count, room = (table[name] for name in ("modules", "n", "allocated"))
            # While modules are loaded, the number in the table that is staged is an old one (`roots.code`).
            is_staged = index == (active + 1) % CODE_INDICES
            if not (modules % seen.word == 0 and room <= ranges.MAX_RANGES) or (room and not modules):
                return ()
            if count > (ranges.MAX_RANGES if is_staged else room):
                return ()
        table = first.element(active)
        words = seen.memory.words(table["modules"], 2 * table["n"])
    except Unreadable:
        return ()
    is_sorted = all(one <= other for one, other in zip(words, words[1:])) and differ(words[::2], len(words) // 2)
    return tuple((start, end) for start, end in batched(words) if start < end) if is_sorted else ()


def batched(words: tuple[int, ...]) -> Iterator[Bounds]:
    """Two by two."""
    return zip(words[::2], words[1::2])


def _headers(seen: Seen, found: Findings, bounds: tuple[Bounds, ...]) -> Place | None:
    """The one place where the headers of all these modules have what they must have."""
    count_places = range(0, 2 * seen.word, seen.word)
    places = range(0, seen.window("BeamCodeHeader"), seen.word)
    left: set[Place] | None = None
    for start, end in bounds:
        here = {
            (at_count, at, at_mfa)
            for at_count in count_places
            for at in places
            for at_mfa in _names(seen, found, start, end, at_count, at)
        }
        left = here if left is None else left & here
        if not left:
            return None
    return next(iter(left)) if left is not None and len(left) == 1 else None


def _names(seen: Seen, found: Findings, start: int, end: int, at_count: int, at: int) -> list[int]:
    """Where the functions of a module have their names, if a header has their number and addresses there."""
    count = seen.memory.word(start + at_count)
    if not 0 < count <= min(ranges.MAX_FUNCTIONS, (end - start) // seen.word):
        return []
    functions = seen.words_or_none(start + at, count + 1)
    if functions is None or not start + at + (count + 1) * seen.word <= functions[0] < functions[-1] <= end:
        return []
    if any(one >= other for one, other in zip(functions, functions[1:])):
        return []
    some = sorted({0, count // 2, count - 1})
    heads = [seen.words(functions[n], 2 * MFA_WORDS * seen.word) for n in some]
    return [
        at_mfa * seen.word
        for at_mfa in range(MFA_WORDS + 1)
        if all(is_mfa(seen, found, words[at_mfa : at_mfa + MFA_WORDS]) for words in heads)
        and len({words[at_mfa] for words in heads}) == 1
    ]


def _adopt(seen: Seen, found: Findings, struct: str, how: str, *fields: str) -> None:
    """These fields, and the size, are as in the near table: they were used for what has just been found."""
    found.add(struct, how, {name: seen.near.field(struct, name) for name in fields})
    found.add_size(struct, how, seen.near.size(struct))
