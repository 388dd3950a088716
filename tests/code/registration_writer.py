"""Registrations as BeamAsm writes them, by the C declarations of beam_jit_metadata.cpp, which ctypes lays out."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from beamgdb.code.module import Module, Range
from beamgdb.code.registrations import Emulator
from jit.object.target import ByteOrder

U16, U32, U64 = ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64


class Declarations:
    """The C structures for a word size of 4 or 8 and a byte order."""

    def __init__(self, word_size: int, byteorder: ByteOrder) -> None:
        base: Any = ctypes.LittleEndianStructure if byteorder == "little" else ctypes.BigEndianStructure
        self.pointer: Any = U32 if word_size == 4 else U64

        def struct(tag: str, /, **fields: Any) -> Any:
            return type(tag, (base,), {"_fields_": list(fields.items())})

        text = ctypes.c_char * 0
        self.emulator = struct("emulator_info", frame_layout=ctypes.c_int32, normal_exit=self.pointer)
        self.module = struct("module_info", base=U64, range_count=U32, code_size=U32, name_length=U16, name=text)
        self.range = struct("range_info", start=U32, end=U32, line_count=U32, name_length=U16, name=text)
        self.line = struct("line_info", start=U32, line=U32, file_length=U16, file=text)
        # The union of the two infos: the larger one, `module_info`, decides on its size and alignment.
        self.header = struct("debug_info", header=U32, module=self.module)
        self.emulator_header = struct("debug_info", header=U32, room=U64 * 0, emulator=self.emulator)
        self.entry = struct("jit_code_entry", next=self.pointer, prev=self.pointer, symfile=self.pointer, size=U64)
        self.descriptor = struct(
            "jit_descriptor", version=U32, action=U32, relevant_entry=self.pointer, first_entry=self.pointer
        )


def _record(record: Any, size: int, name: str, at: int) -> bytes:
    """A structure that ends in a name: it takes its `size`, padding included, but the name lies before the padding."""
    text = name.encode() + b"\0"
    raw = bytearray(size + len(text))
    fixed = bytes(record)
    raw[: len(fixed)] = fixed
    raw[at : at + len(text)] = text
    return bytes(raw)


def module_bytes(module: Module, word_size: int = 8, byteorder: ByteOrder = "little") -> bytes:
    """The registration of a module."""
    c = Declarations(word_size, byteorder)
    head = c.header(header=1)
    info = head.module
    info.base, info.range_count, info.code_size = module.base, len(module.ranges), module.size
    info.name_length = len(module.name.encode()) + 1
    parts = [_record(head, ctypes.sizeof(c.header), module.name, c.header.module.offset + c.module.name.offset)]
    for code in module.ranges:
        parts.append(_range_bytes(c, module.base, code))
    return b"".join(parts)


def _range_bytes(c: Declarations, base: int, code: Range) -> bytes:
    record = c.range(code.start - base, code.stop - base, len(code.lines), len(code.name.encode()) + 1)
    parts = [_record(record, ctypes.sizeof(c.range), code.name, c.range.name.offset)]
    for address, file, number in code.lines:
        line = c.line(address - base, number, len(file.encode()) + 1)
        parts.append(_record(line, ctypes.sizeof(c.line), file, c.line.file.offset))
    return b"".join(parts)


def emulator_bytes(emulator: Emulator, word_size: int = 8, byteorder: ByteOrder = "little") -> bytes:
    """The registration that BeamAsm makes first."""
    c = Declarations(word_size, byteorder)
    head = c.emulator_header(header=0)
    head.emulator.frame_layout, head.emulator.normal_exit = emulator.frame_layout, emulator.normal_exit
    return bytes(head).ljust(ctypes.sizeof(c.header), b"\0")


def descriptor_segments(
    registrations: Sequence[bytes], descriptor: int, entries: int, files: int, word_size: int, byteorder: ByteOrder
) -> dict[int, bytes]:
    """Memory with the descriptor, list entries and registrations at these addresses; the first one is the newest."""
    c = Declarations(word_size, byteorder)
    step = ctypes.sizeof(c.entry)
    first = entries if registrations else 0
    segments = {descriptor: bytes(c.descriptor(version=1, first_entry=first))}
    listed = bytearray()
    for number, raw in enumerate(registrations):
        here = entries + number * step
        following = here + step if number + 1 < len(registrations) else 0
        listed += bytes(c.entry(following, here - step if number else 0, files, len(raw)))
        segments[files] = raw
        files += len(raw) + 16
    if listed:
        segments[entries] = bytes(listed)
    return segments
