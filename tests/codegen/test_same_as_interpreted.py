"""Native code does what the interpreter does: the same values, exceptions and stack traces with lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.native_node import RELEASES, compile_native, erlc, node

EXERCISE = Path(__file__).with_name("exercise.erl")
ALONE = 'io:format("~p~n", [exercise:run()]), halt().'
NATIVE = f'io:format("~w~n", [{{code:ensure_loaded(exercise), native:loaded()}}]), {ALONE}'


@pytest.mark.parametrize("options", [(), ("--stress",)], ids=["plain", "stress"])
@pytest.mark.parametrize("otp", RELEASES)
def test_exercise(tmp_path: Path, otp: int, options: tuple[str, ...]) -> None:
    beam = erlc(EXERCISE, tmp_path / "plain")
    native = tmp_path / "native"
    compile_native([beam], native, otp, *options)
    interpreted = node(otp, "-pa", str(beam.parent), "-eval", ALONE)
    assert interpreted.returncode == 0, interpreted.stderr
    assert "badarith" in interpreted.stdout
    ran = node(otp, "-pa", str(native), "-s", "native", "-eval", NATIVE)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "{{module,exercise},1}\n" + interpreted.stdout


@pytest.mark.parametrize("otp", RELEASES)
def test_without_the_glue(tmp_path: Path, otp: int) -> None:
    beam = erlc(EXERCISE, tmp_path / "plain")
    compile_native([beam], tmp_path / "native", otp)
    plain, rewritten = (node(otp, "-pa", str(tmp_path / name), "-eval", ALONE) for name in ("plain", "native"))
    assert plain.returncode == 0
    assert rewritten.stdout == plain.stdout
