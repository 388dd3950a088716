"""What BeamAsm tells a debugger about the code it makes.

BeamAsm registers each module and the shared fragments through GDB's JIT interface, in a format of its own
(`erts/emulator/beam/jit/beam_jit_metadata.cpp`, OTP 25 to 28), not as an ELF object. A registration is one of

- *emulator*: the frame layout and the address of `beam_normal_exit`, once, and
- *module*: name, base address, and one range of addresses per function, each with its line entries.

The C structures are laid out naturally for the pointer size of the target; nothing in them depends on the release.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum

from beamgdb.code.jit_interface import MAX_REGISTRATION_SIZE, CodeEntry
from beamgdb.code.module import CODE_INFO, Line, Module, Range, fault
from beamgdb.late import dataclass
from beamgdb.terms.quoting import bare
from jit.object.target import ByteOrder
from jit.otp.code import CODE_INFO_WORDS

MAX_REGISTERED = 1 << 28
"""Bytes of all registrations. 366 modules register 6 MB."""

MAX_MODULE_RECORDS = 1 << 18
"""Ranges and lines of a module: those of the largest module seen fit three times."""

MAX_RECORDS = 1 << 22
"""Ranges and lines of all modules, each of which takes 150 bytes here: as many as 7000 modules have."""

VM_ENTRIES = 3
"""Entries that the VM makes first, of itself: its shared fragments, its entry points, and the emulator."""

MAX_NAME = 5000
"""Characters of a name that are kept: two atoms of 255, each written as an escape, or the path of a file."""

HEAD_SIZE = 32
"""Bytes of a `struct debug_info` (4, aligned to 8, and `module_info`): all that the emulator registers."""

MAX_FILES = 0xFFFF
"""Source files of a module: as many as have a number in its description for GDB."""


class RegistrationKind(IntEnum):
    """`enum debug_info_header`."""

    EMULATOR = 0
    MODULE = 1


class FrameLayout(IntEnum):
    """`ErtsFrameLayout`: what a frame on the Erlang stack has above its y registers."""

    RETURN_ADDRESS = 0
    FRAME_POINTER = 1
    """The caller's frame pointer, then the return address (`+JPperf true`)."""


CODE_INFO_SIZE = CODE_INFO_WORDS * 8
"""Bytes of an `ErtsCodeInfo`, on each architecture that BeamAsm supports."""


class CorruptRegistration(Exception):
    """A registration that makes no sense; the text says why, and of which module it is if that can be told."""


@dataclass(frozen=True)
class Emulator:
    """Meaning of the registration that BeamAsm makes at start-up."""

    frame_layout: FrameLayout
    normal_exit: int


class Room:
    """What is left of what all registrations may take together. Once one does not fit, no further one does."""

    def __init__(self) -> None:
        self._bytes, self._records = MAX_REGISTERED, MAX_RECORDS

    def has_bytes(self, entry: CodeEntry) -> bool:
        """Whether a registration may be read. One that cannot be, because of its size, takes nothing."""
        self._bytes -= entry.size if entry.size <= MAX_REGISTRATION_SIZE else 0
        return self._bytes >= 0 and self._records >= 0

    def has_records(self, module: Module) -> bool:
        """Whether its functions and lines may be kept."""
        self._records -= sum(1 + len(one.lines) for one in module.ranges)
        return self._records >= 0


def own_first(listed: Sequence[CodeEntry]) -> Sequence[CodeEntry]:
    """The VM's own entries, which are its oldest, and then the newest first."""
    return [*listed[-VM_ENTRIES:], *listed[:-VM_ENTRIES]]


def parse(raw: bytes, word_size: int, byteorder: ByteOrder = "little") -> Emulator | Module:
    """The registration in `raw` (`symfile_size` bytes from `symfile_addr`). Control characters in names are escaped.

    Raises `CorruptRegistration`.
    """
    order = "<" if byteorder == "little" else ">"
    try:
        (header,) = struct.unpack_from(order + "I", raw)
        # The union holds a uint64_t, so it starts at 8 where that is aligned to 8: on every target of BeamAsm.
        if header == RegistrationKind.EMULATOR:
            if len(raw) != HEAD_SIZE:
                raise CorruptRegistration(f"registration of {len(raw)} bytes, which is not the size of the emulator's")
            (layout,) = struct.unpack_from(order + "i", raw, 8)
            (normal_exit,) = struct.unpack_from(order + ("I" if word_size == 4 else "Q"), raw, 8 + max(4, word_size))
            return Emulator(FrameLayout(layout), normal_exit)
        if header == RegistrationKind.MODULE:
            return _parse_module(raw, order, word_size)
    except struct.error:
        raise CorruptRegistration(f"registration of {len(raw)} bytes, which is cut off") from None
    except ValueError as error:
        raise CorruptRegistration(f"registration of {len(raw)} bytes: {error}") from None
    raise CorruptRegistration(f"registration with unknown header {header}")


def _parse_module(raw: bytes, order: str, word_size: int) -> Module:
    """A `struct debug_info` with `module_info`, then its ranges."""
    base, range_count, size, name_length = struct.unpack_from(order + "QIIH", raw, 8)
    name = _text(raw, 8 + 18, name_length)
    try:
        ranges = _ranges(raw, HEAD_SIZE + name_length, range_count, base, order)
    except struct.error:
        raise CorruptRegistration(f"{name}: its registration is cut off") from None
    except ValueError as error:
        raise CorruptRegistration(f"{name}: {error}") from None
    wrong = fault(Module(name, base, size, ranges), word_size)
    if wrong:
        raise CorruptRegistration(f"{name}: {wrong}")
    # One wrong `code_size` could take the place of all other modules; that of the ranges has just been checked.
    return Module(name, base, ranges[-1].stop - base, ranges)


def _ranges(raw: bytes, position: int, count: int, base: int, order: str) -> tuple[Range, ...]:
    """`range_info` and `line_info` records, which lie without alignment. Raises `struct.error` where `raw` ends before.

    Each record's name is a flexible array member, so it starts right after the 16-bit length; yet the next record
    lies `sizeof(structure)`, which counts the padding after that length, plus the name's length further on.
    """
    range_info = struct.Struct(order + "IIIH2x")
    line_info = struct.Struct(order + "IIH2x")
    unpack_line = line_info.unpack_from
    files: dict[bytes, str] = {}
    ranges: list[Range] = []
    lined: int | None = None
    records = count
    for _ in range(count):
        start, stop, line_count, name_length = range_info.unpack_from(raw, position)
        records += line_count
        if records > MAX_MODULE_RECORDS:
            raise ValueError(f"more than {MAX_MODULE_RECORDS} functions and lines")
        range_name = _text(raw, position + 14, name_length)
        position += 16 + name_length
        lines: list[Line] = []
        for _ in range(line_count):
            offset, line, file_length = unpack_line(raw, position)
            file_bytes = raw[position + 10 : position + 9 + file_length]
            position += 12 + file_length
            file = files.get(file_bytes)
            if file is None:
                file = files[file_bytes] = _text(file_bytes, 0, len(file_bytes) + 1)
            lines.append((base + offset, file, line))
        if lines and lined is not None:
            ranges[lined] = _without_line(ranges[lined], lines[0])
        lined = len(ranges) if lines else lined
        ranges.append(Range(base + start, base + stop, range_name, _own_lines(base + start, lines)))
    if position > len(raw):
        raise struct.error("the last name is cut off")
    if len(files) > MAX_FILES:
        raise ValueError(f"lines of {len(files)} files")
    return tuple(ranges)


def _without_line(before: Range, head: Line) -> Range:
    """The last range with lines before a function: the entry of the function's `func_info` is not its.

    That lies before the function's code; and as it is inside of the code of the function before, BeamAsm lists it there
    too, as the last entry.
    """
    return before._replace(lines=before.lines[:-1]) if before.lines[-1] == head else before


def _own_lines(start: int, lines: list[Line]) -> tuple[Line, ...]:
    """Lines of a function that starts at `start`, of which the first entry belongs to its `func_info`."""
    return ((start, *lines[0][1:]), *lines[1:]) if lines and lines[0][0] < start else tuple(lines)


def with_prologues(module: Module, size: int) -> Module:
    """The module with the prologue of at most `size` bytes at the start of each function, where calls enter it, instead
    of behind its `ErtsCodeInfo`, to which BeamAsm adds it. Where that has no room for one, the function begins with it
    already: so BeamAsm registers an Erlang module that is named as its own code.

    BeamAsm's own entry points have no prologue. They are return addresses at the base of every stack, where a debugger
    looks up the byte before: so they are said to begin with their `ErtsCodeInfo`.
    """
    ranges: list[Range] = []
    for code in module.ranges:
        before = ranges[-1] if ranges else None
        if before is not None and before.name == code.name + CODE_INFO:
            room = max(0, before.stop - before.start - CODE_INFO_SIZE)
            start = before.start if module.of_vm else before.stop - min(size, room)
            ranges[-1] = Range(before.start, start, before.name, before.lines)
            lines = code.lines
            if lines and lines[0][0] == code.start:
                lines = ((start, *lines[0][1:]), *lines[1:])
            code = Range(start, code.stop, code.name, lines)
        ranges.append(code)
    return replace(module, ranges=tuple(r for r in ranges if r.start < r.stop))


def _text(raw: bytes, start: int, length: int) -> str:
    """A name whose stored length counts its terminating zero. It will be shown, by GDB too: so it is made harmless, and
    cut where it is longer than any that the VM makes."""
    text = bare(raw[start : start + length - 1].decode("utf-8", "replace"))
    return text if len(text) <= MAX_NAME else text[:MAX_NAME] + "..."
