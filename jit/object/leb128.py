"""Variable-length integers (DWARF 5, 7.6 and appendix C)."""

from __future__ import annotations

_ONE_BYTE = tuple(bytes((value,)) for value in range(0x80))


def uleb128(value: int) -> bytes:
    """Unsigned LEB128 of a non-negative integer; raises ValueError for a negative one."""
    if 0 <= value < 0x80:
        return _ONE_BYTE[value]
    if value < 0:
        raise ValueError(f"{value} is negative, but unsigned LEB128 was asked for")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sleb128(value: int) -> bytes:
    """Signed LEB128 of any integer."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)
