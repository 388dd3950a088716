"""The memory of a VM, built by hand from a shipped layout table: what the model reads, a test has put there."""

from __future__ import annotations

from collections.abc import Mapping

from beamgdb.memory import BytesMemory, CachedMemory
from beamgdb.node import Node
from beamgdb.records.record import Record
from jit.object.target import ByteOrder
from jit.otp.layouts.identity import Identity
from jit.otp.layouts.layout import Layout, for_identity
from jit.otp.tags import ATOM, IMMED2_BITS, TagScheme, tag_scheme

IDENTITY = Identity(
    otp_release="25", erts_version="13.1.5", arch="x86_64", triplet="x86_64-pc-linux-gnu", word_size=8,
    byteorder="little", flavour="jit", build="opt", options=frozenset(), smp=True, unknown={},
)  # fmt: skip

TAGS: TagScheme = tag_scheme(25, 8)


LAYOUT: Layout = for_identity(IDENTITY)
"""The table that is shipped for OTP 25.2.3 on x86-64."""


class Image:
    """Memory to write into. `memory` sees every later change after `memory.forget()`, as a debugger does."""

    def __init__(self, identity: Identity = IDENTITY, layout: Layout = LAYOUT) -> None:
        self.symbols: dict[str, int] = {}
        self._identity, self._layout = identity, layout
        self._blocks: dict[int, bytearray] = {}
        self._next = 0x10_0000
        self.memory = CachedMemory(_Live(self), block=64)

    def snapshot(self) -> BytesMemory:
        """The memory as it is now."""
        return BytesMemory({address: bytes(block) for address, block in self._blocks.items()})

    def block(self, size: int, at: int | None = None) -> int:
        """Room for `size` bytes of zero, between which nothing can be read; its address."""
        address = self._next if at is None else at
        self._blocks[address] = bytearray(size)
        if at is None:
            self._next = (address + size + 0xFFF) & ~0xFFF
        return address

    def write(self, address: int, raw: bytes) -> None:
        """Change memory inside one block."""
        start = max(start for start in self._blocks if start <= address)
        block, offset = self._blocks[start], address - start
        assert offset + len(raw) <= len(block)
        block[offset : offset + len(raw)] = raw

    def bytes(self, raw: bytes) -> int:
        """A block that holds `raw`."""
        address = self.block(len(raw))
        self.write(address, raw)
        return address

    def words(self, *words: int) -> int:
        """A block that holds these words."""
        return self.bytes(b"".join(word.to_bytes(8, "little") for word in words))

    def poke(self, address: int, *words: int) -> None:
        """Change words."""
        self.write(address, b"".join(word.to_bytes(8, "little") for word in words))

    def struct(self, name: str, fields: Mapping[str, int], at: int | None = None) -> Record:
        """A structure with these fields, the others zero; in a block of its own, or at an address inside of one."""
        address = self.block(self._layout.size(name)) if at is None else at
        for path, value in fields.items():
            field = self._layout.field(name, path)
            self.write(address + field.offset, value.to_bytes(field.width, "little"))
        return Record(self.memory, self._layout, name, address)

    def node(self, with_layout: bool = True) -> Node:
        """The VM in this memory."""
        return Node(self.memory, self.symbols.get, self._identity, self._layout if with_layout else None, "no table")

    def atoms(self, *names: str) -> dict[str, int]:
        """Make the atom table with these names; the terms by name."""
        size = 1024
        pages = [names[at : at + size] for at in range(0, len(names), size)]
        tables = []
        for page in pages:
            texts = [self.bytes(name.encode() or b"\0") for name in page]
            atoms = [
                self.struct("Atom", {"len": len(name.encode()), "name": text}).address
                for name, text in zip(page, texts, strict=True)
            ]
            tables.append(self.words(*atoms))
        table = {"entries": len(names), "seg_table": self.words(*tables)}
        self.symbols["erts_atom_table"] = self.struct("IndexTable", table).address
        return {name: index << IMMED2_BITS | ATOM for index, name in enumerate(names)}


class _Live:
    """The image as it is at the moment of reading."""

    word_size = 8
    byteorder: ByteOrder = "little"

    def __init__(self, image: Image) -> None:
        self._image = image

    def read(self, address: int, size: int) -> bytes:
        return self._image.snapshot().read(address, size)
