"""What GDB makes of symbol files for each machine: stock `add-symbol-file`, no process."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from beamgdb.beamasm.registers import BEAMASM_REGISTERS
from beamgdb.code import symbol_file
from beamgdb.code.module import Module, Range
from tests.harness.patience import PATIENCE

pytestmark = pytest.mark.skipif(shutil.which("gdb-multiarch") is None, reason="no gdb-multiarch")

BASE = 0x4000_0000
FUNCTION = Range(BASE + 64, BASE + 128, "crash:inner/2", ((BASE + 64, "crash.erl", 7), (BASE + 80, "crash.erl", 9)))
PLACES = {
    ("x86_64", "jit"): {"x0": "breg3 0 [$rbx]", "x7": "breg3 56 [$rbx]"},
    ("aarch64", "jit"): {"x0": "in $x25", "x3": "in $x28", "x4": "[$x15]", "x5": "[$x16]", "x7": "breg19 120 [$x19]"},
    ("arm32", "jit"): {"x0": "breg4 64 [$r4]", "x7": "breg4 92 [$r4]"},
}
"""Where GDB says that x registers are, by machine."""


@pytest.fixture(params=PLACES, ids=lambda param: param[0])
def machine(request: pytest.FixtureRequest) -> tuple[str, str]:
    key: tuple[str, str] = request.param
    return key


def gdb(path: Path, *commands: str) -> str:
    """What GDB says to `commands`, with a symbol file."""
    words = [word for command in (f"add-symbol-file {path}", *commands) for word in ("-ex", command)]
    run = subprocess.run(
        ["gdb-multiarch", "-nx", "-batch", "-iex", "set confirm off", "-iex", "set width 0", *words],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture
def path(machine: tuple[str, str], tmp_path: Path) -> Path:
    """A symbol file of one module, with one function."""
    module = Module("crash", BASE, 256, (FUNCTION,))
    path = tmp_path / "erlang.elf"
    path.write_bytes(symbol_file.write([module], BEAMASM_REGISTERS[machine], lambda _, file: ("/src", file)))
    return path


def test_x_registers(machine: tuple[str, str], path: Path) -> None:
    scope = gdb(path, f"info scope *{BASE + 64:#x}")
    found = dict(text.split(" is a ", 1) for text in scope.split("Symbol ")[1:])
    own = range(0 if BEAMASM_REGISTERS[machine].y_dwarf is None else symbol_file.Y_VARIABLES)
    assert list(found) == [f"y{number}" for number in own] + [f"x{n}" for n in range(symbol_file.X_VARIABLES)]
    assert all(f"length {BEAMASM_REGISTERS[machine].target.address_size}." in text for text in found.values())
    for name, place in PLACES[machine].items():
        assert place in found[name]


def test_functions_and_lines(path: Path) -> None:
    said = gdb(path, f"info symbol {BASE + 82:#x}", f"info line *{BASE + 82:#x}", "info line -function crash:inner/2")
    assert "crash:inner/2 + 18 in section .text.crash" in said
    assert f'Line 9 of "crash.erl" starts at address {BASE + 80:#x}' in said
    assert f'Line 7 of "crash.erl" starts at address {BASE + 64:#x}' in said
