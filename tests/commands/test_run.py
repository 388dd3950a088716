"""`run`: a program from its source to its exit status, natively."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jit.__main__ import main as jit
from jit.sandbox import Sandbox
from tests.codegen.native_node import erlc, library, python_jit
from tests.commands.conftest import SOURCE


@pytest.mark.each_release
def test_arguments(otp: int) -> None:
    """From source, by the compiler of that release; words behind the file are the program's."""
    ran = python_jit("run", "--otp", str(otp), str(SOURCE), "one", "--gdb", "a 'word'")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == '["one","--gdb","a \'word\'"] 1 {answer,42,-7,1000000,[116,101,120,116]}\n'


def test_call_and_exit_status(program: Path) -> None:
    ran = python_jit("run", "--otp", "25", "--call", 'io:format("~w", [program:answer()]), halt(3).', str(program))
    assert (ran.returncode, ran.stderr) == (3, "")
    assert ran.stdout == "{answer,42,-7,1000000,[116,101,120,116]}"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [("program:answer(", "syntax error before: '.'"), ('"open', 'unterminated string starting with "open."')],
)
def test_call_of_no_expression(program: Path, expression: str, reason: str) -> None:
    ran = python_jit("run", "--call", expression, str(program))
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"jit: --call: {reason}\n")


def test_exception(program: Path) -> None:
    ran = python_jit("run", str(program), "fail", "x")
    assert (ran.returncode, ran.stdout) == (127, "")
    said, where, *_ = ran.stderr.splitlines()
    assert said == 'exception error: no match of right hand side value [["x"],"x"]'
    assert where.startswith("  in function  program:main/1 (")
    assert where.endswith("program.erl, line 6)")


def test_system(program: Path, tmp_path: Path) -> None:
    """Modules of Erlang/OTP that are compiled into a folder run natively too."""
    stdlib = library(27, "stdlib")
    system, start = str(tmp_path / "system"), str(Sandbox("armhf", 27).ensure().otp_root / "bin/start.boot")
    assert jit(["glue", "-o", system, "--boot", start]) == 0
    assert jit(["compile", "-o", system, str(stdlib / "lists.beam"), str(stdlib / "proplists.beam")]) == 0
    ran = python_jit("run", "--system", system, str(program), "x")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith('["x"] 3 ')


@pytest.mark.parametrize("name", ["-v", "+native"])
def test_sources_that_are_named_as_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.erl").write_text(f"-module('{name}').\n-export([main/0]).\nmain() -> io:format(\"done\").\n")
    assert jit(["run", f"./{name}.erl"]) == 0
    assert capfd.readouterr() == ("done", "")


def test_under_gdb(program: Path, tmp_path: Path) -> None:
    """In a folder whose name GDB's commands would take apart."""
    folder = tmp_path / "my 'files; $x"
    folder.mkdir()
    moved = str(shutil.copy2(program, folder))
    shutil.copy2(SOURCE, folder)
    commands = ["break -function program:answer/0", "continue", "info symbol $pc", "list 11,11", "delete", "continue"]
    words = [word for command in ("show directories", *commands) for word in ("-ex", command)]
    ran = python_jit("run", "--gdb", "--batch", *words, moved, "hello")
    assert f"Source directories searched: {folder}:$cdir:$cwd" in ran.stdout
    assert "program:answer/0 (" in ran.stdout
    assert "program:answer/0 in section .text" in ran.stdout
    assert "11\t    {answer, 42" in ran.stdout
    assert '["hello"] 1 {answer' in ran.stdout


def test_what_cannot_run(program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "lib.erl").write_text("-module(lib).\n-export([f/0]).\nf() -> ok.\n")
    erlc(tmp_path / "lib.erl", tmp_path)
    (tmp_path / "wrong.erl").write_text("-module(wrong).\nf( -> ok.\n")
    for words, reason in {
        ("lib.beam",): "exports neither main/1 nor main/0 nor start/0: give --call 'lib:...'",
        ("lib.beam", "word"): "exports no main/1, which would get the arguments",
        ("missing.erl",): "No such file or directory",
        ("missing.beam",): "No such file or directory",
        ("wrong.erl",): "erlc found errors",
    }.items():
        assert jit(["run", str(tmp_path / words[0]), *words[1:]]) == 1
        *before, line = capfd.readouterr().err.splitlines()
        assert line.startswith(f"jit: {tmp_path / words[0]}: ")
        assert reason in line
        assert not before or words[0] == "wrong.erl"
    assert jit(["run", "--system", str(tmp_path), str(program)]) == 1
    assert "there is no native.boot" in capfd.readouterr().err
    assert jit(["run", "--batch", str(program)]) == 1
    assert "give --gdb too" in capfd.readouterr().err
