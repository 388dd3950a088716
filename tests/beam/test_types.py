"""The Type chunk in its four versions."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jit.beam.chunks import Chunk
from jit.beam.errors import BeamError
from jit.beam.types import ANY, ANY_KIND, Type, TypeKind, TypeTable, decode_types, encode_types

#: Any term, an integer of 0..255, a list or an atom: by the bits of each release's beam_types.hrl.
KNOWN = {
    1: "00000001 00000003" + "1fff 0000000000000000 ffffffffffffffff" + "0040 0000000000000000 00000000000000ff"
    "0109 0000000000000000 ffffffffffffffff",
    2: "00000002 00000003" + "1fff" + "6040 0000000000000000 00000000000000ff" + "0109",
    3: "00000003 00000003" + "0fff" + "3020 0000000000000000 00000000000000ff" + "0085",
    4: "00000004 00000003" + "1fff" + "6020 0000000000000000 00000000000000ff" + "0085",
}


def decode(data: bytes) -> TypeTable:
    return decode_types(Chunk("file", "Type", data))


@pytest.mark.parametrize("version", KNOWN)
def test_known_bytes(version: int) -> None:
    data = bytes.fromhex(KNOWN[version])
    table = decode(data)
    mixed = TypeKind.ATOM | TypeKind.CONS | TypeKind.NIL
    assert table == TypeTable(version, [ANY, Type(TypeKind.INTEGER, 0, 255), Type(mixed)])
    assert encode_types(table) == data


def test_units() -> None:
    table = decode(bytes.fromhex("00000003 00000002 0fff 4002 07"))
    assert table.types[1] == Type(TypeKind.BITSTRING, unit=8)
    assert encode_types(table)[-3:].hex() == "400207"


@st.composite
def tables(draw: st.DrawFn) -> TypeTable:
    version = draw(st.sampled_from([1, 2, 3, 4]))
    kinds = [kind for kind in TypeKind if kind is not (TypeKind.RECORD if version < 4 else TypeKind.MATCH_CONTEXT)]
    if version == 3:
        kinds.remove(TypeKind.MATCH_CONTEXT)
    small = st.integers(-(2**59), 2**59 - 1)

    def some_type(chosen: list[TypeKind]) -> st.SearchStrategy[Type]:
        union = TypeKind(0)
        for kind in chosen:
            union |= kind
        if len(chosen) == len(kinds):
            union = ANY_KIND
        bound = st.none() | small if union & TypeKind.NUMBER and version > 1 else st.none()
        unit = st.none() | st.integers(1, 256) if union & TypeKind.BITSTRING and version > 1 else st.none()
        return st.builds(Type, st.just(union), bound, bound, unit)

    types = st.lists(st.lists(st.sampled_from(kinds), min_size=1, unique=True).flatmap(some_type), max_size=6)
    return TypeTable(version, [ANY, *draw(types)])


@given(tables())
def test_types_come_back(table: TypeTable) -> None:
    assert decode(encode_types(table)) == table


def test_bounds_that_mean_nothing_in_otp_25() -> None:
    """Those where the lower one is the greater; equal ones are a single number."""
    table = TypeTable(1, [ANY, Type(TypeKind.INTEGER, lowest=5, highest=5)])
    data = encode_types(table)
    assert decode(data) == table
    greater = data.replace(struct.pack(">qq", 5, 5), struct.pack(">qq", 6, 5))
    assert decode(greater) == TypeTable(1, [ANY, Type(TypeKind.INTEGER)])


def test_unknown_versions_have_no_types() -> None:
    assert decode(bytes.fromhex("00000009 00000001 12345678")) == TypeTable(9, [])


def test_what_a_version_cannot_say() -> None:
    with pytest.raises(ValueError, match="cannot be said in version 1"):
        encode_types(TypeTable(1, [ANY, Type(TypeKind.INTEGER, lowest=0)]))
    with pytest.raises(ValueError, match="has no kinds in version 3"):
        encode_types(TypeTable(3, [ANY, Type(TypeKind.RECORD)]))


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        (b"", 0, "a version of 32 bits expected"),
        (struct.pack(">IIH", 3, 2, 0x0FFF), 10, "bits of a type expected"),
        (struct.pack(">IIHH", 3, 2, 0x0FFF, 0), 10, "bits of a type expected, not 0x0000"),
        (struct.pack(">IIHH", 3, 2, 0x0FFF, 0x8001), 10, "bits of a type expected, not 0x8001"),
        (struct.pack(">IIHHI", 3, 2, 0x0FFF, 0x1020, 0), 10, "bounds and unit expected, 4 bytes are left"),
        (struct.pack(">IIHHq", 3, 2, 0x0FFF, 0x1001, 0), 10, "bounds that has no numbers"),
        (struct.pack(">IIHHB", 3, 2, 0x0FFF, 0x4001, 0), 10, "a unit that has no bitstrings"),
        (struct.pack(">IIHH", 3, 1, 0x0FFF, 1), 10, "the end of 1 types expected, 2 bytes are left"),
        (struct.pack(">IIH", 3, 1, 1), 8, "the first type is expected to be any term"),
        (struct.pack(">II", 3, 0), 8, "the first type is expected to be any term"),
    ],
)
def test_damage_is_told(data: bytes, offset: int, what: str) -> None:
    with pytest.raises(BeamError, match=what) as caught:
        decode(data)
    assert caught.value.offset == offset


def test_questions() -> None:
    assert ANY.is_any
    assert not Type(ANY_KIND, lowest=0).is_any
    number = Type(TypeKind.INTEGER | TypeKind.FLOAT)
    assert number.is_only(TypeKind.NUMBER)
    assert not number.is_only(TypeKind.INTEGER)
    assert number.may_be(TypeKind.FLOAT)
    assert not number.may_be(TypeKind.ATOM)
