"""The code generator with another processor and another runtime: it knows none but by their interfaces."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pytest

from jit.beam.module import read_module
from jit.codegen.compile import compile_module, lacking
from jit.codegen.native import Native
from tests.codegen.another_runtime import AnotherRuntime, Emission, run
from tests.codegen.native_node import erlc

SOURCE = """
-module(moves).
-export([second/2, swapped/3, constant/0, tuple/1]).
second(_, Y) -> Y.
swapped(X, Y, Z) -> three(Z, Y, X).
three(X, Y, Z) -> last(Y, Z, X, 1000).
last(_, _, _, N) -> N.
constant() -> 7.
tuple(X) -> {X}.
"""


@pytest.fixture(scope="module")
def beam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("moves") / "moves.erl"
    source.write_text(SOURCE, encoding="utf-8")
    return erlc(source, source.parent, "+no_copt", "+no_ssa_opt", "+{inline_size,0}")


@pytest.fixture(scope="module")
def native(beam: Path) -> Native[Emission]:
    return compile_module(read_module(beam), AnotherRuntime())


def test_what_has_no_emitter_is_told(beam: Path, native: Native[Emission]) -> None:
    assert {one.function.name for one in native.functions} == {"second", "swapped", "three", "last", "constant"}
    assert native.interpreted["tuple", 1] == "test_heap"
    assert native.interpreted["module_info", 0] == "operand Atom(name='moves')"
    assert native.broken == frozenset()
    module = read_module(beam)
    assert lacking(module.function("tuple", 1), module, AnotherRuntime()) == ["test_heap", "put_tuple2"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="code for x86-64")
def test_it_runs(native: Native[Emission]) -> None:
    assert run(native, "second", 1, 2)[0] == 2
    assert run(native, "constant")[0] == 7
    assert run(native, "swapped", 1, 2, 3)[0] == 1000


def test_a_debugger_reads_what_describes_it(native: Native[Emission], tmp_path: Path) -> None:
    path = tmp_path / "moves.elf"
    path.write_bytes(AnotherRuntime().elf_file(native))
    ran = subprocess.run(["llvm-dwarfdump", "--verify", path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    frames = subprocess.run(["readelf", "--debug-dump=frames-interp", path], capture_output=True, text=True, check=True)
    rows = re.findall(r"rsp\+(\d+) +(\S+) +(\S+) +c-8", frames.stdout)
    pushed = [("8", "u", "u"), ("16", "c-16", "u"), ("24", "c-16", "c-24"), ("16", "c-16", "s")]
    assert rows[:4] == pushed
    assert len(native.functions) * len(pushed) <= len(rows)
