"""What an object file's bytes depend on: address size, byte order, machine."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Literal

ByteOrder = Literal["little", "big"]


#: Compiled once for each format, of which there are few.
_struct = cache(struct.Struct)


@dataclass(frozen=True)
class Target:
    """The machine an object file is for.

    ``address_size`` is in bytes and selects ELF32 or ELF64; ``machine`` is the ELF header's e_machine (see
    ``elf_constants.EM``) and ``flags`` its e_flags, whose meaning belongs to the machine.
    """

    address_size: Literal[4, 8]
    byte_order: ByteOrder = "little"
    machine: int = 0
    flags: int = 0

    @property
    def prefix(self) -> str:
        """The byte-order prefix of a ``struct`` format: no padding, standard sizes."""
        return "<" if self.byte_order == "little" else ">"

    @property
    def word(self) -> str:
        """The ``struct`` letter of an unsigned address."""
        return "I" if self.address_size == 4 else "Q"

    def struct(self, fields: str) -> struct.Struct:
        """A ``Struct`` in this byte order, where the letter ``W`` in *fields* stands for an address."""
        return _struct(self.prefix + fields.replace("W", self.word))

    def pack(self, fields: str, *values: int | bytes) -> bytes:
        """The values as packed bytes; raises ValueError when one does not fit its field."""
        try:
            return self.struct(fields).pack(*values)
        except struct.error as error:
            raise ValueError(f"{values} do not fit the fields {fields!r}: {error}") from None

    def address(self, value: int) -> bytes:
        """One address; raises ValueError when it does not fit."""
        return self.pack("W", value)
