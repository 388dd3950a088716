"""The analysis and the unwinder against Debian's stock, stripped Erlangs: what they say at every step of a running
process, and of the functions of a node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jit.sandbox.debuggee import debuggee
from jit.sandbox.sandbox import Sandbox
from tests.codegen.native_node import erlc_of
from tests.harness.patience import PATIENCE
from tests.harness.releases import EVERYTHING

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MODULES = "busy_frames, unicode_util, qlc, file_sorter, io_lib_pretty, gb_trees"
LOADED = f"lists:foreach(fun code:ensure_loaded/1, [{MODULES}])"
TIMEOUT = 4 * PATIENCE


@dataclass(frozen=True)
class Vm:
    """An Erlang with a JIT, and how it lays out frames.

    `steps`: how many instructions a test steps over. `every`: of how many functions it analyses one.
    """

    arch: str
    otp: int
    flags: tuple[str, ...] = ()
    steps: int = 4000
    every: int = 8

    @property
    def name(self) -> str:
        return f"{self.arch}-{self.otp}" + ("-frame-pointers" if self.flags else "")


VMS = (
    Vm("amd64", 25),
    Vm("amd64", 27),
    Vm("amd64", 27, ("+JPperf", "fp")),
    Vm("amd64", 29),
    Vm("arm64", 29, steps=2000, every=24),
    *((Vm("amd64", 25, ("+JPperf", "true")), Vm("arm64", 27, steps=2000, every=24)) if EVERYTHING else ()),
)


@pytest.fixture(scope="module", params=VMS, ids=lambda vm: vm.name)
def vm(request: pytest.FixtureRequest) -> Vm:
    """Each of them in turn."""
    chosen: Vm = request.param
    if shutil.which("gdb-multiarch") is None:
        pytest.skip("needs gdb-multiarch")
    return chosen


@pytest.fixture(scope="module")
def ebin(vm: Vm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the compiled busy_frames.erl."""
    folder = tmp_path_factory.mktemp("ebin")
    # By its own release: OTP 29 does not load operations on bit strings of older compilers, nor OTP 25 newer files.
    erlc_of(vm.otp, HERE / "busy_frames.erl", folder)
    return folder


@pytest.fixture(scope="module")
def outcomes(vm: Vm, ebin: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the scripts found in a node: `steps` of step_beam.py, `functions` of walk_functions.py."""
    folder = tmp_path_factory.mktemp("outcomes")
    results = {"steps": folder / "steps.json", "functions": folder / "functions.json"}
    variables = {
        "STEP_PATHS": f"{ROOT}:{sysconfig.get_path('purelib')}", "STEP_COUNT": str(vm.steps),
        "STEP_UNTIL": "enif_ioq_create", "STEP_START": "busy_frames:round/3", "STEP_RESULT": str(results["steps"]),
        "WALK_EVERY": str(vm.every), "WALK_RESULT": str(results["functions"]),
    }  # fmt: skip
    scripts = ["-x", str(HERE / "step_beam.py"), "-x", str(HERE / "walk_functions.py"), "-ex", "kill"]
    with started(vm, ebin, scripts) as (arguments, needed):
        run = subprocess.run(
            ["gdb-multiarch", "-nx", "-batch", *arguments], env=os.environ | needed | variables, cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT, text=True,
            errors="replace",
        )  # fmt: skip
    _remove_perf_maps()
    assert all(result.exists() for result in results.values()), run.stdout
    found = {name: json.loads(result.read_text()) for name, result in results.items()}
    for outcome in found.values():
        assert "failed" not in outcome, outcome["failed"] + run.stdout[-2000:]
    return found


@contextmanager
def started(vm: Vm, ebin: Path, scripts: list[str]) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Arguments of GDB for a node with one scheduler that has not begun to run, and the environment for the scripts."""
    sandbox = Sandbox(vm.arch, vm.otp).ensure()
    # What is opened is not looked at, but calls a C function that also an Erlang with hidden symbols exports.
    expression = f"{LOADED}, zlib:open(), busy_frames:start()."
    node = ["+S", "1:1", *vm.flags, "-noinput", "-pa", str(ebin), "-eval", expression]
    if not sandbox.native:
        with debuggee(sandbox, node, stdout=subprocess.DEVNULL) as waiting:
            yield [*waiting.gdb_arguments(), *scripts], {"STEP_GO": "continue", "STEP_BREAK": "tbreak"}
        return
    settings = sandbox.gdb_settings()
    # Only hardware breakpoints: the code is a shared mapping, into which a debugger cannot write.
    needed = {**sandbox.environment(), "STEP_GO": "run", "STEP_BREAK": "thbreak"}
    yield [*settings, *scripts, "--args", *sandbox.beam_command(node)], needed


def _remove_perf_maps() -> None:
    """Remove what nodes with `+JPperf` have left, as far as they are gone."""
    for file in Path("/tmp").glob("perf-*.map"):
        if not Path(f"/proc/{file.stem.removeprefix('perf-')}").exists():
            file.unlink(missing_ok=True)


def test_every_step_of_a_running_process(vm: Vm, outcomes: dict[str, dict[str, Any]]) -> None:
    outcome = outcomes["steps"]
    assert outcome["wrong"] == []
    count = outcome["count"]
    functions = count["compared in functions"]
    assert functions > vm.steps / 2, "the walk saw too little to mean anything"
    assert outcome["functions"] > 12, "the walk saw too little to mean anything"
    assert count.get("silent in functions", 0) <= functions / 100, outcome["silent"]
    assert count["callers"] > 50
    assert count["calls of C"] > 20
    assert count["places right"] > functions / 2


def test_functions_of_a_node(vm: Vm, outcomes: dict[str, dict[str, Any]]) -> None:
    outcome = outcomes["functions"]
    assert outcome["functions"] > 5000
    assert outcome["unfinished"] == []
    assert outcome["reached"] > 50_000 / vm.every
    assert outcome["known"] >= 0.999 * outcome["reached"], outcome["unknown"]
