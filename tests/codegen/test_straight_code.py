"""Values in CPU registers, arithmetic and selections: one node runs the module interpreted, native, and under stress."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.native_node import RELEASES, compile_native, erlc, node

EXERCISE = Path(__file__).with_name("exercise_straight.erl")
#: Load the module from each folder and run it; say where the answers differ.
COMPARE = """
    Run = fun(Folder) ->
        code:purge(exercise_straight),
        {module, M} = code:load_abs(filename:join(Folder, exercise_straight)),
        M:run()
    end,
    [Plain | Others] = [Run(Folder) || Folder <- %s],
    io:format("~w ~w~n", [native:loaded(), erlang:phash2(Plain) =/= 0]),
    Walk = fun
        Walk(Path, [A | T], [B | U]) -> Walk([1 | Path], A, B), Walk([2 | Path], T, U);
        Walk(_, A, A) -> ok;
        Walk(Path, A, B) -> io:format("~w: ~w interpreted, ~w native~n", [lists:reverse(Path), A, B])
    end,
    [Walk([], element(2, A), element(2, B)) || Other <- Others, {A, B} <- lists:zip(Plain, Other)],
    halt().
"""


@pytest.mark.parametrize("otp", RELEASES)
def test_straight_code(tmp_path: Path, otp: int) -> None:
    beam = erlc(EXERCISE, tmp_path / "plain")
    compile_native([beam], tmp_path / "native", otp)
    compile_native([beam], tmp_path / "stress", otp, "--stress")
    folders = "[" + ",".join(f'"{tmp_path / name}"' for name in ("plain", "native", "stress")) + "]"
    ran = node(otp, "-pa", str(tmp_path / "native"), "-s", "native", "-eval", COMPARE % folders)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "2 true\n", "")
