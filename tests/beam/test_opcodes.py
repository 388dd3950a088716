"""The table of operations, against the installed compiler and as tools/genop makes it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jit.beam.opcodes import NAMED, OPCODES, Role
from jit.beam.shapes import SHAPES
from tests.harness.patience import PATIENCE

GENOP = Path(__file__).resolve().parents[2] / "tools" / "genop"

#: Names and arities by number, as the compiler knows them; and what the loader of the VM must be able to take.
ASK = """
Known = [{N, beam_opcodes:opname(N)} || N <- lists:seq(1, 255), element(1, catch beam_opcodes:opname(N)) =/= 'EXIT'],
[io:format("~w ~s ~w~n", [N, Name, Arity]) || {N, {Name, Arity}} <- Known], halt().
"""


@pytest.mark.skipif(not shutil.which("erl"), reason="Erlang is not installed")
def test_as_the_compiler_knows_them() -> None:
    command = ["erl", "-noinput", "-eval", ASK]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True, text=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert len(rows) > 170
    known = {number: (opcode.name, opcode.arity) for number, opcode in OPCODES.items()}
    assert {int(number): (name, int(arity)) for number, name, arity in rows}.items() <= known.items()


def test_operands_are_told_of_all_that_a_loader_takes() -> None:
    for opcode in OPCODES.values():
        if opcode.obsolete is None or opcode.obsolete > 25:
            assert opcode.number in SHAPES, opcode.name
        if opcode.roles is not None:
            assert len(opcode.roles) == opcode.arity, opcode.name
    assert NAMED["put_tuple2"].roles == (Role.DEF, (Role.USE,))


GENOP_25 = """
# Copyright 2001-2022
BEAM_FORMAT_NUMBER=0
## @doc some
##      OTP 24: superseded
14: allocate_zero/2
# Late additions to R5.
78: call_ext_only/2
# The fclearerror instruction is not used in OTP 24
94: -fclearerror/0
# New instructions in R10B-6.
115: is_function2/3
# OTP 25
180: badrecord/1
"""
GENOP_27 = GENOP_25.replace("14: ", "14: -") + "# OTP 26\n181: update_record/5\n"


def genop(folder: Path, **tables: str) -> subprocess.CompletedProcess[str]:
    arguments = []
    for release, text in tables.items():
        path = folder / release
        path.write_text(text)
        arguments.append(f"{release.removeprefix('otp')}={path}")
    return subprocess.run([sys.executable, GENOP, *arguments], capture_output=True, text=True, timeout=PATIENCE)


def test_genop(tmp_path: Path) -> None:
    done = genop(tmp_path, otp25=GENOP_25, otp27=GENOP_27)
    assert json.loads(done.stdout) == {
        "14": {"name": "allocate_zero", "arity": 2, "since": "", "obsolete": 27},
        "78": {"name": "call_ext_only", "arity": 2, "since": "R5", "obsolete": None},
        "94": {"name": "fclearerror", "arity": 0, "since": "R5", "obsolete": 25},
        "115": {"name": "is_function2", "arity": 3, "since": "R10B-6", "obsolete": None},
        "180": {"name": "badrecord", "arity": 1, "since": "25", "obsolete": None},
        "181": {"name": "update_record", "arity": 5, "since": "26", "obsolete": None},
    }


def test_genop_refuses_other_operations_of_the_same_number(tmp_path: Path) -> None:
    done = genop(tmp_path, otp25=GENOP_25, otp27=GENOP_27.replace("badrecord/1", "badrecord/2"))
    assert done.returncode == 1
    assert "operation 180 is not the same in all releases" in done.stderr


def test_genop_says_how_to_use_it(tmp_path: Path) -> None:
    assert "usage: tools/genop" in genop(tmp_path).stderr
    assert "has no operations" in genop(tmp_path, otp25="nothing").stderr
