"""Stock GDB steps through native code, and what its debugging information says is true at each operation.

The truth is a model that runs the same bytecode (``bytecode_model``): it knows what each register holds.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Symbol, SymbolTableSection

from jit.beam.module import Module, read_module
from jit.beam.terms import Atom
from jit.codegen.compile import compile_module
from jit.erts.arm32.runtime import StockErts
from tests.codegen.bytecode_model import NIL, UNKNOWN, Cons, Model, Step, operation_of
from tests.codegen.native_node import compile_native, erlc, gdb_says
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


@pytest.fixture(scope="module", params=WALKS, ids=["25", "27", "27-stress"])
def walk(request: pytest.FixtureRequest, module: Module, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    otp, options = request.param
    return walk_through(module, otp, options, tmp_path_factory.mktemp("steps"))


def walk_through(module: Module, otp: int, options: tuple[str, ...], folder: Path) -> Walk:
    """Go through ``steps:run/0`` from its first instruction on."""
    native = compile_module(module, StockErts(otp), stress=bool(options))
    compile_native([Path(module.file)], folder, otp, *options)
    elf = StockErts(otp).elf_file(native)
    found, parts = rows(elf), _parts(elf)
    offsets = {name: begin for name, begin, _ in parts}
    last = module.function(LAST, 1).entry
    plan = {
        "module": "steps:",
        "function": ENTRY,
        "offset": offsets[ENTRY],
        "size": max(end for _, _, end in parts),
        "operations": list(_beginnings(found)),
        "once": [at for name, begin, end in parts if _is_closely_seen(name, options) for at in _code(elf, begin, end)],
        "called": COLLECTOR,
        "end": next(row.begin for row in found if row.function == last and row.index >= 0),
        "most": MOST,
    }
    answer = _gdb(otp, folder, plan)
    assert not answer["error"], answer["error"]
    steps = Model(module).run(module.function("run", 0))
    return Walk([Stop(**stop) for stop in answer["stops"]], found, steps, parts)


def _is_closely_seen(part: str, options: tuple[str, ...]) -> bool:
    """Whether to stop at each instruction of a part of the code: in fragments, and under stress in functions too."""
    return part.startswith("native::") or bool(options)


def _parts(elf: bytes) -> list[tuple[str, int, int]]:
    """Functions and fragments."""
    return [
        (one.name, one["st_value"], one["st_value"] + one["st_size"])
        for one in _symbols(elf)
        if one["st_info"]["type"] == "STT_FUNC"
    ]


def _symbols(elf: bytes) -> Iterator[Symbol]:
    table = ELFFile(io.BytesIO(elf)).get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    return table.iter_symbols()


def _code(elf: bytes, begin: int, end: int) -> Iterator[int]:
    """The offsets of instructions: not those of literals, as the mapping symbols tell."""
    marks = sorted((one["st_value"], one.name) for one in _symbols(elf) if one.name in ("$a", "$d"))
    for (start, kind), (stop, _) in zip(marks, [*marks[1:], (end, "")]):
        if kind == "$a":
            yield from range(max(begin, start), min(end, stop), 4)


def _gdb(otp: int, folder: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """What GDB has written down."""
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    files = {"STEPS_PLAN": str(folder / "plan.json"), "STEPS_ANSWER": str(folder / "answer.json")}
    script = str(FOLDER / "step_locations.py")
    said = gdb_says(otp, folder, "steps:run(), halt().", "-x", script, environment={**os.environ, **files})
    assert (folder / "answer.json").exists(), said
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return answer


def _beginnings(found: list[Row]) -> dict[int, Row]:
    """Where operations begin."""
    return {row.begin: row for row in found if not row.cold and row.index >= 0}


def at_operations(walk: Walk) -> list[tuple[Row, Stop]]:
    """Stops where an operation begins."""
    begins = _beginnings(walk.rows)
    return [(begins[stop.at], stop) for stop in walk.stops if stop.at in begins]


def model_steps(walk: Walk) -> list[Step]:
    """The model's steps up to the end, of operations that have code."""
    last = next(at for at, step in enumerate(walk.steps) if step.function.name == LAST)
    have_code = {(row.function, row.index) for row in walk.rows}
    steps = walk.steps[: last + 2]  # the label, and the operation behind it
    return [step for step in steps if (step.function.entry, step.index) in have_code]


def test_it_goes_as_the_model(walk: Walk) -> None:
    went = [(row.function, row.index) for row, _ in at_operations(walk)]
    assert went == [(step.function.entry, step.index) for step in model_steps(walk)]
    assert len(went) > 600
    assert {operation_of(step).name for step in walk.steps if step not in model_steps(walk)} <= set(NO_CODE)


def test_variables_tell_the_truth(walk: Walk) -> None:
    check_variables(walk, model_steps(walk))


def test_a_lie_is_found(walk: Walk) -> None:
    """The same, held against steps that are late by one operation."""
    steps = model_steps(walk)
    with pytest.raises(AssertionError, match="shown"):
        check_variables(walk, [steps[0], *steps[:-1]])


def check_variables(walk: Walk, steps: Sequence[Step]) -> None:
    """What is shown has the value that the model's register has; what is read later on is shown."""
    atoms: dict[int, str] = {}
    for (row, stop), step in zip(at_operations(walk), steps, strict=True):
        where = f"{step.function.name}/{step.function.arity}, operation {row.index} {operation_of(step)}"
        values = registers(step)
        wanted = {f"x{number}" for number in step.wanted} | {f"y{number}" for number in step.y}
        told = {name: value for name, value in stop.variables.items() if name[0] in "xy" and value is not None}
        assert wanted <= told.keys(), f"{where}: {sorted(wanted - told.keys())} are not shown"
        for name, value in told.items():
            assert name in values, f"{where}: {name} has no value, but {value} is shown"
            assert same(value, values[name], atoms), f"{where}: {name} is {values[name]}, but {value} is shown"
        check_arguments(where, stop, step, atoms)


def check_arguments(where: str, stop: Stop, step: Step, atoms: dict[int, str]) -> None:
    """They are shown at the beginning, and wherever they are shown, it is true."""
    names = [f"arg{number + 1}" for number in range(step.function.arity)]
    told = {name: value for name, value in stop.variables.items() if name.startswith("arg")}
    assert sorted(told) == names, where
    at_entry = step.function.operations[step.index - 1].operands[:1] == (step.function.entry,)
    for name, truth in zip(names, step.arguments):
        assert told[name] is not None or not at_entry, f"{where}: {name} is not shown"
        assert told[name] is None or same(told[name], truth, atoms), f"{where}: {name} is {truth}, not {told[name]}"


def same(told: Any, truth: Any, atoms: dict[int, str]) -> bool:
    """Whether a term as ``step_locations`` tells it is one of the model's."""
    if truth == UNKNOWN:
        return True
    if isinstance(truth, Atom):
        return isinstance(told, dict) and "atom" in told and atoms.setdefault(told["atom"], truth.name) == truth.name
    if isinstance(truth, tuple):
        return isinstance(told, dict) and all(
            same(one, other, atoms) for one, other in zip(told.get("tuple", ()), truth, strict=True)
        )
    if isinstance(truth, Cons):
        return (
            isinstance(told, dict)
            and "head" in told
            and same(told["head"], truth.head, atoms)
            and same(told["tail"], truth.tail, atoms)
        )
    return bool(told == ([] if truth == NIL else truth))


def test_variables_within_operations(walk: Walk) -> None:
    """What is shown is the value before the operation or after it; arguments are what they were given as."""
    atoms: dict[int, str] = {}
    steps, begins = model_steps(walk), _beginnings(walk.rows)
    at = -1
    for stop in walk.stops:
        at += stop.at in begins
        step, after = steps[at], steps[at + 1] if at + 1 < len(steps) else steps[at]
        function = stop.frames[-2] if len(stop.frames) > 1 else ""
        if not stop.variables or function != f"steps:{step.function.name}/{step.function.arity}":
            continue
        values = [registers(step)] + ([registers(after)] if after.function is step.function else [])
        for name, told in stop.variables.items():
            if told is not None and name[0] in "xy":
                truths = [row[name] for row in values if name in row]
                where = f"{name} of {function} at {stop.at:#x}: {told}"
                assert any(same(told, truth, atoms) for truth in truths), where
        for number, truth in enumerate(step.arguments, 1):
            told = stop.variables[f"arg{number}"]
            assert told is None or same(told, truth, atoms), f"arg{number} of {function} at {stop.at:#x}: {told}"


def registers(step: Step) -> dict[str, Any]:
    """The values before a step, by the names of variables."""
    return {f"x{number}": value for number, value in step.x.items()} | {
        f"y{number}": value for number, value in step.y.items()
    }


def test_frames(walk: Walk) -> None:
    """Each place is named, and from each it is known how process_main goes on."""
    assert {stop.frames[-1] for stop in walk.stops} == {"process_main"}
    assert {"native::enter", "native::leave", "native::ways_in"} <= {stop.frames[0] for stop in walk.stops}
    for stop in walk.stops:
        place = next((name for name, begin, end in walk.parts if begin <= stop.at < end), COLLECTOR)
        frames = stop.frames[:-1]
        assert frames.pop(0) == place
        if place == COLLECTOR:
            assert frames.pop(0) == "native::collect_garbage"
        callers = [name for name in frames if not name.startswith("native::")]
        assert callers == frames[len(frames) - len(callers) :], stop
        assert len(callers) <= 1, stop
        assert all(name.startswith("steps:") for name in callers), stop


def test_the_collector(walk: Walk) -> None:
    """Called from native code, it shows who has called it, and the y registers there; under stress it is often."""
    calls = [stop for stop in walk.stops if stop.frames[0] == COLLECTOR and len(stop.frames) > 3]
    assert {stop.frames[1] for stop in calls} <= {"native::collect_garbage"}
    if len(walk.stops) > 2 * len(model_steps(walk)):
        assert len(calls) > 50
        assert any(value is not None for stop in calls for name, value in stop.variables.items() if name[0] == "y")


def test_the_machine(walk: Walk) -> None:
    """The process and the scheduler's registers are the same everywhere; the stack is above the heap."""
    stops = [stop for _, stop in at_operations(walk)]
    assert len({stop.variables["c_p"] for stop in stops}) == 1
    assert len({stop.variables["registers"] for stop in stops}) == 1
    assert all(stop.variables["HTOP"] < stop.variables["E"] for stop in stops)
    assert all(stop.variables["FCALLS"] < 4001 for stop in stops)
