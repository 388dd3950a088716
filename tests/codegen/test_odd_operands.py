"""Operands that no compiler makes, or hardly any, leave one function interpreted: no file is refused for them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from jit.beam.errors import BeamError
from jit.beam.module import decode_module, encode_module, read_module
from jit.beam.operands import BeamLabel, FloatRegister, Integer, Operand, Simple, X, Y
from jit.beam.operations import Operation
from jit.beam.terms import NIL, Atom
from jit.codegen.compile import compile_module, lacking
from jit.erts.arm32.runtime import StockErts
from jit.erts.layout import RELEASES
from tests.codegen.native_node import erlc_of, native_says, python_jit

OTP = 27
SOURCE = Path(__file__).with_name("odd.erl")
NUMBERS = (0, 1, -1, 255, 1024, 4096, 1 << 16, 1 << 27, 1 << 31, 1 << 32, 1 << 63, 1 << 64, 1 << 70)
#: Marks, and what the module needs to be one.
LEFT = ("label", "func_info", "line", "int_code_end")
FILES = 12
#: Of each function, until it has an operand that a file can have.
TRIES = 8


@pytest.fixture(scope="module")
def beam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return erlc_of(OTP, SOURCE, tmp_path_factory.mktemp("odd"))


def test_a_field_longer_than_memory(beam: Path, tmp_path: Path) -> None:
    """It is not in the way of others, which run natively."""
    ran = python_jit("compile", "-v", str(beam), "-o", str(tmp_path / "out"))
    assert (ran.returncode, ran.stderr) == (0, "")
    (why,) = (line for line in ran.stdout.splitlines() if line.startswith("    "))
    assert why == "    huge/1: a field longer than memory"
    counted = python_jit("coverage", str(beam)).stdout
    assert "a field longer than memory" in counted
    ask = 'io:format("~w", [[odd:huge(<<1, 16#123456789abcdef0:64>>), odd:huge(<<>>), odd:chosen(2)]]), halt().'
    assert native_says(OTP, beam, tmp_path / "native", ask) == "[1,false,two]"


@pytest.mark.parametrize("otp", RELEASES)
def test_control_runs_into_the_next_function(otp: int, tmp_path: Path) -> None:
    """As the interpreter has it: natively something else stands behind a function's code."""
    beam = erlc_of(otp, SOURCE.with_name("runs_on.S"), tmp_path)
    ran = python_jit("compile", "--otp", str(otp), "-v", str(beam), "-o", str(tmp_path / "out"))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "    f/1: control runs on behind its end\n" in ran.stdout
    told = "[try runs_on:f(X) catch _:_:Trace -> {element(2, hd(Trace)), element(3, hd(Trace))} end || X <- [a, 1]]"
    ask = f'io:format("~w", [[runs_on:g(2) | {told}]]), halt().'
    assert native_says(otp, beam, tmp_path / "native", ask) == "[2,{g,[7]},{f,[1]}]"


@pytest.mark.parametrize("options", [(), ("--stress",)], ids=["plain", "stress"])
def test_values_that_only_the_collector_looks_at(otp: int, tmp_path: Path, options: tuple[str, ...]) -> None:
    """They are in memory before it does. The third of them may be a bignum, whose sums are made by the VM."""
    beam = erlc_of(otp, SOURCE.with_name("roots.S"), tmp_path)
    calls = "roots:f(a, {b}, C, D) || C <- [1, 1 bsl 40], D <- [2, (1 bsl 27) - 1, 1 bsl 70]"
    ask = f'io:format("~w", [[{calls}]]), halt().'
    big = 1 << 70
    answers = ",".join(f"{{{{b}},{third}}}" for third in (2, (1 << 27) - 1, big, 2, (1 << 27) - 1, big))
    assert native_says(otp, beam, tmp_path / "native", ask, *options) == f"[{answers}]"


def test_flags_in_a_register(tmp_path: Path) -> None:
    """The VM loads it."""
    source = tmp_path / "flags.erl"
    source.write_text("-module(flags).\n-export([f/1, g/1]).\nf(X) -> <<X:16>>.\ng(X) -> X.\n")
    module = read_module(erlc_of(OTP, source, tmp_path))
    operations = module.functions[0].operations
    at = next(at for at, one in enumerate(operations) if one.name == "bs_create_bin")
    *others, segment = operations[at].operands
    assert isinstance(segment, tuple)
    operations[at] = replace(operations[at], operands=(*others, (*segment[:3], X(0), *segment[4:])))
    native = compile_module(decode_module(encode_module(module), "flags"), StockErts(OTP))
    assert native.interpreted["f", 1] == "flags X(number=0)"
    assert ("g", 1) not in native.interpreted


def odd(rng: random.Random) -> Simple:
    number = rng.choice(NUMBERS)
    register = abs(number) % 100_000
    kinds: tuple[Simple, ...] = (
        number, Integer(number), X(register), Y(register), FloatRegister(register), BeamLabel(register % 40),
        Atom("true"), NIL,
    )  # fmt: skip
    return rng.choice(kinds)


def mutated(rng: random.Random, one: Operation) -> Operation:
    """The operation with another operand in place of one."""
    operands = list(one.operands)
    place = rng.randrange(len(operands))
    operand: Operand = operands[place]
    if isinstance(operand, tuple) and operand:
        inner = rng.randrange(len(operand))
        other = rng.choice(NUMBERS) if isinstance(operand[inner], int) else odd(rng)
        operands[place] = (*operand[:inner], other, *operand[inner + 1 :])
    else:
        operands[place] = rng.choice(NUMBERS) if isinstance(operand, int) and rng.random() < 0.8 else odd(rng)
    return replace(one, operands=tuple(operands))


@pytest.mark.parametrize("seed", range(FILES))
def test_anything_for_an_operand(beam: Path, seed: int) -> None:
    """A file that can be read can be compiled, and what is written is whole: it can be read again."""
    rng, module, changed = random.Random(seed), read_module(beam), 0
    for function in module.functions:
        places = [at for at, one in enumerate(function.operations) if one.operands and one.name not in LEFT]
        if not places:
            continue
        for _ in range(TRIES):
            at = rng.choice(places)
            before = function.operations[at]
            function.operations[at] = mutated(rng, before)
            try:
                decode_module(encode_module(module), "odd")
                changed += 1
                break
            except (BeamError, ValueError):  # no file has that
                function.operations[at] = before
    assert changed > len(module.functions) // 2
    module = decode_module(encode_module(module), "odd")
    runtime = StockErts(OTP)
    native = compile_module(module, runtime)
    assert all("\n" not in why and len(why) < 300 for why in native.interpreted.values())
    for function in module.functions:
        if (function.name, function.arity) in native.interpreted:
            assert native.interpreted[function.name, function.arity] in lacking(function, module, runtime)
    if native.functions:
        decode_module(StockErts(OTP).beam_file(native), "rewritten")
