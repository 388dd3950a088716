"""A function runs natively in Debian's unmodified Erlang for 32-bit ARM, and GDB stops in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jit.erts.layout import RELEASES
from tests.codegen.native_node import PATIENCE, compile_native, erlc, gdb_says, node, python_jit

HELLO = Path(__file__).with_name("hello.erl")
RUN = "hello:start(1, 2)."
#: To the instruction that calls, with the arguments in x0 and x1.
BEFORE_THE_CALL = "x/i $pc", "stepi 4", "print x0", "x/wd $r4+64"


@pytest.fixture(scope="module")
def folder(otp: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hello, native, with the glue."""
    path = tmp_path_factory.mktemp(f"native-{otp}")
    compile_native([erlc(HELLO, tmp_path_factory.mktemp("plain"))], path, otp)
    return path


def gdb(otp: int, folder: Path, *commands: str, at: str = "'hello:start/2'") -> str:
    """What stock GDB says, from the stop in hello:start/2 on."""
    session = ["set breakpoint pending on", f"break {at}", "continue", "echo [stopped]\\n", *commands]
    words = [word for command in session for word in ("-ex", command)]
    said = gdb_says(otp, folder, RUN, *words)
    _, stopped, answer = said.partition("[stopped]\n")
    assert stopped, said
    return answer


@pytest.mark.each_release
def test_exits_with_42(otp: int, folder: Path) -> None:
    ran = node(otp, "-pa", str(folder), "-s", "native", "-eval", RUN)
    assert (ran.returncode, ran.stderr) == (42, "")


def test_the_fallback_exits_with_42_too(otp: int, folder: Path) -> None:
    assert node(otp, "-pa", str(folder), "-eval", RUN).returncode == 42


@pytest.mark.each_release
def test_gdb_stops_in_native_code(otp: int, folder: Path) -> None:
    answer = gdb(otp, folder, "backtrace 2", *BEFORE_THE_CALL, "continue")
    frames, _, rest = answer.partition("=> ")
    assert frames.splitlines()[0].startswith("#0  hello:start/2 (arg1=31, arg2=47) at ")
    assert frames.splitlines()[0].endswith("hello.erl:4")
    # Its name is one of those that OTP 29 hides.
    assert ("in process_main ()" in frames.splitlines()[1]) is (otp < 29)
    assert rest.startswith("0x")
    assert "<hello:start/2>" in rest
    assert "= 687\n" in rest  # 42 << 4 | 15
    assert ":\t687\n" in rest  # ErtsSchedulerRegisters.x_reg_array
    assert "exited with code 052" in rest


@pytest.mark.parametrize("at", ["hello:start/2", "-function hello:start/2", "hello:start/2 if arg1 == 31"])
def test_gdb_finds_a_function_by_its_name(otp: int, folder: Path, at: str) -> None:
    answer = gdb(otp, folder, "info breakpoints", f"info line {at.partition(' if ')[0]}", at=at)
    assert "start/2 at " in answer
    assert "hello.erl:4" in answer
    assert 'Line 4 of "hello.erl" starts at address' in answer
    assert "<hello:start/2>" in answer


def test_another_release_runs_it_interpreted(otp: int, folder: Path) -> None:
    other = next(release for release in RELEASES if release != otp)
    ran = node(other, "-pa", str(folder), "-s", "native", "-eval", RUN)
    assert ran.returncode == 42
    (line,) = ran.stderr.splitlines()
    assert line == "native: hello runs interpreted: it is compiled for another release or build"


def test_native_code_goes_with_its_module(otp: int, folder: Path) -> None:
    expression = """
        Loaded = fun() -> io:format("~w ", [native:loaded()]) end,
        Load = fun() -> {module, hello} = code:load_file(hello) end,
        Loaded(), Load(), Loaded(), Load(), Loaded(), code:purge(hello), Loaded(),
        code:delete(hello), Loaded(), code:purge(hello), Loaded(), halt().
    """
    ran = node(otp, "-pa", str(folder), "-s", "native", "-eval", expression)
    assert ran.stdout.split() == ["0", "1", "2", "1", "1", "0"]


def test_elf_file(tmp_path: Path) -> None:
    beam, out = erlc(HELLO, tmp_path), tmp_path / "hello.elf"
    assert python_jit("elf", str(beam), "-o", str(out)).returncode == 0
    listed = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-ex", "info functions hello:", out],
                            capture_output=True, text=True, timeout=PATIENCE, check=True)  # fmt: skip
    assert "hello:start/2" in listed.stdout
    verified = subprocess.run(["llvm-dwarfdump", "--verify", out], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout


def test_damaged_file_is_one_line(tmp_path: Path) -> None:
    beam = tmp_path / "damaged.beam"
    beam.write_bytes(b"FOR1")
    ran = python_jit("compile", str(beam), "-o", str(tmp_path / "out"))
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "damaged.beam" in ran.stderr
    assert not list((tmp_path / "out").iterdir())
