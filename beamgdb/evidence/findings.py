"""What is looked at to prove fields of structures, and what has been proved of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field

from beamgdb.evidence.needed import FEW_SLOTS
from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.statics import Symbol
from jit.image.image import Image
from jit.otp.layouts.layout import Layout
from jit.otp.layouts.resolve import Field, StructLayout

ENOUGH = 8
"""Observations that a proof needs at least, of things that differ from each other."""

BEYOND = 16
"""Words by which a structure may have grown."""

INT = 4
"""Bytes of C's `int`."""


class NotProved(Exception):
    """A field could not be proved; the text, a part of a line, says why."""


@dataclass(frozen=True)
class Seen:
    """A VM that is looked at. `near` is the table of a VM like it. `slots` are read of the process table at most.
    `has_musl`: it was built for that C library. `image` gives the program's file, None where it cannot be read."""

    memory: CachedMemory
    symbol: Symbol
    arch: str
    is_interpreter: bool
    near: Layout
    slots: int
    image: Callable[[], Image | None]
    has_musl: bool = False

    @property
    def is_slow(self) -> bool:
        """Whether each packet takes its time."""
        return self.slots <= FEW_SLOTS

    @property
    def word(self) -> int:
        """Bytes of a word."""
        return self.memory.word_size

    def variable(self, name: str) -> int:
        """The address of a variable that the VM exports."""
        address = self.symbol(name)
        if address is None:
            raise NotProved(f"this beam.smp exports no symbol {name}")
        return address

    def window(self, struct: str) -> int:
        """Bytes of a structure that are looked at."""
        return (self.near.size(struct) if self.near.has(struct) else 0) + BEYOND * self.word

    def words(self, address: int, size: int) -> tuple[int, ...]:
        """The words in `size` bytes, as far as memory goes on there."""
        for part in (size, size - BEYOND * self.word, size * 3 // 4, size // 2):
            try:
                return self.memory.words(address, part // self.word)
            except Unreadable:
                continue
        return ()

    def words_or_none(self, address: int, count: int) -> tuple[int, ...] | None:
        """So many words, None where they cannot be read."""
        try:
            return self.memory.words(address, count)
        except Unreadable:
            return None

    def number(self, address: int, size: int) -> int:
        """The unsigned number there; raises `Unreadable`."""
        return int.from_bytes(self.memory.read(address, size), self.memory.byteorder)


@dataclass
class Findings:
    """What has been proved: fields and sizes, how that was seen, and why others were given up."""

    fields: dict[str, dict[str, Field]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    how: dict[str, dict[str, str]] = field(default_factory=dict)
    """By structure and field; of a structure's size by the name "sizeof"."""
    given_up: list[str] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    """Addresses of processes, of as many as need be looked at."""
    code: tuple[tuple[int, int], ...] = ()
    """Where the code of each module starts and ends."""

    @classmethod
    def of(cls, layout: Layout) -> Findings:
        """What was found before, as a layout has it."""
        structs = layout.structs.items()
        return cls(
            {name: dict(one.fields) for name, one in structs},
            {name: one.size for name, one in structs if one.size is not None},
            {name: dict(how) for name, how in layout.evidence.items()},
        )

    def add(self, struct: str, how: str, fields: Mapping[str, Field]) -> None:
        """These have been proved."""
        self.fields.setdefault(struct, {}).update(fields)
        self.how.setdefault(struct, {}).update(dict.fromkeys(fields, f"proved by {how}"))

    def add_size(self, struct: str, how: str, size: int) -> None:
        """So has the distance of elements in an array of the structure."""
        self.sizes[struct] = size
        self.fields.setdefault(struct, {})
        self.how.setdefault(struct, {})["sizeof"] = f"proved by {how}"

    def drop(self, struct: str, *paths: str) -> None:
        """Something speaks against these."""
        for path in paths:
            self.fields.get(struct, {}).pop(path, None)
            self.how.get(struct, {}).pop(path, None)

    def has(self, struct: str, path: str) -> bool:
        return path in self.fields.get(struct, {})

    def offset(self, struct: str, path: str) -> int:
        """Of a field that has been proved before; raises `NotProved`."""
        if not self.has(struct, path):
            raise NotProved(f"{struct}.{path} is not known")
        return self.fields[struct][path].offset

    def structs(self) -> dict[str, StructLayout]:
        """All, as a layout has them."""
        return {name: StructLayout(self.sizes.get(name), fields) for name, fields in self.fields.items()}


Prover = Callable[[Seen, Findings], None]
"""Adds what it proves. Raises `NotProved`, `Unreadable`."""


def only(places: Iterable[int], what: str) -> int:
    """The one place where it can be. Two that would do are none."""
    found = sorted(set(places))
    if len(found) != 1:
        raise NotProved(f"{len(found) or 'no'} place{'s' if len(found) > 1 else ''} for {what}")
    return found[0]


def differ(values: Iterable[object], least: int) -> bool:
    """Whether so many of them differ: what is the same everywhere proves nothing."""
    return len(set(values)) >= least


def most(truths: Iterable[bool]) -> bool:
    """Whether something holds for all but one in eight, and for enough: a few processes are always in the middle of
    something, as of a collection that moves their heap."""
    found = list(truths)
    return len(found) >= ENOUGH and sum(found) >= len(found) - len(found) // 8
