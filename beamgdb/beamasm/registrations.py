"""What BeamAsm tells a debugger about the code it makes.

BeamAsm registers each module and the shared fragments through GDB's JIT interface, in a format of its own
(`erts/emulator/beam/jit/beam_jit_metadata.cpp`, OTP 25 to 28), not as an ELF object. A registration is one of

- *emulator*: the frame layout and the address of `beam_normal_exit`, once, and
- *module*: name, base address, and one range of addresses per function, each with its line entries.

The C structures are laid out naturally for the pointer size of the target; nothing in them depends on the release.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal, NamedTuple

from beamgdb.memory import Memory, Unreadable

MAX_REGISTRATIONS = 200_000
"""More entries than any node has modules: a longer list is a corrupt or cyclic one."""

MAX_REGISTRATION_SIZE = 256 << 20
"""Bytes; the largest module seen registers 1 MiB."""


class Header(IntEnum):
    """`enum debug_info_header`."""

    EMULATOR = 0
    MODULE = 1


class FrameLayout(IntEnum):
    """`ErtsFrameLayout`: what a frame on the Erlang stack has above its y registers."""

    RETURN_ADDRESS = 0
    FRAME_POINTER = 1
    """The caller's frame pointer, then the return address (`+JPperf true`)."""


GLOBAL = "global"
"""Module name under which the shared fragments are registered."""

INTERNAL = "erts_beamasm"
"""The module of BeamAsm's own entry points, such as `normal_exit`. They have no breakpoint prologue."""

CODE_INFO = "-CodeInfoPrologue"
"""Suffix of the range before each function: its `ErtsCodeInfo`, and the instructions that tracing and NIFs patch."""

NO_CODE = ("::codeHeader", "::codeFooter")
"""Suffixes of ranges that hold data."""

Line = tuple[int, str, int]
"""Address, file name, line number."""


class CorruptRegistration(Exception):
    """A registration whose lengths do not add up; the text names the address and what was wrong."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """Meaning of the registration that BeamAsm makes at start-up."""

    frame_layout: FrameLayout
    normal_exit: int


class Range(NamedTuple):
    """Machine code of one function or shared fragment, `start` up to but not including `stop`.

    `lines` holds `(address, file name, line)`, by address: each is valid until the next one. The first is the line of
    the function's head, at `start`.
    """

    start: int
    stop: int
    name: str
    lines: tuple[Line, ...]

    @property
    def arity(self) -> int | None:
        """Arity in a function's name, `module:function/arity`; None for a shared fragment."""
        digits = self.name.rpartition("/")[2]
        return int(digits) if digits.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Module:
    """Code of one module: `base` is the address of its `BeamCodeHeader`, `size` in bytes."""

    name: str
    base: int
    size: int
    ranges: tuple[Range, ...]

    def __hash__(self) -> int:
        """Quick: there are as many ranges as functions."""
        return hash((self.name, self.base, self.size))

    @property
    def stop(self) -> int:
        """Address after the last byte of code."""
        return self.base + self.size


@dataclass(frozen=True, slots=True)
class Entry:
    """A `struct jit_code_entry`: its own address, and where the registration lies."""

    address: int
    symfile: int
    size: int


def entries(memory: Memory, descriptor: int) -> Iterator[Entry]:
    """Registrations in `__jit_debug_descriptor` at `descriptor`, newest first.

    Ends at the end of the list, or silently where the list cannot be read or runs in a circle: what was yielded
    until then is sound.
    """
    try:
        address = _words(memory, descriptor + 8, 2)[1]
        seen: set[int] = set()
        while address and address not in seen and len(seen) < MAX_REGISTRATIONS:
            seen.add(address)
            entry, address = _entry(memory, address)
            yield entry
    except Unreadable:
        return


def relevant(memory: Memory, descriptor: int) -> Entry | None:
    """The registration that is being made or taken back, while `__jit_debug_register_code` is called."""
    try:
        address = _words(memory, descriptor + 8, 1)[0]
        return _entry(memory, address)[0] if address else None
    except Unreadable:
        return None


def _entry(memory: Memory, address: int) -> tuple[Entry, int]:
    """The `jit_code_entry` at `address`, and the address of the next one.

    `symfile_size` has 64 bits on every target: on 32-bit ARM it is aligned to 8, with a hole of 4 bytes before it.
    """
    following, _previous, symfile = _words(memory, address, 3)
    size = int.from_bytes(memory.read(address + (3 * memory.word_size + 7 & ~7), 8), memory.byteorder)
    return Entry(address, symfile, size), following


def parse(raw: bytes, word_size: int, byteorder: Literal["little", "big"] = "little") -> Emulator | Module:
    """The registration in `raw` (`symfile_size` bytes from `symfile_addr`).

    Raises `CorruptRegistration`.
    """
    order = "<" if byteorder == "little" else ">"
    try:
        (header,) = struct.unpack_from(order + "I", raw)
        # The union holds a uint64_t, so it starts at 8 where that is aligned to 8: on every target of BeamAsm.
        if header == Header.EMULATOR:
            (layout,) = struct.unpack_from(order + "i", raw, 8)
            (normal_exit,) = struct.unpack_from(order + ("I" if word_size == 4 else "Q"), raw, 8 + max(4, word_size))
            return Emulator(FrameLayout(layout), normal_exit)
        if header == Header.MODULE:
            return _parse_module(raw, order)
    except (struct.error, ValueError) as error:
        raise CorruptRegistration(f"registration of {len(raw)} bytes: {error}") from None
    raise CorruptRegistration(f"registration with unknown header {header}")


def _parse_module(raw: bytes, order: str) -> Module:
    """A `struct debug_info` with `module_info`, then `range_info` and `line_info` records without alignment.

    Each record's name is a flexible array member, so it starts right after the 16-bit length; yet the next record
    lies `sizeof(structure)`, which counts the padding after that length, plus the name's length further on.
    """
    base, range_count, size, name_length = struct.unpack_from(order + "QIIH", raw, 8)
    name = _text(raw, 8 + 18, name_length)
    position = 8 + 24 + name_length
    range_info = struct.Struct(order + "IIIH2x")
    line_info = struct.Struct(order + "IIH2x")
    unpack_line = line_info.unpack_from
    files: dict[bytes, str] = {}
    ranges: list[Range] = []
    for _ in range(range_count):
        start, stop, line_count, name_length = range_info.unpack_from(raw, position)
        range_name = _text(raw, position + 14, name_length)
        position += 16 + name_length
        lines: list[Line] = []
        for _ in range(line_count):
            offset, line, file_length = unpack_line(raw, position)
            file_bytes = raw[position + 10 : position + 9 + file_length]
            position += 12 + file_length
            file = files.get(file_bytes)
            if file is None:
                file = files[file_bytes] = file_bytes.decode("utf-8", "replace")
            lines.append((base + offset, file, line))
        if start > stop:
            raise CorruptRegistration(f"{name}: {range_name} ends before it starts")
        ranges.append(Range(base + start, base + stop, range_name, _own_lines(base + start, lines, ranges)))
    if position > len(raw):
        raise CorruptRegistration(f"{name}: registration is {position - len(raw)} bytes short")
    return Module(name, base, size, tuple(ranges))


def _own_lines(start: int, lines: list[Line], earlier: list[Range]) -> tuple[Line, ...]:
    """Lines of a function that starts at `start`; corrects the last of the `earlier` ranges.

    A function's first entry belongs to its `func_info`, which lies before the function's code; and as it lies inside
    the code of the function before, BeamAsm lists it there too, as the last entry.
    """
    if not lines:
        return ()
    head = lines[0]
    before = next((index for index in range(len(earlier) - 1, -1, -1) if earlier[index].lines), None)
    if before is not None and earlier[before].lines[-1] == head and len(earlier[before].lines) > 1:
        earlier[before] = earlier[before]._replace(lines=earlier[before].lines[:-1])
    return ((start, *head[1:]), *lines[1:]) if head[0] < start else tuple(lines)


def with_prologues(module: Module, size: int) -> Module:
    """The module with the prologue of `size` bytes at the start of each function, where calls enter it, instead of at
    the end of its `ErtsCodeInfo`.

    BeamAsm's own entry points have no prologue. They are return addresses at the base of every stack, where a debugger
    looks up the byte before: so they are said to begin with their `ErtsCodeInfo`.
    """
    ranges: list[Range] = []
    for code in module.ranges:
        before = ranges[-1] if ranges else None
        if before is not None and before.name == code.name + CODE_INFO:
            start = before.start if module.name == INTERNAL else max(before.start, before.stop - size)
            ranges[-1] = Range(before.start, start, before.name, before.lines)
            lines = code.lines
            if lines and lines[0][0] == code.start:
                lines = ((start, *lines[0][1:]), *lines[1:])
            code = Range(start, code.stop, code.name, lines)
        ranges.append(code)
    return replace(module, ranges=tuple(r for r in ranges if r.start < r.stop))


def _text(raw: bytes, start: int, length: int) -> str:
    """A name whose stored length counts its terminating zero."""
    return raw[start : start + length - 1].decode("utf-8", "replace")


def _words(memory: Memory, address: int, count: int) -> tuple[int, ...]:
    """Machine words. In `jit_descriptor` the pointers follow `version` and `action_flag`, of 32 bits each."""
    form = f"{'<' if memory.byteorder == 'little' else '>'}{count}{'I' if memory.word_size == 4 else 'Q'}"
    return struct.unpack(form, memory.read(address, struct.calcsize(form)))
