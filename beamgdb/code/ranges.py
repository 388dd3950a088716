"""Which code is loaded now: the VM's own table of address ranges, one for each module's code, current or old
(beam_ranges.c).

The interpreter's code is described nowhere else. BeamAsm in OTP 25 never takes back the registration of code that it
purges, and its memory is used again; so this table is what tells whether a registration is still true. It has no
symbol: see `records.statics` and `roots`.
"""

from __future__ import annotations

from collections.abc import Collection

from beamgdb.code.code_ix import CODE_INDICES, code_index
from beamgdb.code.module import NO_CODE, Module
from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.records.statics import Symbol, by_users, referred
from jit.image.image import Recovered
from jit.otp.layouts.layout import Layout

MAX_RANGES = 1 << 20
"""More modules than any node has loaded."""

MAX_FUNCTIONS = 1 << 20
"""More functions than any module has."""

SAMPLE = 8
"""Ranges that are looked into to recognise the table: over a remote connection each is a packet."""

TABLE, WRITE_PTR = "r", "write_ptr"
"""The variables: the table for each code index, and the end of what is being staged."""

USERS = ("erts_start_staging_ranges", "erts_end_staging_ranges", "erts_update_ranges")
"""Functions that all use both."""


@dataclass(frozen=True)
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

    def loaded(self, words: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """Start, where its `BeamCodeHeader` is, and end of each module's code that is in the `words`, and not purged:
        purging makes a range's end its start."""
        return _loaded(self.first.layout, words)

    def recovered(self) -> tuple[Recovered, ...]:
        """The variables, if they were found without symbols."""
        if self.symbol(TABLE) is not None:
            return ()
        how = by_users(USERS)
        return Recovered(TABLE, self.first.address, how), Recovered(WRITE_PTR, self.write_ptr, how)

    def coming(self) -> tuple[int, ...]:
        """Where the code of modules starts that are not in use yet, but are when the table that was staged is next."""
        try:
            tables = [_words(table, table["n"]) for table in map(self._table, ("active", "staging"))]
        except Unreadable:
            return ()
        used, staged = ({start for start, _ in self.loaded(words)} for words in tables)
        return tuple(sorted(staged - used))

    def _table(self, which: str) -> Record:
        index = code_index(self.first.memory, self.symbol, which)
        if index is None:
            raise Unreadable(self.first.address, self.first.layout.extent("ranges"))
        return self.first.element(index)

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


class LoadedNow:
    """What the table says. It is looked for whenever that is asked, until it is found."""

    def __init__(self, memory: CachedMemory, layout: Layout | None, symbol: Symbol, arch: str) -> None:
        self._memory = memory
        self._layout = layout
        self._symbol = symbol
        self._arch = arch
        self._table: CodeRanges | None = None
        self._seen: tuple[int | None, tuple[int, ...] | None] = (None, None)

    @property
    def table(self) -> CodeRanges | None:
        """The table, None where it is not found."""
        if self._table is None and self._layout is not None:
            self._table = find(self._memory, self._layout, self._symbol, self._arch)
        return self._table

    def bounds(self) -> tuple[tuple[int, int], ...] | None:
        """Start and end of the code of each module that is loaded, None where that cannot be told."""
        table = self.table
        if table is None:
            return None
        self._seen = self._state(table)
        words = self._seen[1]
        return table.loaded(words) if words is not None else None

    def is_as_seen(self) -> bool:
        """Whether nothing has been loaded or purged since `bounds` were asked for. Quick."""
        return self._table is None or self._state(self._table) == self._seen

    def _state(self, table: CodeRanges) -> tuple[int | None, tuple[int, ...] | None]:
        """The ranges, and which of the VM's tables is in use: that changes with each load, also where code that was
        purged meanwhile has left its place to other code of the same size."""
        return code_index(self._memory, self._symbol, "active"), table.words()


def is_permanent(module: Module) -> bool:
    """Whether a module is the VM's own code, which is in no table: entry points, and BeamAsm's shared fragments, which
    have no `BeamCodeHeader` (but the Erlang module called `global` too has one)."""
    return module.of_vm or not (module.ranges and module.ranges[0].name.endswith(NO_CODE))


def find(memory: CachedMemory, layout: Layout, symbol: Symbol, arch: str) -> CodeRanges | None:
    """The table, None where it is not found."""
    active = code_index(memory, symbol, "active")
    if active is None or not all(map(layout.has, ("ranges", "Range", "BeamCodeHeader"))):
        return None
    named = {address for address in map(symbol, (TABLE, WRITE_PTR)) if address is not None}
    candidates = named or referred(memory, symbol, arch, USERS)
    for address in sorted(candidates):
        first = Record(memory, layout, "ranges", address)
        try:
            if is_table(first.element(active)):
                pointer = _write_ptr(first, candidates)
                return CodeRanges(first, pointer, symbol) if pointer is not None else None
        except Unreadable:
            continue
    return None


def is_table(table: Record) -> bool:
    """Whether this can only be the table in use: sorted ranges, and in those looked into a module's code."""
    if not is_sorted(table):
        return False
    loaded = _loaded(table.layout, _words(table, table["n"]))
    return bool(loaded) and all(_is_module(table, *one) for one in loaded[:: -(-len(loaded) // SAMPLE)])


def is_sorted(table: Record) -> bool:
    """Whether this may be a table: what is not in use may tell of code that is gone."""
    count = table["n"]
    if not 0 < count <= table["allocated"] <= MAX_RANGES:
        return False
    starts = _field(table.layout, "start", _words(table, count))
    return all(one < other for one, other in zip(starts, starts[1:]))


def _is_module(table: Record, start: int, end: int) -> bool:
    """Whether the code of a module may lie here: its header, which names the functions; those lie behind it, before the
    end."""
    header = Record(table.memory, table.layout, "BeamCodeHeader", start)
    count, functions, size = header["num_functions"], header.field_address("functions"), table.memory.word_size
    if not 0 < count <= MAX_FUNCTIONS:
        return False
    table_end = functions + (count + 1) * size
    first, last = table.memory.word(functions), table.memory.word(table_end - size)
    return table_end <= first < last <= end


def _write_ptr(first: Record, candidates: Collection[int]) -> int | None:
    """Among the candidates the one that points to an entry, or to the end, of some table."""
    size = first.layout.size("Range")
    tables = [first.element(index) for index in range(CODE_INDICES)]
    bounds = [(table["modules"], table["allocated"]) for table in tables if table["modules"]]
    inside = range(first.address, first.element(CODE_INDICES).address)
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
        raise Unreadable(table.address, table.layout.extent("ranges"))
    return table.memory.words(table["modules"], count * table.layout.size("Range") // table.memory.word_size)


def _loaded(layout: Layout, words: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Start and end of the ranges that are not empty."""
    starts, ends = (_field(layout, name, words) for name in ("start", "end"))
    return tuple((start, end) for start, end in zip(starts, ends) if start < end)


def _field(layout: Layout, name: str, words: tuple[int, ...]) -> tuple[int, ...]:
    """A field of all ranges in `words`."""
    return words[layout.offset("Range", name) // layout.word_size :: layout.size("Range") // layout.word_size]
