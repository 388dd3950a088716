"""What is read of real files, compared with what Erlang/OTP's own beam_disasm and beam_lib read of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

from jit.beam.chunks import Chunk
from jit.beam.external import decode_term, encode_term
from jit.beam.module import Module, read_module
from jit.beam.operands import Location
from jit.beam.terms import Atom, List, Term, Tuple
from tests.beam.otp_forms import Form, of_otp, of_ours, tuple_of
from tests.beam.sound_files import ELIXIR_SAMPLE, SAMPLE, elixir_files, erlang_files, sample
from tests.harness.patience import PATIENCE

pytestmark = pytest.mark.skipif(not erlang_files(), reason="Erlang is not installed")

SCRIPT = Path(__file__).with_name("told_by_otp.escript")


@dataclass(frozen=True)
class Told:
    """A file as we read it, and what Erlang/OTP says of it."""

    ours: Module
    functions: Term
    atoms: Term
    imports: Term
    exports: Term
    literals: Term
    lines: Term


@pytest.fixture(scope="module")
def told() -> list[Told]:
    """What is told of the sample; one Erlang for all."""
    escript = shutil.which("escript")
    assert escript, "escript is part of Erlang"
    files = sample()
    done = subprocess.run([escript, SCRIPT, *files], stdout=subprocess.PIPE, timeout=4 * PATIENCE, check=True)
    answers = decode_term(Chunk("escript", "answer", done.stdout))
    assert isinstance(answers, List)
    pairs = []
    for path, answer in zip(files, answers.elements, strict=True):
        assert isinstance(answer, Tuple)
        module, *rest = answer.elements
        assert module == Atom(path.stem)
        pairs.append(Told(read_module(path), *rest))
    return pairs


def elements(term: Term) -> tuple[Term, ...]:
    assert isinstance(term, List | Tuple)
    return term.elements


def test_the_sample_is_there() -> None:
    assert {path.stem for path in sample()} >= {*SAMPLE, *([ELIXIR_SAMPLE] if elixir_files() else [])}


def without_beginning(forms: list[Form]) -> list[Form]:
    """From func_info on: beam_disasm may change places of the label and the line before it."""
    names = [name for name, _ in forms]
    info = names.index("func_info")
    assert sorted(names[:info]) in (["label", "line"], ["label"])
    return forms[info:]


def test_operations(told: list[Told]) -> None:
    seen: set[str] = set()
    for file in told:
        functions = elements(file.functions)
        assert [elements(function)[:3] for function in functions] == [
            (Atom(ours.name), ours.arity, ours.entry) for ours in file.ours.functions
        ]
        for function, ours in zip(functions, file.ours.functions):
            theirs = without_beginning([of_otp(instruction) for instruction in elements(elements(function)[3])])
            own = without_beginning([of_ours(operation, file.ours) for operation in ours.operations])
            for form, other in zip_longest(own, theirs):
                assert form == other, (file.ours.name, ours.name)
            seen.update(operation.name for operation in ours.operations)
    assert len(seen) > 80


def test_tables(told: list[Told]) -> None:
    for file in told:
        ours = file.ours
        assert elements(file.atoms) == tuple(map(Atom, ours.atoms))
        imports = [tuple_of(n, row.module, row.function, row.arity) for n, row in enumerate(ours.imports, 1)]
        assert elements(file.imports) == tuple(imports)
        exports = [tuple_of(row.function, row.arity, row.label) for row in ours.exports]
        assert sorted(map(encode_term, elements(file.exports))) == sorted(map(encode_term, exports))


def test_literals(told: list[Told]) -> None:
    """Erlang reads each literal and writes it again: the pairs of large maps may change places."""
    for file in told:
        ours = [literal.value for literal in file.ours.literals.literals]
        assert len(ours) == len(elements(file.literals))
        for value, theirs in zip(ours, elements(file.literals)):
            assert sorted(encode_term(value)) == sorted(encode_term(theirs)), file.ours.name


def function_lines(module: Module) -> Iterator[tuple[str, int, Location]]:
    """Each function with the location of its func_info."""
    for function in module.functions:
        info = next(operation for operation in function.operations if operation.name == "func_info")
        yield function.name, function.arity, info.location


def test_lines(told: list[Told]) -> None:
    """The line of a function's beginning is the one where the function stands in the source."""
    compared = 0
    for file in told:
        if file.lines == Atom("none"):
            continue
        lines = {elements(row)[:2]: elements(row)[2] for row in elements(file.lines)}
        for name, arity, location in function_lines(file.ours):
            if (line := lines.get((Atom(name), arity))) is not None and Path(location.file).stem == file.ours.name:
                assert location.line == line, (file.ours.name, name)
                compared += 1
    assert compared > 400
