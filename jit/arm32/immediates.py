"""Constants inside instructions: A32 modified constants (the manual's A5.2.4) and VFP's 8-bit floats (A7.5.1)."""

from __future__ import annotations

import struct

_MASK = 0xFFFF_FFFF


def expand_modified(imm12: int) -> int:
    """The unsigned 32-bit constant that the field *imm12* stands for: 8 bits rotated right by twice 4 bits."""
    byte, rotation = imm12 & 0xFF, imm12 >> 8 << 1
    return (byte >> rotation | byte << (32 - rotation)) & _MASK


# Where several encodings give one constant, the one with the least rotation is the assemblers' choice.
_MODIFIED = {expand_modified(imm12): imm12 for imm12 in range(0xFFF, -1, -1)}
_MODIFIED.update({value - (1 << 32): imm12 for value, imm12 in list(_MODIFIED.items()) if value >> 31})

#: Constant, as a signed or unsigned 32-bit integer, -> imm12, or None when it has no encoding.
modified = _MODIFIED.get


def split_modified(value: int) -> tuple[int, int] | None:
    """Two modified constants whose sum, and bitwise or, is the 32-bit *value*; None when there are none."""
    value &= _MASK
    for rotation in range(0, 32, 2):
        part = value & (0xFF << rotation | 0xFF >> (32 - rotation)) & _MASK
        if value != part and value - part in _MODIFIED:
            return part, value - part
    return None


def expand_float(imm8: int) -> float:
    """The float that the field *imm8* (imm4H:imm4L) stands for: (16..31)/16 times 2 to the -3..4, signed."""
    exponent = (imm8 >> 4 & 7 ^ 4) - 3
    magnitude = (16 + (imm8 & 15)) / 16 * 2.0**exponent
    return -magnitude if imm8 >> 7 else magnitude


_FLOATS = {expand_float(imm8): imm8 for imm8 in range(256)}

#: Float -> imm8, or None when it has no encoding (zero, either sign, has none).
float_immediate = _FLOATS.get


def double_words(value: float) -> tuple[int, int]:
    """The two words of a double in memory, low one first."""
    low, high = struct.unpack("<II", struct.pack("<d", value))
    return low, high
