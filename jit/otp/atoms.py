"""Atoms, as all known releases keep them.

Source: the files below ``erts/emulator/beam`` of OTP 25.2.3 and 27.3.4.1.
"""

from __future__ import annotations

from typing import Final

PAGE_SHIFT: Final = 10
"""`INDEX_PAGE_SHIFT` of index.h: entries of an index table come in pages of 1024."""

_LATIN1_LEAD, _LATIN1_LEADS = 0xC2, 0xFE
"""The first byte of a Latin-1 character in UTF-8, and the bits that both such bytes have in common."""


def name_hash(name: bytes, word_size: int) -> int:
    """The hash under which the VM keeps the atom with this name, in UTF-8 (`atom_hash`, atom.c)."""
    mask, value, at = (1 << 8 * word_size) - 1, 0, 0
    while at < len(name):
        byte, at = name[at], at + 1
        if at < len(name) and byte & _LATIN1_LEADS == _LATIN1_LEAD and name[at] & 0xC0 == 0x80:
            byte, at = (byte << 6 | name[at] & 0x3F) & 0xFF, at + 1
        value = (value << 4) + byte & mask
        high = value & 0xF000_0000
        if high:
            value ^= high >> 24 ^ high
    return value
