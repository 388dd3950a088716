"""Values in CPU registers, arithmetic and selections: one node runs a module interpreted, native, and under stress."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.native_node import compile_native, erlc, node_says

EXERCISE = Path(__file__).with_name("exercise_straight.erl")
#: Load the module from each folder and run it; say where the answers differ.
COMPARE = """
    Run = fun(Folder, Step) ->
        code:purge(exercise_straight),
        {module, M} = code:load_abs(filename:join(Folder, exercise_straight)),
        io:format("~w~n", [native:loaded()]),
        M:run(Step)
    end,
    Walk = fun
        Walk(Path, [A | T], [B | U]) -> Walk([1 | Path], A, B), Walk([2 | Path], T, U);
        Walk(Path, {Name, A}, {Name, B}) -> Walk([Name | Path], A, B);
        Walk(_, A, A) -> ok;
        Walk(Path, A, B) -> io:format("~w: ~w interpreted, ~w native~n", [lists:reverse(Path), A, B])
    end,
    Compare = fun(Folder, Step) -> Walk([], Run("%(plain)s", Step), Run(Folder, Step)) end,
    Compare("%(native)s", 1), Compare("%(stress)s", 5), halt().
"""


@pytest.mark.each_release
def test_straight_code(tmp_path: Path, otp: int) -> None:
    beam = erlc(EXERCISE, tmp_path / "plain")
    compile_native([beam], tmp_path / "native", otp)
    compile_native([beam], tmp_path / "stress", otp, "--stress")
    folders = {name: tmp_path / name for name in ("plain", "native", "stress")}
    assert node_says(otp, "-pa", str(tmp_path / "native"), "-s", "native", "-eval", COMPARE % folders) == "0\n1\n1\n1\n"
