"""Terms in the external format and as text, both ways and against a real Erlang."""

from __future__ import annotations

import base64
import math
import shutil
import struct
import subprocess
import zlib

import pytest
from hypothesis import given, settings

from jit.beam.chunks import Chunk
from jit.beam.errors import BeamError
from jit.beam.external import DEEPEST, decode_term, encode_term
from jit.beam.terms import NIL, Atom, Bitstring, List, Term, Tuple
from jit.beam.text import term_text
from tests.beam.term_strategies import terms
from tests.harness.patience import PATIENCE


def decode(data: bytes) -> Term:
    return decode_term(Chunk("file", "LitT", data))


@given(terms)
def test_terms_come_back(term: Term) -> None:
    data = encode_term(term)
    again = decode(data)
    assert again == term
    assert encode_term(again) == data  # 1 == 1.0 and 0.0 == -0.0, but not in bytes


@given(terms)
def test_cut_short(term: Term) -> None:
    data = encode_term(term)
    with pytest.raises(BeamError):
        decode(data[:-1])
    with pytest.raises(BeamError, match="1 bytes after the end"):
        decode(data + b"\0")


#: Lines of base64: a term in the external format, and our text of it. Told of each: whether Erlang has the same bytes
#: for the term that it reads, and whether our text says the same term.
CHECK = """
Parse = fun(Text) ->
    {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text) ++ "."),
    {ok, Term} = erl_parse:parse_term(Tokens), Term end,
F = fun(F) -> case io:get_line("") of
        eof -> ok;
        Line ->
            [Bytes, Text] = [base64:decode(Part) || Part <- string:lexemes(Line, " \\n")],
            Term = binary_to_term(Bytes),
            Same = term_to_binary(Term, [{minor_version, 2}, deterministic]) =:= Bytes,
            io:format("~w ~w~n", [Same, (catch Parse(Text)) =:= Term]),
            F(F)
    end end,
F(F), halt().
"""


def examples() -> list[Term]:
    found: list[Term] = []

    @settings(max_examples=400, database=None, derandomize=True)
    @given(terms)
    def collect(term: Term) -> None:
        found.append(term)

    collect()
    return found


@pytest.mark.skipif(not shutil.which("erl"), reason="Erlang is not installed")
def test_erlang_reads_them_and_their_text_alike() -> None:
    wanted = examples()
    assert len(wanted) > 300
    lines = [base64.b64encode(data) for term in wanted for data in (encode_term(term), term_text(term).encode())]
    request = b"".join(b"%s %s\n" % pair for pair in zip(lines[::2], lines[1::2]))
    done = subprocess.run(
        ["erl", "-noshell", "-eval", CHECK], input=request, stdout=subprocess.PIPE, timeout=2 * PATIENCE, check=True
    )
    answers = done.stdout.decode().splitlines()
    assert [(term, answer) for term, answer in zip(wanted, answers, strict=True) if answer != "true true"] == []


@pytest.mark.parametrize(
    ("data", "term"),
    [
        (b"s\2\xe4b", Atom("äb")),
        (b"d\0\2\xe4b", Atom("äb")),
        (b"v\0\2\xc3\xa4", Atom("ä")),
        (b"w\2\xc3\xa4", Atom("ä")),
        (b"c1.50000000000000000000e+00\0\0\0\0\0", 1.5),
        (b"k\0\2ab", List((97, 98))),
        (b"l\0\0\0\1a\1k\0\1b", List((1, 98))),
        (b"l\0\0\0\1a\1j", List((1,))),
        (b"o\0\0\0\3\1\0\0\1", -65536),
        (b"M\0\0\0\1\3\xff", Bitstring(b"\xe0", 3)),
        (b"M\0\0\0\0\0", Bitstring(b"", 0)),
        (b"i\0\0\0\0", Tuple(())),
    ],
)
def test_forms_that_are_not_written_today(data: bytes, term: Term) -> None:
    assert decode(b"\x83" + data) == term
    packed = b"\x83P" + len(data).to_bytes(4, "big") + zlib.compress(data)
    assert decode(packed) == term


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        (b"", 0, "1 more bytes of a term expected, 0 are left"),
        (b"\x82j", 0, "beginning with 131"),
        (b"\x83~", 1, "no term begins with the byte 126"),
        (b"\x83X" + bytes(20), 1, "a pid, which no .beam file can hold"),
        (b"\x83Z" + bytes(20), 1, "a reference, which no .beam file can hold"),
        (b"\x83p" + bytes(20), 1, "a local fun, which no .beam file can hold"),
        (b"\x83l\xff\xff\xff\xffj", 6, "4294967295 terms expected, 1 bytes are left"),
        (b"\x83m\0\0\0\5abc", 6, "5 more bytes of a term expected, 3 are left"),
        (b"\x83F\x7f\xf0" + bytes(6), 2, "a finite float expected"),
        (b"\x83c" + b"1_0.0e+1".ljust(31, b"\0"), 2, "a float as text expected"),
        (b"\x83w\2\xc3(", 3, "an atom in UTF-8 expected"),
        (b"\x83v\1\0" + b"x" * 256, 4, "an atom of 256 characters: 255 are the most"),
        (b"\x83qw\1aw\1bb\0\0\1\0", 8, "an arity of 0..255 expected, not 256"),
        (b"\x83qa\1w\1ba\1", 2, "a module's name expected"),
        (b"\x83M\0\0\0\1\x09a", 2, "9 bits in the last of 1 bytes"),
        (b"\x83P\0\0\0\2" + zlib.compress(b"j"), 2, "unfolds to 1 bytes, not 2"),
        (b"\x83P\0\0\0\1" + zlib.compress(bytes(1 << 20)), 2, "unfolds to more than 1 bytes"),
        (b"\x83P\xff\0\0\0" + zlib.compress(b"j"), 2, "said to unfold to 4278190080 bytes"),
        (b"\x83P\0\0\0\1" + zlib.compress(b"j")[:-1], 2, "cut short"),
    ],
)
def test_damage_is_told(data: bytes, offset: int, what: str) -> None:
    with pytest.raises(BeamError, match=what) as caught:
        decode(data)
    assert caught.value.offset == offset
    assert str(caught.value).startswith(f"file: chunk LitT, offset {offset:#x}")


def test_deep_terms() -> None:
    def nested(levels: int) -> bytes:
        return b"\x83" + b"h\1" * (levels - 1) + b"j"

    term = decode(nested(DEEPEST))
    assert term_text(term) == "{" * (DEEPEST - 1) + "[]" + "}" * (DEEPEST - 1)
    with pytest.raises(BeamError, match=f"deeper than {DEEPEST} levels"):
        decode(nested(DEEPEST + 1))
    with pytest.raises(BeamError, match=f"deeper than {DEEPEST} levels"):
        decode(nested(1_000_000))


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (Tuple((Atom("ok"), Atom("a b"), Atom("fun"), Atom(""))), "{ok,'a b','fun',''}"),
        (List((104, 105)), '"hi"'),
        (List((104, 0)), "[104,0]"),
        (List((1,), Atom("x")), "[1|x]"),
        (NIL, "[]"),
        (Bitstring(b"hi", 16), '<<"hi">>'),
        (Bitstring(b"\xff\xe0", 11), "<<255,7:3>>"),
        (1e22, "1.0e22"),
        (-0.0, "-0.0"),
    ],
)
def test_text(term: Term, text: str) -> None:
    assert term_text(term) == text


def test_text_of_integers_longer_than_python_writes() -> None:
    assert term_text(-1 << 20000) == "-16#1" + "0" * 5000


def test_floats_are_exact() -> None:
    smallest = struct.unpack(">d", bytes(7) + b"\1")[0]
    for number in (smallest, math.pi, 1e300):
        assert struct.pack(">d", float(term_text(number))) == struct.pack(">d", number)
