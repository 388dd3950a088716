"""The furthest that each reference to a label reaches, and the values that a word holds."""

from __future__ import annotations

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.references import fill_adr, fill_branch, fill_difference, fill_ldr, fill_vldr
from jit.codegen.processor import Fill, OperandError

#: An instruction that reads pc gets its own address and this.
AHEAD = 8
UP = 1 << 23


@pytest.mark.parametrize(
    ("fill", "least", "most", "backwards", "forwards", "step"),
    [
        (fill_branch, -(1 << 25), (1 << 25) - 4, 0x80_0000, 0x7F_FFFF, 4),
        (fill_ldr, -4095, 4095, 4095, UP | 4095, 1),
        (fill_vldr, -1020, 1020, 255, UP | 255, 4),
    ],
)
def test_what_is_further_is_refused(
    fill: Fill, least: int, most: int, backwards: int, forwards: int, step: int
) -> None:
    assert (fill(0, AHEAD + least), fill(0, AHEAD + most)) == (backwards, forwards)
    for distance in (least - step, most + step):
        with pytest.raises(OperandError):
            fill(0, AHEAD + distance)


def test_an_address_must_be_a_modified_constant_away() -> None:
    assert fill_adr(0, AHEAD + 0xFF0) == 0xEFF
    assert fill_adr(0, AHEAD - 0xFF0) == 0xEFF | 3 << 22, "a SUB instead of an ADD"
    with pytest.raises(OperandError, match="257 bytes from pc"):
        fill_adr(0, AHEAD + 257)


def test_distances_in_words_of_data_wrap() -> None:
    assert fill_difference(0, -4) == 0xFFFF_FFFC


def test_a_word_is_signed_or_unsigned() -> None:
    a = Assembler()
    for value in ((1 << 32) - 1, -(1 << 31), -1, 0):
        a.word(value)
    assert a.finish().data == bytes.fromhex("ffffffff 00000080 ffffffff 00000000")
    for value in (1 << 32, -(1 << 31) - 1):
        with pytest.raises(OperandError, match="does not fit 32 bits"):
            Assembler().word(value)
