"""Compact terms: the numbers with a tag that operands are made of (beam_asm:encode/2, beamreader_read_tagged()).

The low three bits of the first byte are the tag. The number follows in one of four forms, in the bits above:

    nnnn0ttt                    0..15
    nnn01ttt nnnnnnnn           0..2047
    kkk11ttt ...                in 2 + kkk bytes, kkk < 7
    11111ttt <count> ...        in 9 + count bytes, count being a compact term with tag u

The bytes of the last two forms are big-endian; they are two's complement, which only integers (tag i) make use of.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Tag(IntEnum):
    """What a number stands for (erts/emulator/beam/beam_file.h, lib/compiler/src/beam_opcodes.hrl)."""

    UNSIGNED = 0
    INTEGER = 1
    ATOM = 2  # index into the atom table, counted from 1; 0 is the empty list
    X = 3
    Y = 4
    LABEL = 5  # 0 is no label: failure raises an exception
    CHARACTER = 6
    EXTENDED = 7  # what follows is one of ``Extended``


class Extended(IntEnum):
    """The numbers of tag z. Number 0, a float, was dropped by R16B."""

    LIST = 1
    FLOAT_REGISTER = 2
    ALLOCATION = 3
    LITERAL = 4
    TYPED_REGISTER = 5


#: Bytes of numbers other than integers: 64 bits, which bs_match compares with, and a zero before them.
LONGEST_UNSIGNED: Final = 9

_MORE = 0x08
_BYTES = 0x10
_COUNTED = 7


class DecodeError(ValueError):
    """Bytes that are not what was expected, from ``offset`` on. Whoever knows the chunk makes a BeamError of it."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = offset


def decode(data: bytes, at: int) -> tuple[int, int, int]:
    """The compact term at offset *at*: its tag, its number, and the offset after it. Raises DecodeError."""
    try:
        first = data[at]
        if not first & _MORE:
            return first & 7, first >> 4, at + 1
        if not first & _BYTES:
            return first & 7, (first & 0xE0) << 3 | data[at + 1], at + 2
    except IndexError:
        raise DecodeError(at, "a compact term expected, but the data ends") from None
    return _decode_bytes(data, at, first)


def _decode_bytes(data: bytes, at: int, first: int) -> tuple[int, int, int]:
    tag, count, start = first & 7, 2 + (first >> 5), at + 1
    if first >> 5 == _COUNTED:
        if data[start : start + 1] >= b"\xf8":
            raise DecodeError(start, "a count of bytes expected that is not itself counted")
        count_tag, excess, start = decode(data, start)
        if count_tag != Tag.UNSIGNED:
            raise DecodeError(at + 1, f"a count of bytes with tag u expected, not tag {tag_letter(count_tag)}")
        count = 9 + excess
    end = start + count
    if end > len(data):
        raise DecodeError(at, f"a number of {count} bytes expected, but {len(data) - start} are left")
    if tag != Tag.INTEGER and count > LONGEST_UNSIGNED:
        raise DecodeError(at, f"tag {tag_letter(tag)} with a number of {count} bytes")
    return tag, int.from_bytes(data[start:end], "big", signed=tag == Tag.INTEGER), end


def encode(tag: int, number: int) -> bytes:
    """The shortest form. Raises ValueError for a negative number with another tag than i."""
    if 0 <= number < 16:
        return bytes((number << 4 | tag,))
    if 0 <= number < 0x800:
        return bytes((number >> 3 & 0xE0 | _MORE | tag, number & 0xFF))
    if number < 0 and tag != Tag.INTEGER:
        raise ValueError(f"tag {tag_letter(tag)} cannot hold {number}")
    count = max(2, (number if number >= 0 else ~number).bit_length() // 8 + 1)
    digits = number.to_bytes(count, "big", signed=True)
    if count <= 8:
        return bytes((count - 2 << 5 | _BYTES | _MORE | tag,)) + digits
    return bytes((0xF8 | tag,)) + encode(Tag.UNSIGNED, count - 9) + digits


def tag_letter(tag: int) -> str:
    """The letter that Erlang's own sources call a tag by."""
    return "uiaxyfhz"[tag]
