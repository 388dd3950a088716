"""The text of values in Elixir's syntax must be, letter for letter, what a real `inspect/2` writes."""

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given

from beamgdb.terms import elixir_quoting
from beamgdb.terms.elixir_quoting import function, is_alias, spellings, symbol
from beamgdb.terms.elixir_text import elixir_text
from beamgdb.terms.quoting import runtime_atom
from beamgdb.terms.values import (
    ELIDED,
    ELIDED_STRING,
    Atom,
    Bitstring,
    ContinuationPointer,
    ExternalFun,
    Fun,
    List,
    Map,
    MatchContext,
    Moved,
    NodeOfTerm,
    Pid,
    Port,
    Reference,
    Tuple,
    Value,
)
from tests.harness.patience import PATIENCE
from tests.terms.external_format import external
from tests.terms.heap_encoder import Heap
from tests.terms.test_quoting import NAMES
from tests.terms.test_text_against_erlang import ATOMS, CHARACTERS, Generator

#: Atoms of each class that `Macro.inspect_atom/3` knows.
MORE_ATOMS = (
    "nil true false Elixir Elixir.A Elixir.ShopWeb.Cart_1 Elixir.Elixir Elixir.Elixir.A Elixir. Elixir.a Elixir.A. "
    "Elixir.A.b Elixira foo? foo! foo?! a@b @a a@ É é? ab@é + - ! ^ & && &&& | || ||| == === =~ <- -> => \\\\ :: . .. "
    "... ..// // / ^^^ ~~~ <~> <|> <<>> {} %{} % %a in not and fn do end when #{ a#{b} "
    "ª ﬀ µ μ Ⅷ 𝐱 ſ ŀ я aя я1 aα αя αя? a٣ ا٣ ٣ 日本 日あア aア한 日한 日ㄅ a_яb a@я aя_b "
    "ー アー 々 日々 l·l a\u0301 א क्ष"
).split() + ["not in", "\a", "\v\f\b", "a'b", 'a"b', "\ufeff", "\ufffe"]

#: Names in several scripts that only older versions of Elixir write without quotes, and those that only newer ones do.
UNQUOTED_UNTIL_1_14 = ("日本語a", "aあ", "a日あア", "a한")
UNQUOTED_SINCE_1_15 = ("a_я", "я_a", "a_я_b", "a__я", "_a_я", "a1_я1", "日_я")

#: Reads lines of base64 of the external format, writes lines of base64 of the text. Elixir 1.14 has another syntax for
#: charlists, so theirs is that of a string here.
ECHO = r"""
text = fn
  list, opts when is_list(list) and list != [] ->
    if List.ascii_printable?(list),
      do: "~c" <> Inspect.inspect(List.to_string(list), opts),
      else: Inspect.inspect(list, opts)
  term, opts -> Inspect.inspect(term, opts)
end
options = [structs: false, limit: :infinity, printable_limit: :infinity, width: :infinity, inspect_fun: text]
for line <- IO.stream(:stdio, :line) do
  term = line |> String.trim() |> Base.decode64!() |> :erlang.binary_to_term()
  IO.puts(Base.encode64(inspect(term, options)))
end
"""


class Ours(Generator):
    def fun_name(self) -> Atom:
        """`undefined` in a fun is nil to `Function.info/1`."""
        return next(atom for atom in iter(super().fun_name, None) if atom.name != "undefined")


@pytest.mark.skipif(not shutil.which("elixir"), reason="Elixir is not installed")
def test_text_is_what_elixir_writes(tmp_path: Path) -> None:
    heap = Heap(25)
    generator = Ours("elixir", heap)
    make = heap.atoms.make
    values: list[Value] = [make(name) for name in (*ATOMS, *MORE_ATOMS, *UNQUOTED_UNTIL_1_14, *UNQUOTED_SINCE_1_15)]
    values += [List((Tuple((atom, 1)),)) for atom in values]
    values += [Map(((atom, 1),), 1) for atom in values if isinstance(atom, Atom)]
    values += [ExternalFun(atom, atom, 2) for atom in values if isinstance(atom, Atom) and atom.name != "undefined"]
    values += [List((ord(character), 97)) for character in (*CHARACTERS, "\a")]
    texts = [character.encode("utf-8", "surrogatepass") for character in (*CHARACTERS, "\a", "\xa0", "#{a}", "#")]
    values += [Bitstring(text, 8 * len(text), "heap") for text in texts]
    values += [generator.float() for _ in range(500)]
    values += [digits * 10.0**power for digits in (1, 5, 12, 123456789, 9007199254740993) for power in range(-30, 30)]
    values += [0.0, -0.0, -3.0, 1e16, 1e15, 9999999999999998.0, 0.5, 1 << 5000, -(10**700)]
    values += [Tuple((make("a"), value)) for value in (make("nil"), 1, List(()))]
    values += [generator.term(rank % 5) for rank in range(1000)]
    lines = b"".join(base64.b64encode(external(value)) + b"\n" for value in values)
    script = tmp_path / "echo.exs"
    script.write_text(ECHO)
    command = ["elixir", "--erl", "+fnu", str(script)]
    done = subprocess.run(command, input=lines, stdout=subprocess.PIPE, timeout=2 * PATIENCE, check=True, cwd=tmp_path)
    # Elixir 1.14 leaves a blank that is none.
    written = [base64.b64decode(text).decode().replace("\xa0", "\\u00A0") for text in done.stdout.split()]
    assert len(written) == len(values)
    unquoted = UNQUOTED_SINCE_1_15 if elixir_version(tmp_path) >= (1, 15) else UNQUOTED_UNTIL_1_14
    assert all(f":{name}" in written for name in unquoted)
    names = re.compile(rf"(?<![\w\"])({'|'.join(unquoted)})(?![\w\"])")
    assert [
        (ours, theirs)
        for ours, theirs in zip(map(elixir_text, values), written, strict=True)
        if ours != names.sub(r'"\1"', theirs)
    ] == []


def elixir_version(folder: Path) -> tuple[int, ...]:
    """Of the installed one: its first two numbers."""
    command = ["elixir", "-e", "IO.write(System.version())"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True, cwd=folder)
    return tuple(map(int, said.stdout.split(".")[:2]))


A, B = Atom(1, "a"), Atom(2, "b")
DATE = Atom(3, "Elixir.Date")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Pid(96, 0), "#PID<0.96.0>"),
        (Pid(96, 1, NodeOfTerm(Atom(700, "n@h"), 2)), "#PID<700.96.1>"),
        (Port(4), "#Port<0.4>"),
        (Reference((1, 2, 3)), "#Reference<0.3.2.1>"),
        (Fun(DATE, 1, 44387288, 2, 0), "#Function<1.44387288/2 in Date>"),
        (Fun(DATE, 1, 4, 2, 0, "-day of/3-fun-0-"), '#Function<1.4/2 in Date."day of"/3>'),
        (Fun(DATE, 1, 4, 2, 0, "day"), "#Function<1.4/2 in Date.day>"),
        (Atom(9, None), "<atom 9>"),
        (List((Tuple((A, 1)), Tuple((B, List((1,), 2))))), "[a: 1, b: [1 | 2]]"),
        (List((Tuple((A, 1)),), ELIDED), "[a: 1, ...]"),
        (List((1, 2), ELIDED), "[1, 2, ...]"),
        (List((97, 98), ELIDED_STRING), '~c"ab" ++ ...'),
        (List((233, 98), ELIDED_STRING), "[233, 98, ...]"),
        (List((), ELIDED), "[...]"),
        (Tuple((), ELIDED), "{...}"),
        (Bitstring(b"ab\xc3", 64, "heap"), '"ab" <> ...'),
        (Bitstring(b"ab\xff", 64, "heap"), "<<97, 98, 255, ...>>"),
        (Map(((Atom(4, "__struct__"), DATE), (A, 1)), 2), "%Date{a: 1}"),
        (Map(((Atom(4, "__struct__"), DATE), (Atom(5, "__exception__"), Atom(6, "true")), (A, 1)), 3), "%Date{a: 1}"),
        (Map(((Atom(4, "__struct__"), DATE), (A, 1)), 9, ELIDED), "%Date{a: 1, ...}"),
        (Map(((Atom(4, "__struct__"), A), (A, 1)), 2), "%{__struct__: :a, a: 1}"),
        (Map(((Atom(4, "__struct__"), DATE), (1, 1)), 2), "%{:__struct__ => Date, 1 => 1}"),
        (Map(((Atom(7, None), 1),), 1), "%{<atom 7> => 1}"),
        (MatchContext(Bitstring(b"\xa0", 3, "sub"), 5), "<match context at bit 5: <<5::size(3)>>>"),
        (Moved(16, 32), "<moved 0x20>"),
        (ContinuationPointer(16, "'Elixir.A':'f!'/1+8"), "<cp A.f!/1+8>"),
    ],
    ids=str,
)
def test_what_a_file_cannot_hold(value: Value, text: str) -> None:
    """Terms of a node, structs, which `inspect/2` leaves to the module's own code, and what is cut off or no term."""
    assert elixir_text(value) == text


@given(NAMES, NAMES)
def test_functions_come_back(module: str, name: str) -> None:
    written = f"{runtime_atom('Elixir.A')}:{runtime_atom(name)}/1"
    shown = function(written)
    assert shown.startswith("A.")
    assert symbol("A", shown[2:].removesuffix("/1")) == tuple(map(runtime_atom, ("Elixir.A", name)))
    of_erlang = f"{runtime_atom(module)}:{runtime_atom(name)}/1"
    assert is_alias(module) or function(of_erlang) == of_erlang


def test_spellings() -> None:
    assert list(spellings("'Elixir.A.B':'f!'/1")) == ["A.B.f!/1", "Elixir.A.B:f!/1"]
    assert list(spellings("'Elixir.A':'a b'/1")) == ['A."a b"/1', "Elixir.A:'a b'/1"]
    assert list(spellings("lists:map/2")) == [":lists.map/2"]
    assert list(spellings("global::call")) == []


@pytest.mark.parametrize("text", [*"\0\x1b\x7f\x9b\u061c\u200b\u200e\u2028\u202e\u2067\ufeff\U000e0041\udc80"])
def test_nothing_commands_a_terminal(text: str) -> None:
    for written in (elixir_quoting.quoted(text), elixir_quoting.atom(text), elixir_quoting.called(text)):
        assert written.isascii()
        assert written.isprintable()
    assert "\x1b" not in function("'Elixir.A':'\\e[0m'/1")
