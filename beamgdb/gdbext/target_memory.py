"""Memory of the process or core file that GDB debugs."""

from __future__ import annotations

import gdb

from beamgdb.memory import ByteOrder, Unreadable


class InferiorMemory:
    """`Memory` of the selected inferior."""

    def __init__(self, word_size: int, byteorder: ByteOrder) -> None:
        self.word_size = word_size
        self.byteorder: ByteOrder = byteorder

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes at `address`; raises `Unreadable`."""
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except (gdb.error, OverflowError, MemoryError):
            raise Unreadable(address, size) from None
