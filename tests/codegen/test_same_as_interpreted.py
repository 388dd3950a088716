"""Native code does what the interpreter does: the same values, exceptions and stack traces with lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from beamgdb.sandbox import Sandbox
from tests.codegen.native_node import RELEASES, compile_native, erlc, node

EXERCISE = Path(__file__).with_name("exercise.erl")
ALONE = 'io:format("~p~n", [exercise:run()]), halt().'
NATIVE = f'io:format("~w~n", [{{code:ensure_loaded(exercise), native:loaded()}}]), {ALONE}'

#: Modules of stdlib that a node uses all the time, and that the compiler needs.
STDLIB = (
    "array dict epp erl_eval erl_internal erl_lint erl_parse erl_scan gb_sets gb_trees gen gen_server gen_statem "
    "io_lib io_lib_format io_lib_pretty lists maps orddict ordsets proc_lib proplists queue sets string supervisor "
    "unicode_util".split()
)
#: Exchange modules in a running node, then compile the exercise by them: folder, modules, file.
WORK = """
    Load = fun(M) ->
        code:unstick_mod(M), code:purge(M),
        {module, M} = code:load_abs(filename:join("%s", M))
    end,
    lists:foreach(Load, [%s]),
    io:format("~w~n", [native:loaded()]),
    {ok, exercise, Code} = compile:file("%s", [binary, deterministic, nowarn_unused_function]),
    {module, exercise} = code:load_binary(exercise, "exercise.erl", Code),
    io:format("~w ~p~n", [erlang:md5(Code), exercise:run()]), halt().
"""


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


@pytest.mark.parametrize("otp", RELEASES)
def test_stdlib_does_real_work(tmp_path: Path, otp: int) -> None:
    libraries = Sandbox("armhf", otp).ensure().otp_root / "lib"
    (ebin,) = libraries.glob("stdlib-*/ebin")
    compile_native([ebin / f"{name}.beam" for name in STDLIB], tmp_path, otp)
    answers = []
    for modules in ("", ",".join(STDLIB)):
        ran = node(otp, "-pa", str(tmp_path), "-s", "native", "-eval", WORK % (tmp_path, modules, EXERCISE))
        assert (ran.returncode, ran.stderr) == (0, "")
        answers.append(ran.stdout.split("\n", 1))
    (before, plain), (after, native) = answers
    assert int(after) >= len(STDLIB) - 1  # all but those that have no function to compile
    assert int(before) < int(after)
    assert native == plain
