"""Damaged files given to all commands that read them: done, or one line that names the file; nothing half written.

``BEAM_FUZZ_SEED`` and ``BEAM_FUZZ_ROUNDS`` make it another, or a longer one.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from jit.__main__ import main as jit
from jit.beam.module import encode_module, read_module
from jit.beam.operands import Allocation, BeamLabel, Operand
from jit.beam.operations import Operation, operation
from tests.beam.damage import KINDS
from tests.beam.sound_files import all_files

SEED = int(os.environ.get("BEAM_FUZZ_SEED", "1"))
ROUNDS = int(os.environ.get("BEAM_FUZZ_ROUNDS", "60"))
STAYS_INTERPRETED = ": the compiler or this file is wrong: stays interpreted"


@pytest.mark.skipif(not all_files(), reason="Erlang is not installed")
def test_all_commands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(f"{SEED} commands")
    beam, out = tmp_path / "damaged.beam", tmp_path / "out"
    statuses = set()
    for _ in range(ROUNDS):
        beam.write_bytes(rng.choice(KINDS)(rng))
        status = done(capfd, "dump", beam)
        statuses.add(status)
        assert done(capfd, "coverage", beam) == status
        assert compiled(capfd, beam, out, rng.choice((25, 27))) == status
        assert len(list(out.iterdir())) == (not status)
        if not status:
            made = out / beam.name
            read_module(made)
            made.unlink()
    assert statuses == {0, 1}


def done(capfd: pytest.CaptureFixture[str], *words: str | Path) -> int:
    """The exit status of a command, which says one line if it is 1."""
    status = jit([*map(str, words)])
    said = capfd.readouterr().err.splitlines()
    assert len(said) == status, said
    assert all(is_told(line, words[1]) for line in said)
    return status


def compiled(capfd: pytest.CaptureFixture[str], beam: Path, out: Path, otp: int) -> int:
    """The exit status of `compile`, which says one line if it is 1, and else one of each function whose registers no
    compiler uses so: such as one that reads what nothing has written."""
    status = jit(["compile", str(beam), "-o", str(out), "--otp", str(otp)])
    said = capfd.readouterr().err.splitlines()
    if status:
        assert len(said) == 1, said
        assert is_told(said[0], beam)
    assert all(is_told(line, beam.name) and line.endswith(STAYS_INTERPRETED) for line in said[status:])
    return status


def is_told(line: str, file: str | Path) -> bool:
    """Whether it is a line of an error, and about the file."""
    return line.startswith(f"jit: {file}: ") and line.isprintable() and len(line) < 500


def inserted(name: str, *operands: Operand) -> list[Operation]:
    """The operations of unchanged/1, with one more at its entry."""
    return [operation(name, *operands), operation("return")]


@pytest.mark.parametrize(
    ("added", "what"),
    [
        (inserted("jump", BeamLabel(2)), "jump in program:unchanged/1: label 2, which is not in the function"),
        (inserted("jump", BeamLabel(0)), "jump in program:unchanged/1: label 0, which is not in the function"),
        (inserted("call", 1, BeamLabel(1)), "call in program:unchanged/1: label 1, where no function begins"),
        (inserted("test_heap", 2, 5000), "operation 2 of program:unchanged/1 (test_heap): operand 2 cannot be 5000: "
         "1024 is the most"),
        (inserted("test_heap", Allocation(1 << 40), 1), "operation 2 of program:unchanged/1 (test_heap): operand 1 "
         "cannot be {alloc,[{words,1099511627776},{floats,0},{funs,0}]}: 67108864 is the most"),
        (inserted("call", 1 << 40, BeamLabel(2)), "operation 2 of program:unchanged/1 (call): operand 1 cannot be "
         "1099511627776: 255 is the most"),
        ([], "label in program:main/1: the function is there twice"),
    ],
)  # fmt: skip
def test_what_is_told(
    program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], added: list[Operation], what: str
) -> None:
    """Where it is: the file, the chunk and the offset in it, the function and the operation."""
    module = read_module(program)
    own = module.function("unchanged", 1).operations
    if added:
        own[4:] = added
    else:
        own[2] = module.functions[0].operations[2]
    beam = tmp_path / "damaged.beam"
    beam.write_bytes(encode_module(module))
    for words in ("dump", "coverage", f"compile -o {tmp_path}/out", f"elf -o {tmp_path}/out.elf", "run"):
        assert jit([*words.split(), str(beam)]) == 1
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith(f"jit: {beam}: chunk Code, offset 0x")
        assert line.endswith(f", {what}")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["damaged.beam"]
