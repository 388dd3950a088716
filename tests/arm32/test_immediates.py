"""Constants inside instructions: exactly those that exist have an encoding."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jit.arm32.immediates import expand_float, expand_modified, float_immediate, modified, split_modified
from tests.arm32.gnu_as import assemble, refused

words = st.integers(0, 0xFFFF_FFFF)


def _ror(value: int, by: int) -> int:
    doubled = value << 32 | value
    return doubled >> by & 0xFFFF_FFFF


def test_all_4096_encodings_expand_as_gnu_as_has_them(tmp_path: Path) -> None:
    """Written as byte and rotation the encoding is kept; written as a constant, the one of least rotation is chosen."""
    exact = assemble([f"teq r0, #{imm12 & 0xFF}, {imm12 >> 8 << 1}" for imm12 in range(4096)], tmp_path)
    assert [word & 0xFFF for word in exact] == list(range(4096))
    chosen = assemble([f"teq r0, #{expand_modified(imm12)}" for imm12 in range(4096)], tmp_path)
    assert [word & 0xFFF for word in chosen] == [modified(expand_modified(imm12)) for imm12 in range(4096)]


def test_all_constants_near_one_that_has_an_encoding(tmp_path: Path) -> None:
    """GNU as refuses the same neighbours. (teq has no twin that it could turn to for a constant out of reach.)"""
    values = sorted({(expand_modified(imm12) + by) & 0xFFFF_FFFF for imm12 in range(4096) for by in (-2, -1, 0, 1, 2)})
    without = {index for index, value in enumerate(values) if modified(value) is None}
    assert refused([f"teq r0, #{value}" for value in values], tmp_path) == without
    assert len(without) > 4000


@given(words)
def test_a_constant_has_an_encoding_iff_some_rotation_makes_it_a_byte(value: int) -> None:
    assert (modified(value) is not None) == any(_ror(value, turn) < 256 for turn in range(0, 32, 2))


@given(st.integers(0, 4095).map(expand_modified))
def test_a_constant_may_be_given_as_a_signed_number(value: int) -> None:
    signed = value - (1 << 32) if value >> 31 else value
    assert modified(signed) == modified(value)


@given(words | st.builds(lambda a, b: expand_modified(a) + expand_modified(b), *[st.integers(0, 4095)] * 2))
def test_two_parts_make_the_constant(value: int) -> None:
    value &= 0xFFFF_FFFF
    parts = split_modified(value)
    if parts is not None:
        assert parts[0] + parts[1] == parts[0] | parts[1] == value
        assert all(modified(part) is not None for part in parts)
    elif modified(value) is None:
        windows = [_ror(0xFF, turn) for turn in range(0, 32, 2)]
        assert [hex(window) for window in windows if modified(value & ~window) is not None] == []


def test_all_256_float_constants(tmp_path: Path) -> None:
    lines = [f"vmov.f64 d0, #{expand_float(imm8)!r}" for imm8 in range(256)]
    assert [(word >> 12 & 0xF0) | word & 15 for word in assemble(lines, tmp_path)] == list(range(256))
    assert [float_immediate(expand_float(imm8)) for imm8 in range(256)] == list(range(256))
    assert {float_immediate(value) for value in (0.0, -0.0, 0.1, 32.0, math.inf, math.nan)} == {None}
