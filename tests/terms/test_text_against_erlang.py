"""The text of values must be, letter for letter, what a real `io_lib:format("~0tp")` writes."""

import base64
import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from beamgdb.terms.source import Limits
from beamgdb.terms.text import Style, term_text
from beamgdb.terms.values import Atom, Bitstring, ExternalFun, List, Map, Tuple, Value
from tests.harness.patience import PATIENCE
from tests.terms.external_format import external
from tests.terms.heap_encoder import Heap

pytestmark = pytest.mark.skipif(not shutil.which("erl"), reason="Erlang is not installed")

ALL = Limits(depth=100, width=10_000, bytes=100_000, nodes=1_000_000)
ATOMS = (
    "ok undefined and after maybe else Elixir.Foo foo@bar foo_1 a.b X _x 1 ß öäü Öä ÷a a÷ € 漢字 when xor fun cond let"
).split() + ["", " ", "a b", "it's", "back\\slash", "\n", "\x00", "\x1b[0m", "\x7f", "\x80", "\xa0", "ÿ", "😀"]
CHARACTERS = "abXYZ 0\"'\\\n\r\t\v\b\f\x1b\x7f\x00\x01\x80\x9f\xa0\xffÄ\u0100\ud7ff\ue000\ufffd\ufffe\uffff😀\U0010ffff"

#: Reads lines of base64 of the external format, writes lines of base64 of the text in UTF-8.
ECHO = """
F = fun(F) -> case io:get_line("") of
        eof -> ok;
        Line ->
            Term = binary_to_term(base64:decode(string:trim(Line))),
            Text = unicode:characters_to_binary(io_lib:format("~0tp", [Term])),
            io:put_chars([base64:encode(Text), $\\n]),
            F(F)
    end end,
io:format("~s~n", [erlang:system_info(otp_release)]), F(F), halt().
"""


def erlang_texts(values: list[Value], folder: Path, printable: str) -> tuple[int, list[str]]:
    """The node's release, and its text of each value. One node for all."""
    lines = b"".join(base64.b64encode(external(value)) + b"\n" for value in values)
    command = ["erl", "+pc", printable, "-noshell", "-eval", ECHO]
    done = subprocess.run(command, input=lines, stdout=subprocess.PIPE, timeout=2 * PATIENCE, check=True, cwd=folder)
    release, *texts = done.stdout.split()
    return int(release), [base64.b64decode(text).decode() for text in texts]


class Generator:
    """Random values whose text the node can be asked for: no local identifiers, map keys in the node's own order."""

    def __init__(self, seed: str, heap: Heap) -> None:
        self.rng = random.Random(seed)
        self.heap = heap

    def atom(self) -> Atom:
        rng = self.rng
        name = rng.choice(ATOMS) if rng.random() < 0.7 else self.characters()
        return self.heap.atoms.make(name)

    def characters(self) -> str:
        pool = CHARACTERS if self.rng.random() < 0.5 else "abc Äöü\n" + self.rng.choice(CHARACTERS)
        return "".join(self.rng.choices(pool, k=self.rng.randrange(8)))

    def float(self) -> float:
        rng = self.rng
        while True:
            choice = rng.randrange(4)
            if choice == 0:
                number = rng.choice((-1, 1)) * rng.randrange(1, 1000) * 10.0 ** rng.randrange(-25, 25)
            elif choice == 1:
                number = float(rng.randrange(1 << rng.randrange(1, 70)))
            elif choice == 2:
                number = round(rng.uniform(-1000, 1000), rng.randrange(6))
            else:
                number = struct.unpack("<d", rng.randbytes(8))[0]
            if number - number == 0:
                return number

    def binary(self) -> Bitstring:
        rng = self.rng
        choice = rng.randrange(3)
        if choice == 0:
            data = self.characters().encode()
        elif choice == 1:
            data = self.characters().encode("latin-1", "ignore")
        else:
            data = rng.randbytes(rng.randrange(9))
        drop = rng.randrange(8) if data and rng.random() < 0.3 else 0
        if drop:
            data = data[:-1] + bytes([data[-1] & 0xFF << drop & 0xFF])
        whole = ("heap", "refc", "writable")
        return Bitstring(data, 8 * len(data) - drop, "sub" if drop or rng.random() < 0.3 else rng.choice(whole))

    def leaf(self) -> Value:
        rng = self.rng
        choice = rng.randrange(7)
        if choice < 2:
            return rng.choice((0, 1, -1, 97, rng.getrandbits(rng.randrange(1, 300)), -rng.getrandbits(70)))
        if choice == 2:
            return self.float()
        if choice == 3:
            return self.atom()
        if choice == 4:
            return self.binary()
        if choice == 5:
            return List(tuple(map(ord, self.characters())))
        return ExternalFun(self.fun_name(), self.fun_name(), rng.randrange(256))

    def fun_name(self) -> Atom:
        """Of plain characters: for others `fun_to_list/1` gives bytes of UTF-8 and a raw DEL, where we give text."""
        while True:
            atom = self.atom()
            if atom.name is not None and atom.name.isascii() and "\x7f" not in atom.name:
                return atom

    def term(self, depth: int) -> Value:
        rng = self.rng
        if depth == 0 or rng.random() < 0.3:
            return self.leaf()
        elements = tuple(self.term(depth - 1) for _ in range(rng.randrange(5)))
        choice = rng.randrange(5)
        if choice == 0:
            return Tuple(elements)
        if choice < 3:
            tail = self.atom() if elements and rng.random() < 0.3 else None
            return List(elements, tail)
        if choice == 3 and elements:
            return Map(((elements[0], self.leaf()),), 1)
        return Map(tuple(enumerate(elements)), len(elements))


@pytest.mark.parametrize("printable", ["unicode", "latin1"])
def test_text_is_what_erlang_writes(printable: str, tmp_path: Path) -> None:
    heap = Heap(25)
    generator = Generator(f"text {printable}", heap)
    values: list[Value] = [heap.atoms.make(name) for name in ATOMS]
    values += [List((ord(character),)) for character in CHARACTERS]
    values += [generator.float() for _ in range(2000)]
    values += [digits * 10.0**power for digits in (1, 5, 12, 123456789, 9007199254740993) for power in range(-30, 30)]
    values += [2.0**power + step for power in (51, 52, 53, 54, 63) for step in (-1.0, 0.0, 1.0, 2.0)]
    values += [0.0, -0.0, 5e-324, 1.7976931348623157e308, 1 << 5000, -(10**700), 10**600, 10**600 - 1]
    values += [generator.term(rank % 5) for rank in range(3000)]
    release, texts = erlang_texts(values, tmp_path, printable)
    assert len(texts) == len(values)
    style = Style(release, printable == "unicode")
    for value, text in zip(values, texts, strict=True):
        assert term_text(value, style) == text
    decoded = [heap.decoded(heap.term(value), ALL) for value in values]
    assert [repr(value) for value in decoded] == [repr(value) for value in values]
