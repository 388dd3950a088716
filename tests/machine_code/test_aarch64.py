"""ARM64 as it is read: constants are written alike, whichever capstone writes them."""

from __future__ import annotations

import struct

import pytest

from beamgdb.machine_code.aarch64 import instructions

_MOVN, _MOVZ = 0x12800000, 0x52800000
_64_BITS = 1 << 31


def move_wide(operation: int, number: int, half: int = 0) -> int:
    """`movz` or `movn` of w9 (Arm Architecture Reference Manual, C6.2, MOVZ and MOVN): a number, and in which 16 bits
    of the register."""
    return operation | half << 21 | number << 5 | 9


@pytest.mark.parametrize(
    ("word", "operands"),
    [
        (move_wide(_MOVZ, 1), "w9, #0x1"),
        (move_wide(_MOVZ, 0, 1), "w9, #0x0"),
        (move_wide(_MOVZ, 0xFFFF, 1), "w9, #0xffff0000"),
        (move_wide(_MOVN, 0), "w9, #0xffffffff"),
        (move_wide(_MOVN, 0x8000, 1), "w9, #0x7fffffff"),
        (move_wide(_64_BITS | _MOVZ, 0x588B), "x9, #0x588b"),
        (move_wide(_64_BITS | _MOVZ, 0x8000, 3), "x9, #0x8000000000000000"),
        (move_wide(_64_BITS | _MOVN, 0x10), "x9, #0xffffffffffffffef"),
        (move_wide(_64_BITS | _MOVN, 0xFFFF, 3), "x9, #0xffffffffffff"),
        (0xB200F3E9, "x9, #0x5555555555555555"),  # orr x9, xzr, #0x5555555555555555
        (0x32003FE9, "w9, #0xffff"),  # orr w9, wzr, #0xffff
        (0xAA0803E9, "x9, x8"),
        (0x910003E9, "x9, sp"),
    ],
)
def test_constants(word: int, operands: str) -> None:
    assert instructions(struct.pack("<I", word), 0) == [(0, "mov", operands)]


def test_what_is_no_constant() -> None:
    insert, either = 0xF2A00029, 0xB2400109  # movk x9, #1, lsl #16; orr x9, x8, #1
    (first, second) = instructions(struct.pack("<II", insert, either), 0x40)
    assert first[:2] == (0x40, "movk")
    assert (second[:2], second[2].split(", ")[:2]) == ((0x44, "orr"), ["x9", "x8"])
