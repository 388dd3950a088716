"""Compact terms, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jit.beam.compact import DecodeError, Tag, decode, encode

unsigned_tags = st.sampled_from([tag for tag in Tag if tag is not Tag.INTEGER])


@given(unsigned_tags, st.integers(0, 2**64 - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_numbers_come_back(tag: Tag, number: int, before: bytes, after: bytes) -> None:
    data = before + encode(tag, number) + after
    assert decode(data, len(before)) == (tag, number, len(data) - len(after))


@given(st.integers(-(2**20000), 2**20000) | st.integers(-(2**70), 2**70))
def test_integers_come_back(number: int) -> None:
    data = encode(Tag.INTEGER, number)
    assert decode(data, 0) == (Tag.INTEGER, number, len(data))


@pytest.mark.parametrize(
    ("tag", "number", "data"),
    [
        # By the forms of beam_asm:encode/2: four bits, eleven bits, bytes by their count.
        (Tag.X, 0, "03"),
        (Tag.INTEGER, 15, "f1"),
        (Tag.UNSIGNED, 16, "0810"),
        (Tag.LABEL, 0x7FF, "edff"),
        (Tag.LABEL, 0x800, "1d0800"),
        (Tag.INTEGER, -1, "19ffff"),
        (Tag.INTEGER, 0x7FFF, "197fff"),
        (Tag.INTEGER, 0x8000, "39008000"),
        (Tag.INTEGER, -0x8000, "198000"),
        (Tag.INTEGER, -0x8001, "39ff7fff"),
        (Tag.INTEGER, 2**63 - 1, "d97fffffffffffffff"),
        (Tag.INTEGER, 2**63, "f900" + "008000000000000000"),
        (Tag.INTEGER, -(2**63), "d98000000000000000"),
        (Tag.INTEGER, 2**127, "f980" + "0080" + "00" * 15),
    ],
)
def test_the_shortest_form(tag: Tag, number: int, data: str) -> None:
    assert encode(tag, number).hex() == data
    assert decode(bytes.fromhex(data), 0) == (tag, number, len(data) // 2)


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        ("", 0, "the data ends"),
        ("08", 0, "the data ends"),
        ("19ff", 0, "2 bytes expected, but 1 are left"),
        ("f9", 1, "the data ends"),
        ("f913" + "00" * 10, 1, "tag u expected, not tag x"),
        ("f9f800", 1, "not itself counted"),
        ("f9d87fffffffffffffff", 0, "are left"),
        ("f810" + "01" * 10, 0, "tag u with a number of 10 bytes"),
    ],
)
def test_damage_is_told(data: str, offset: int, what: str) -> None:
    with pytest.raises(DecodeError, match=what) as caught:
        decode(bytes.fromhex(data), 0)
    assert caught.value.offset == offset


def test_no_endless_counts() -> None:
    with pytest.raises(DecodeError, match="not itself counted"):
        decode(b"\xf8" * 100_000, 0)


def test_only_integers_are_negative() -> None:
    with pytest.raises(ValueError, match="tag x cannot hold -1"):
        encode(Tag.X, -1)
