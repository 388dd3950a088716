"""The chunk ``avmN``: native code of a module, for one or several processors (AtomVM's module.h, module.c).

Numbers are big-endian: the size of what follows up to the code (32 bits), the count of labels (32), the version of the
format (16), the count of targets (16), for each of these architecture (16), variant (16) and offset (32) from where the
code begins. Code goes up to the next target's. With debugging information an ELF file stands where the code begins, and
the offset is that of its code in it; behind it, little-endian, a count of 32 bits and so many offsets in the ELF file
of fields to which the VM adds the address of the code.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jit.atomvm.formats import F1
from jit.beam.chunks import Chunk, read_chunks, write_chunks
from jit.object.elf_constants import ELF_MAGIC

CHUNK: Final = "avmN"

_HEADER: Final = struct.Struct(">IIHH")
_TARGET: Final = struct.Struct(">HHI")
_ALIGNMENT: Final = 4
#: Of the header, what is not counted in its size.
_SIZE_FIELD: Final = 4
#: Fields of the header of ELF files of 32 and 64 bits, by the byte that tells which: sections' headers, size, count.
_ELF_TABLE: Final = {1: (struct.Struct("<32xI10xHH"), 52), 2: (struct.Struct("<40xQ10xHH"), 64)}
#: Of a section's header: where it is in the file, and its size.
_ELF_SECTION: Final = {1: struct.Struct("<16xII"), 2: struct.Struct("<24xQQ")}


@dataclass(frozen=True)
class Code:
    """The code for one target; ``offset`` is where it begins in the chunk's code."""

    architecture: int
    variant: int
    offset: int
    data: bytes

    @property
    def target(self) -> str:
        """Its name, such as ``arm32``."""
        for name, target in F1.targets.items():
            if (target.architecture, target.variant) == (self.architecture, self.variant):
                return name
        return f"architecture {self.architecture} variant {self.variant}"


@dataclass(frozen=True)
class NativeChunk:
    """A chunk: ``labels`` as in the Code chunk, and ``area`` is all behind the header."""

    version: int
    labels: int
    codes: Sequence[Code]
    area: bytes

    @property
    def elf(self) -> bytes | None:
        """The ELF file with debugging information; None if there is none, or not a whole one."""
        if not self.area.startswith(ELF_MAGIC) or len(self.area) == len(ELF_MAGIC):
            return None
        table, header = _ELF_TABLE.get(self.area[4], (None, 0))
        if table is None or len(self.area) < header:
            return None
        offset, size, count = table.unpack_from(self.area)
        end = offset + size * count
        return self.area[:end] if header <= end <= len(self.area) else None

    def instructions(self, code: Code) -> bytes:
        """Code without what stands behind it in the ELF file, of which the VM maps that too."""
        elf = self.elf
        if elf is None:
            return code.data
        table, _ = _ELF_TABLE[elf[4]]
        fields = _ELF_SECTION[elf[4]]
        at, size, count = table.unpack_from(elf)
        for begin in range(at, at + size * count, max(size, 1)):
            if begin + fields.size <= len(elf) and (place := fields.unpack_from(elf, begin))[0] == code.offset:
                return code.data[: place[1]]
        return code.data


def decode_native(chunk: Chunk) -> NativeChunk:
    """What a chunk tells, of any version whose header is the same. Raises BeamError."""
    data = chunk.data
    if len(data) < _HEADER.size:
        raise chunk.error(0, f"a header of {_HEADER.size} bytes expected, there are {len(data)}")
    size, labels, version, count = _HEADER.unpack_from(data)
    begin = _SIZE_FIELD + size
    if not _HEADER.size + count * _TARGET.size <= begin <= len(data):
        raise chunk.error(0, f"a header of {size} bytes for {count} targets, which cannot be")
    rows = [_TARGET.unpack_from(data, _HEADER.size + _TARGET.size * at) for at in range(count)]
    area = data[begin:]
    ends = [offset for _, _, offset in rows[1:]] + [len(area)]
    codes = []
    for at, ((architecture, variant, offset), end) in enumerate(zip(rows, ends)):
        if not offset <= end <= len(area):
            where = _HEADER.size + _TARGET.size * at + 4
            raise chunk.error(where, f"code from {offset} to {end} of {len(area)} bytes, which cannot be")
        codes.append(Code(architecture, variant, offset, area[offset:end]))
    return NativeChunk(version, labels, codes, area)


def encode_native(labels: int, codes: Sequence[tuple[str, bytes]]) -> bytes:
    """The data of a chunk with code for these targets, by name. Each begins at a whole word: some VMs run it where it
    is, and Thumb code loads constants from there."""
    rows, area = [], b""
    for name, code in codes:
        area += bytes(-len(area) % _ALIGNMENT)
        rows.append((name, len(area)))
        area += code
    return _header(labels, rows) + area


def joined(files: Sequence[bytes]) -> bytes:
    """One file of those of a module that have native code for one target each, and else the same chunks."""
    chunks = [read_chunks(data, "") for data in files]
    natives = [decode_native(one) for file in chunks for one in file if one.name == CHUNK]
    if len(natives) < len(files):
        return files[0]
    codes = [(code.target, code.data) for native in natives for code in native.codes]
    data = encode_native(natives[0].labels, codes)
    return write_chunks((one.name, data if one.name == CHUNK else one.data) for one in chunks[0])


def encode_with_elf(labels: int, target: str, code_offset: int, elf: bytes, addresses: Sequence[int]) -> bytes:
    """The same with an ELF file, in which the code is at an offset, and *addresses* are the places of addresses."""
    count = len(addresses)
    return _header(labels, [(target, code_offset)]) + elf + struct.pack(f"<{count + 1}I", count, *addresses)


def _header(labels: int, rows: Sequence[tuple[str, int]]) -> bytes:
    size = _HEADER.size - _SIZE_FIELD + _TARGET.size * len(rows)
    out = _HEADER.pack(size, labels, F1.version, len(rows))
    for name, offset in rows:
        target = F1.targets[name]
        out += _TARGET.pack(target.architecture, target.variant, offset)
    return out
