"""Native code does what the interpreter does: the same values, exceptions and stack traces with lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.native_node import compile_native, erlc, native_says, node, node_says

EXERCISE = Path(__file__).with_name("exercise.erl")
ALONE = 'io:format("~p~n", [exercise:run()]), halt().'


@pytest.mark.each_release
def test_exercise(tmp_path: Path, otp: int) -> None:
    same_as_interpreted(tmp_path, otp)


def test_exercise_under_stress(tmp_path: Path, otp: int) -> None:
    same_as_interpreted(tmp_path, otp, "--stress")


def same_as_interpreted(tmp_path: Path, otp: int, *options: str) -> None:
    beam = erlc(EXERCISE, tmp_path / "plain")
    interpreted = node_says(otp, "-pa", str(beam.parent), "-eval", ALONE)
    assert "badarith" in interpreted
    assert native_says(otp, beam, tmp_path / "native", ALONE, *options) == interpreted


def test_without_the_glue(tmp_path: Path, otp: int) -> None:
    beam = erlc(EXERCISE, tmp_path / "plain")
    compile_native([beam], tmp_path / "native", otp)
    plain, rewritten = (node(otp, "-pa", str(tmp_path / name), "-eval", ALONE) for name in ("plain", "native"))
    assert plain.returncode == 0
    assert rewritten.stdout == plain.stdout
