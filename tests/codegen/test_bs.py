"""Native code for binaries does what the interpreter does, whichever release has compiled the bytecode."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.codegen.native_node import compile_native, erlc, erlc_of, node_says

EXERCISE = Path(__file__).with_name("exercise_bs.erl")
#: Results that are exceptions: no function clause for a text that ends too early, and two bad matches.
FAILING = 3

Compiler: TypeAlias = Callable[[Path, Path], Path]

#: Run the exercise from several folders: how many modules are native, the count of results, and where they differ
#: from the first ones.
WORK = """
    Run = fun(Folder) ->
        code:purge(exercise_bs),
        {module, exercise_bs} = code:load_abs(filename:join(Folder, "exercise_bs")),
        {native:loaded(), exercise_bs:run()}
    end,
    Differ = fun(One, Other) -> [{A, B} || {A, B} <- lists:zip(One, Other), A =/= B] end,
    [{_, Plain} | _] = All = lists:map(Run, [%s]),
    io:format("~w of ~w~n", [length([ok || {result, {ok, _}} <- Plain]), length(Plain)]),
    [io:format("~w ~P~n", [Native, Differ(Plain, Results), 200]) || {Native, Results} <- All],
    halt().
"""


def erlc_as_24(source: Path, folder: Path) -> Path:
    """Compile a module with the operations that OTP 24 knows; its .beam file."""
    return erlc(source, folder, "+r24")


def erlc_27(source: Path, folder: Path) -> Path:
    """Compile a module by OTP 27; its .beam file, in which binaries are matched by bs_match."""
    return erlc_of(27, source, folder)


#: Releases, and what compiles for them. (The compiler of 29 has an error in itself on one of these functions.)
RUNS = ((25, erlc), (25, erlc_as_24), (27, erlc), (27, erlc_27), (29, erlc_27))


@pytest.mark.parametrize(("otp", "compiler"), RUNS)
def test_exercise(tmp_path: Path, otp: int, compiler: Compiler, capsys: pytest.CaptureFixture[str]) -> None:
    beam = compiler(EXERCISE, tmp_path / "plain")
    compile_native([beam], tmp_path / "native", otp)
    compile_native([beam], tmp_path / "stress", otp, "--stress")
    assert len(re.findall(r": (\d+) of \1 functions native", capsys.readouterr().out)) == 2
    folders = ", ".join(f'"{tmp_path / name}"' for name in ("plain", "native", "stress"))
    told = node_says(otp, "-pa", str(tmp_path / "native"), "-s", "native", "-eval", WORK % folders)
    count, *differences = told.splitlines()
    worked, of = map(int, count.split(" of "))
    assert of - worked == FAILING
    assert differences == ["0 []", "1 []", "2 []"]
