"""Packed terms that no node makes for us: damaged ones, and those of kinds that OTP 27 itself cannot read."""

from __future__ import annotations

import struct

import pytest

from beamgdb.memory import BytesMemory
from beamgdb.terms.decode import TermDecoder
from beamgdb.terms.source import Limits
from beamgdb.terms.text import Style, term_text
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
