"""A C structure of the VM in target memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory
from jit.otp.layouts.layout import Layout


@dataclass(unsafe_hash=True)
class Record:
    """The `struct` (a name of `jit.otp.layouts.wanted`) at `address`. `known` are fields that have been read already,
    with those of others. (Nobody changes one; one that is frozen takes three times as long to make, and millions are
    made.)"""

    memory: CachedMemory
    layout: Layout
    struct: str
    address: int
    known: Mapping[str, int] | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, path: str) -> int:
        """The field as an unsigned integer. KeyError: not in this VM's layout; `Unreadable`: not in its memory."""
        if self.known is not None and path in self.known:
            return self.known[path]
        found = self.layout.field(self.struct, path)
        if found.width == self.memory.word_size:
            return found.value(self.memory.word(self.address + found.offset))
        data = self.memory.read(self.address + found.offset, found.width)
        return found.value(int.from_bytes(data, self.memory.byteorder))

    def field_address(self, path: str) -> int:
        """Where the field lies."""
        return self.address + self.layout.offset(self.struct, path)

    def element(self, index: int) -> Record:
        """The structure at `index` of an array of which this is the element 0."""
        return Record(self.memory, self.layout, self.struct, self.address + index * self.layout.size(self.struct))

    def at(self, struct: str, path: str) -> Record:
        """The `struct` that starts where the field does: a member of this one."""
        return Record(self.memory, self.layout, struct, self.field_address(path))
