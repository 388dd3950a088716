"""Packed terms that no node makes for us: damaged ones, and those of kinds that OTP 27 itself cannot read."""

from __future__ import annotations

import struct

import pytest

from beamgdb.memory import BytesMemory, Unreadable
from beamgdb.terms.decode import TermDecoder
from beamgdb.terms.packed import bytes_of
from beamgdb.terms.source import Limits
from beamgdb.terms.text import Style, term_text
from beamgdb.terms.values import NIL, Atom, Pid, Port, Value
from jit.otp.layouts.layout import load_table
from jit.otp.tags import tag_scheme

START = 0x1000
NAMES = ("zero", "one", "two")


class Atoms:
    def name(self, index: int, /) -> str | None:
        return NAMES[index] if index < len(NAMES) else None


def text(packed: bytes, limits: Limits | None = None, behind: bytes = b"", otp: int = 27) -> str:
    """What a packed term is shown as that ends before what is `behind`."""
    layout = load_table({25: "13.1.5", 27: "15.2.7"}[otp], "x86_64", "jit")
    assert layout is not None
    decoder = TermDecoder(BytesMemory({START: packed + behind}), tag_scheme(otp, 8), layout, Atoms())
    return term_text(decoder.packed_at(START, START + len(packed), limits or Limits()), Style(otp))


def atom(index: int) -> bytes:
    return b"I" + struct.pack(">H", index)


def tuple_of(*terms: bytes) -> bytes:
    return b"h" + bytes([len(terms)]) + b"".join(terms)


def test_kinds() -> None:
    assert text(b"q" + atom(1) + atom(2) + b"a\3") == "fun one:two/3"
    assert text(b"K\0\0\2") == "two"
    assert text(b"o" + struct.pack(">I", 300) + b"\1" + bytes(299) + b"\1") == str(-(1 << 8 * 299))
    assert text(b"l\0\0\0\2a\1a\2j") == "[1,2]"
    assert text(b"b\xff\xff\xff\xfe") == "-2"


def test_what_is_left_out_is_gone_through() -> None:
    inner = tuple_of(tuple_of(b"a\1", b"a\2"), b"a\3")
    assert text(tuple_of(inner, b"a\4"), Limits(depth=1)) == "{{...},4}"
    assert text(b"k\0\x0a" + b"abcdefghij", Limits(bytes=4, width=2)) == '"abcd"...'
    assert text(b"l\0\0\0\5" + b"a\0" * 5 + b"j", Limits(width=2, bytes=2)) == "[0,0|...]"
    assert text(tuple_of(*[b"a\1"] * 9), Limits(width=3)) == "{1,1,1,...}"
    assert text(tuple_of(*[b"a\1"] * 9), Limits(nodes=3)) == "{1,1,...}"


@pytest.mark.parametrize("otp", [25, 27])
@pytest.mark.parametrize(
    "packed",
    [
        b"", b"?", b"l\xff\xff\xff\xffj", b"h\3a\1", b"m\0\0\1\0abc", b"n\xff\0\1", b"J", b"L\0", b"Z\0\xff", b"N",
        b"M\0\0\0\0\0",
    ],
)  # fmt: skip
def test_damaged_terms(packed: bytes, otp: int) -> None:
    """Nothing behind their end is read."""
    for behind in (b"", b"a" * 600):
        assert "no packed term" in text(packed, behind=behind, otp=otp)


def test_terms_that_are_nested_too_deeply() -> None:
    assert text(b"h\1" * 5000 + b"a\1").startswith("{{{")


def test_a_binary_that_is_nowhere() -> None:
    words = struct.pack("<6Q", 5 << 6 | 0x24, 10, 0, 1 << 40, 1 << 40, 0)
    assert text(b"J" + words, otp=25) == f"<unreadable {1 << 40:#x}>"


def test_however_deep_what_is_left_out_is() -> None:
    """At any depth that may be set, and in what kind of container whatever: it is gone through to its end."""
    levels = 3000
    fun = b"p" + bytes(4) + b"\0" + bytes(20) + struct.pack(">I", 1) + atom(1) + b"a\0a\0" + b"a\0"
    containers = {
        "tuple": b"h\1", "list": b"l\0\0\0\1a\1", "map": b"t\0\0\0\1a\1", "fun": fun,
        "record": b"C\0\0\0\1\0" + atom(1) + atom(1) + atom(2),
    }  # fmt: skip
    for depth in (0, 1, 60, 100):
        for name, one in containers.items():
            shown = text(tuple_of(one * levels + b"a\7", b"a\4"), Limits(depth=depth, nodes=1 << 20))
            assert shown.endswith(",4}" if depth else "{...}"), (name, depth, shown[-20:])


@pytest.mark.parametrize("opening", [b"X", b"Y", b"Z\0\1", b"q", b"p" + bytes(29)])
def test_what_begins_with_another_of_its_kind(opening: bytes) -> None:
    assert "no packed term" in text(opening * 5000)


def everything(packed: bytes) -> list[tuple[bytes, int, int]]:
    """What is told of a packed term and those in it: tags, own bytes, and how many it has in it."""
    layout = load_table("15.2.7", "x86_64", "jit")
    assert layout is not None
    decoder = TermDecoder(BytesMemory({START: packed}), tag_scheme(27, 8), layout, Atoms())
    return [(one.tag, one.size, one.parts) for one in decoder.everything_packed(START, START + len(packed))]


def test_each_term_in_one() -> None:
    inner = tuple_of(b"a\1", b"k\0\2ab")
    one = tuple_of(atom(1), b"l\0\0\0\1" + inner + b"j", b"t\0\0\0\1" + atom(2) + b"m\0\0\0\1x")
    assert everything(one) == [
        (b"h", 2, 3), (b"I", 3, 0), (b"l", 5, 2), (b"h", 2, 2), (b"a", 2, 0), (b"k", 5, 0), (b"j", 1, 0),
        (b"t", 5, 2), (b"I", 3, 0), (b"m", 6, 0),
    ]  # fmt: skip
    # (The name of a fun is its own.)
    fun = b"p" + bytes(4) + b"\0" + bytes(20) + struct.pack(">I", 1) + atom(1) + b"a\0b\0\0\0\7"
    assert everything(fun + b"j" + b"a\5") == [(b"p", len(fun), 2), (b"j", 1, 0), (b"a", 2, 0)]


@pytest.mark.parametrize("packed", [b"", b"h\3a\1", b"?", b"l\xff\xff\xff\xffj", b"h\1" * 50])
def test_each_term_in_a_damaged_one(packed: bytes) -> None:
    with pytest.raises(Unreadable):
        everything(packed)


@pytest.mark.parametrize(
    ("value", "packed"),
    [
        (Atom(2, "two"), b"I\0\2"), (Atom(0x10203, None), b"K\1\2\3"), (Atom(0, None), b"I\0\0"), (0, b"a\0"),
        (255, b"a\xff"), (256, b"b\0\0\1\0"), (-1, b"b\xff\xff\xff\xff"), (1 << 40, b"n\6\0\0\0\0\0\0\1"),
        (-(1 << 32), b"n\5\1\0\0\0\0\1"), (1 << 31, b"n\4\0\0\0\0\x80"), (NIL, b"j"),
        (Pid(5, 6), b"Xj\0\0\0\5\0\0\0\6\0\0\0\0"), (Port(7), b"xj" + (7).to_bytes(8, "big") + bytes(4)),
    ],
)  # fmt: skip
def test_what_is_searched_for(value: Value, packed: bytes) -> None:
    assert any(one in packed for one in bytes_of(value))
