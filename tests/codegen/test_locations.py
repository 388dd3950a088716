"""Stock GDB steps through native code, and what its debugging information says is true at each operation.

The truth is a model that runs the same bytecode (``bytecode_model``): it knows what each register holds.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from beamgdb.sandbox import Sandbox, debuggee
from jit.beam.module import Module, read_module
from jit.beam.terms import Atom
from jit.codegen.compile import compile_module
from jit.codegen.elf_file import elf_file
from jit.erts.layout import load
from tests.codegen.bytecode_model import NIL, UNKNOWN, Cons, Model, Step, operation_of
from tests.codegen.native_node import PATIENCE, RELEASES, compile_native, erlc
from tests.codegen.native_operations import Row, rows

FOLDER = Path(__file__).parent
ENTRY = "steps:run/0"
#: By which the walk ends.
LAST = "done"
#: Stops, if it does not come to its end.
MOST = 5_000
#: A C function that native code calls.
COLLECTOR = "erts_garbage_collect_nobump"
#: Operations for which there is no code.
NO_CODE = ("label", "line")
WALKS = [(25, ()), (27, ()), (27, ("--stress",))]


@dataclass(frozen=True)
class Stop:
    """What GDB has seen at a place, an offset in the module's code."""

    at: int
    frames: list[str]
    variables: dict[str, Any]


@dataclass(frozen=True)
class Walk:
    """``parts`` are names and ranges of all parts of the code."""

    stops: list[Stop]
    rows: list[Row]
    steps: list[Step]
    parts: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Module:
    return read_module(erlc(FOLDER / "steps.erl", tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module", params=WALKS, ids=str)
def walk(request: pytest.FixtureRequest, module: Module, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    return walk_through(module, *request.param, tmp_path_factory.mktemp("steps"))


def walk_through(module: Module, otp: int, options: tuple[str, ...], folder: Path) -> Walk:
    """Go through ``steps:run/0`` from its first instruction on."""
    native = compile_module(read_module(Path(module.file)), load(otp), stress=bool(options))
    compile_native([Path(module.file)], folder, otp, *options)
    elf = elf_file(native)
    found, parts = rows(elf), _parts(elf)
    offsets = {name: begin for name, begin, _ in parts}
    last = module.function(LAST, 1).entry
    plan = {
        "module": "steps:",
        "function": ENTRY,
        "offset": offsets[ENTRY],
        "operations": [row.begin for row in found if not row.cold and row.index >= 0],
        "once": [at for name, begin, end in parts if name.startswith("native::") for at in _code(elf, begin, end)],
        "calls": [COLLECTOR],
        "end": next(row.begin for row in found if row.function == last and row.index >= 0),
        "most": MOST,
    }
    answer = _gdb(otp, folder, plan)
    assert not answer["error"], answer["error"]
    steps = Model(module).run(module.function("run", 0))
    return Walk([Stop(**stop) for stop in answer["stops"]], found, steps, parts)


def _parts(elf: bytes) -> list[tuple[str, int, int]]:
    """Functions and fragments."""
    symbols = ELFFile(io.BytesIO(elf)).get_section_by_name(".symtab").iter_symbols()
    return [
        (one.name, one["st_value"], one["st_value"] + one["st_size"])
        for one in symbols
        if one["st_info"]["type"] == "STT_FUNC"
    ]


def _code(elf: bytes, begin: int, end: int) -> Iterator[int]:
    """The offsets of instructions: not those of literals, as the mapping symbols tell."""
    symbols = ELFFile(io.BytesIO(elf)).get_section_by_name(".symtab").iter_symbols()
    marks = sorted((one["st_value"], one.name) for one in symbols if one.name in ("$a", "$d"))
    for at in range(begin, end, 4):
        if max((mark for mark in marks if mark[0] <= at), default=(0, "$a"))[1] == "$a":
            yield at


def _gdb(otp: int, folder: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """What GDB has written down."""
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    files = {"STEPS_PLAN": str(folder / "plan.json"), "STEPS_ANSWER": str(folder / "answer.json")}
    arguments = ["-noinput", "-pa", str(folder), "-s", "native", "-eval", "steps:run()."]
    with debuggee(Sandbox("armhf", otp).ensure(), arguments, stdout=subprocess.DEVNULL) as target:
        command = ["gdb-multiarch", "-nx", "-q", "-batch", *target.gdb_arguments(folder)]
        ran = subprocess.run(
            [*command, "-x", str(FOLDER / "step_locations.py")],
            env={**os.environ, **files},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    if not (folder / "answer.json").exists():
        raise AssertionError(ran.stdout + ran.stderr)
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return answer
