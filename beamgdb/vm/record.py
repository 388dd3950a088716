"""A C structure of the VM in target memory."""

from __future__ import annotations

from dataclasses import dataclass

from beamgdb.layouts.layout import Layout
from beamgdb.memory import CachedMemory


@dataclass(frozen=True, slots=True)
class Record:
    """The `struct` (a name of `layouts.wanted`) at `address`."""

    memory: CachedMemory
    layout: Layout
    struct: str
    address: int

    def __getitem__(self, path: str) -> int:
        """The field as an unsigned integer. KeyError: not in this VM's layout; `Unreadable`: not in its memory."""
        field = self.layout.field(self.struct, path)
        if field.width == self.memory.word_size:
            return self.memory.word(self.address + field.offset)
        return int.from_bytes(self.memory.read(self.address + field.offset, field.width), self.memory.byteorder)

    def field_address(self, path: str) -> int:
        """Where the field lies."""
        return self.address + self.layout.offset(self.struct, path)

    def at(self, struct: str, path: str) -> Record:
        """The `struct` that starts where the field does: a member of this one."""
        return Record(self.memory, self.layout, struct, self.field_address(path))
