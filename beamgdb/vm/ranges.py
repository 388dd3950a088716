"""Which code is loaded now: the VM's own table of address ranges, one for each module's code, current or old
(beam_ranges.c).

BeamAsm in OTP 25 never takes back the registration of code that it purges, and its memory is used again; so this table
is what tells whether a registration is still true. It has no symbol: see `statics`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from beamgdb.beamasm.registrations import INTERNAL, NO_CODE, Module
from beamgdb.layouts.layout import Layout
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.vm.record import Record
from beamgdb.vm.statics import CODE_INDICES, Symbol, code_index, element, referred

MAX_RANGES = 1 << 20
"""More modules than any node has loaded."""

USERS = ("erts_start_staging_ranges", "erts_end_staging_ranges", "erts_update_ranges")
"""Functions that all use both `r`, the table for each code index, and `write_ptr`, the end of what is being staged."""


@dataclass(frozen=True, slots=True)
class CodeRanges:
    """The variables: `first` is `r[0]`, `write_ptr` the address of that pointer."""

    first: Record
    write_ptr: int
    symbol: Symbol

    def words(self) -> tuple[int, ...] | None:
        """All ranges, as words: of the code in use, then of what is just being loaded. Equal to earlier ones only if
        nothing was loaded or purged in between. None when they cannot be read, or make no sense."""
        try:
            return (*self._active(), *self._staged())
        except Unreadable:
            return None

    def bases(self, words: tuple[int, ...]) -> frozenset[int]:
        """Start of each module's code that is in the `words`, and not purged: purging makes a range's end its start."""
        starts, ends = (_field(self.first.layout, name, words) for name in ("start", "end"))
        return frozenset(start for start, end in zip(starts, ends, strict=True) if start < end)

    def _table(self, which: str) -> Record:
        index = code_index(self.first.memory, self.symbol, which)
        if index is None:
            raise Unreadable(self.first.address, self.first.layout.size("ranges"))
        return element(self.first, index)

    def _active(self) -> tuple[int, ...]:
        table = self._table("active")
        return _words(table, table["n"])

    def _staged(self) -> tuple[int, ...]:
        """New code is in the table before its name is registered, and in use only later: at the beginning of the table
        for the next code index, as far as `write_ptr`, which otherwise points into the table in use."""
        table = self._table("staging")
        size = table.layout.size("Range")
        count, rest = divmod(table.memory.word(self.write_ptr) - table["modules"], size)
        return _words(table, count) if not rest and 0 < count <= table["allocated"] else ()


def is_permanent(module: Module) -> bool:
    """Whether a registered module is BeamAsm's own code, which is in no table: its shared fragments have no
    `BeamCodeHeader` (but the Erlang module called `global` too has one), its entry points have a name of their own."""
    return module.name == INTERNAL or not (module.ranges and module.ranges[0].name.endswith(NO_CODE))


def find(memory: CachedMemory, layout: Layout, symbol: Symbol, arch: str, bases: Collection[int]) -> CodeRanges | None:
    """The table, None where it is not found. `bases`: addresses of the code that BeamAsm has registered."""
    active = code_index(memory, symbol, "active")
    if active is None or not layout.has("ranges") or not layout.has("Range"):
        return None
    candidates = referred(memory, symbol, arch, USERS)
    for address in candidates:
        first = Record(memory, layout, "ranges", address)
        try:
            if _is_table(element(first, active), bases):
                pointer = _write_ptr(first, candidates)
                return CodeRanges(first, pointer, symbol) if pointer is not None else None
        except Unreadable:
            continue
    return None


def _is_table(table: Record, bases: Collection[int]) -> bool:
    """Whether this can only be the table in use: sorted ranges, and most of them of modules that we know."""
    count = table["n"]
    if not 0 < count <= table["allocated"] <= MAX_RANGES:
        return False
    starts = _field(table.layout, "start", _words(table, count))
    known = sum(1 for start in starts if start in bases)
    return 2 * known > count and all(one < other for one, other in zip(starts, starts[1:], strict=False))


def _write_ptr(first: Record, candidates: Collection[int]) -> int | None:
    """Among the candidates the one that points to an entry, or to the end, of some table."""
    size = first.layout.size("Range")
    tables = [element(first, index) for index in range(CODE_INDICES)]
    bounds = [(table["modules"], table["allocated"]) for table in tables if table["modules"]]
    inside = range(first.address, element(first, CODE_INDICES).address)
    for address in candidates:
        if address in inside:
            continue
        try:
            value = first.memory.word(address)
        except Unreadable:
            continue
        if any(value in range(modules, modules + allocated * size + 1, size) for modules, allocated in bounds):
            return address
    return None


def _words(table: Record, count: int) -> tuple[int, ...]:
    if not 0 <= count <= min(table["allocated"], MAX_RANGES):
        raise Unreadable(table.address, table.layout.size("ranges"))
    return table.memory.words(table["modules"], count * table.layout.size("Range") // table.memory.word_size)


def _field(layout: Layout, name: str, words: tuple[int, ...]) -> tuple[int, ...]:
    """A field of all ranges in `words`."""
    return words[layout.offset("Range", name) // layout.word_size :: layout.size("Range") // layout.word_size]
