"""Stock GDB, without the extension, believes native code: functions, lines, arguments, types, frames."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from jit.beam.module import read_module
from jit.codegen.compile import compile_module
from jit.erts.arm32.runtime import StockErts
from tests.codegen.native_node import compile_native, erlc, gdb_says, library

STEPS = Path(__file__).with_name("steps.erl")
#: Modules of stdlib with all kinds of operations, by release.
STDLIB = {25: "base64 dict io_lib_format maps sys".split(), 27: "binary erl_scan gen_server lists supervisor".split()}
SESSION = (
    "break -function steps:insert/2",
    "continue",
    "backtrace",
    "info args",
    "info locals",
    "print c_p->common.id == x0",
    "print /x registers->x_reg_array.d[0]",
    "whatis E",
    "whatis FCALLS",
    "whatis registers->f_reg_array.d[0]",
    "list 24,25",
    "info symbol $pc",
    "info frame",
    "break steps.erl:24",
    "break -function steps:flatten/2 -label label_NUMBER",
    "delete",
    "tbreak -function steps:caught/2",
    "continue",
    *["step"] * 8,
    "tbreak erts_mixed_plus",
    "continue",
    "backtrace 4",
    "up 2",
    "info locals",
)


@pytest.fixture(scope="module")
def said(otp: int, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What GDB says to each command of the session, in order where one comes more than once."""
    beam = erlc(STEPS, tmp_path_factory.mktemp("plain"))
    folder = tmp_path_factory.mktemp("native")
    compile_native([beam], folder, otp)
    return gdb(otp, folder, [command.replace("NUMBER", str(_label(beam))) for command in SESSION])


def _label(beam: Path) -> int:
    """The last label in flatten/2 that has code."""
    operations = read_module(beam).function("flatten", 2).operations
    return max(one.operands[0] for one in operations if one.name == "label" and isinstance(one.operands[0], int))


def gdb(otp: int, folder: Path, commands: Sequence[str]) -> dict[str, list[str]]:
    words = ["-ex", "set breakpoint pending on"]
    for command in commands:
        words += ["-ex", f"echo \\n[{command}]\\n", "-ex", command]
    answers = gdb_says(otp, folder, "steps:run(), halt().", *words)
    said: dict[str, list[str]] = {}
    for part in re.split(r"^\[(?=[a-z])", answers, flags=re.MULTILINE)[1:]:
        command, _, answer = part.partition("]\n")
        said.setdefault(re.sub("label_.*", "label", command), []).append(answer.strip())
    return said


def test_backtrace(said: dict[str, list[str]]) -> None:
    inner, outer = said["backtrace"][0].splitlines()[:2]
    assert re.fullmatch(r"#0  steps:insert/2 \(arg1=95, arg2=\d+\) at steps.erl:30", inner)  # 5 << 4 | 15
    assert re.fullmatch(r"#1  0x\w+ in process_main \(\)", outer)


def test_variables(said: dict[str, list[str]]) -> None:
    assert said["info args"][0].startswith("arg1 = 95\n")
    at_entry = dict(line.split(" = ") for line in said["info locals"][0].splitlines())
    assert at_entry["x0"] == "95"
    assert at_entry["y0"] == "<optimized out>"  # the stack frame is allocated later
    assert said["print /x registers->x_reg_array.d[0]"] == ["$2 = 0x5f"]


def test_types(said: dict[str, list[str]]) -> None:
    assert said["print c_p->common.id == x0"] == ["$1 = 0"]
    assert said["whatis E"] == ["type = Eterm *"]
    assert said["whatis FCALLS"] == ["type = Sint32"]
    assert said["whatis registers->f_reg_array.d[0]"] == ["type = double"]


def test_places(said: dict[str, list[str]]) -> None:
    assert said["list 24,25"] == ["24\tsum([H | T]) -> H + sum(T);\n25\tsum([]) -> 0."]
    assert said["info symbol $pc"][0].startswith("steps:insert/2 in section .text")
    assert re.fullmatch(r"Breakpoint 2 at 0x\w+: file .*steps.erl, line 24.", said["break steps.erl:24"][0])
    (label,) = said["break -function steps:flatten/2 -label label"]
    assert re.fullmatch(r"Breakpoint 3 at 0x\w+: file .*steps.erl, line 35.", label)


def test_frame(said: dict[str, list[str]]) -> None:
    (frame,) = said["info frame"]
    assert "in steps:insert/2 (steps.erl:30)" in frame
    assert all(f"{register} at 0x" in frame for register in "r4 r5 r6 r7 r8 r9 r10 r11 lr".split())


def test_steps_by_line(said: dict[str, list[str]]) -> None:
    """Into fib(3) and so on, and back to the caller in the midst of its line."""
    lines = [int(answer.splitlines()[-1].split("\t")[0]) for answer in said["step"]]
    assert lines == [50, 46, 47, 46, 47, 46, 47, 46]
    assert [answer.splitlines()[0] for answer in said["step"] if "arg1" in answer] == [
        f"steps:fib/1 (arg1={number << 4 | 15}) at steps.erl:46" for number in (3, 2, 1, 0)
    ]


def test_through_c(said: dict[str, list[str]]) -> None:
    names = re.findall(r"^#\d +(?:0x\w+ in )?(\S+) \(", said["backtrace 4"][0], flags=re.MULTILINE)
    assert names == ["erts_mixed_plus", "native::erts_mixed_plus", "steps:add/2", "process_main"]
    before, outer = (dict(line.split(" = ") for line in locals_.splitlines()) for locals_ in said["info locals"])
    assert outer["x0"] == str(2 << 4 | 15)
    assert outer["c_p"] == before["c_p"]
    assert f"arg1={outer['x0']}, arg2={outer['x1']}" in said["up 2"][0]


def test_verified(otp: int, tmp_path: Path) -> None:
    """llvm-dwarfdump has nothing to say."""
    runtime = StockErts(otp)
    for name in STDLIB[otp]:
        path = tmp_path / f"{name}.elf"
        native = compile_module(read_module(library(otp, "stdlib") / f"{name}.beam"), runtime)
        path.write_bytes(runtime.elf_file(native))
        ran = subprocess.run(["llvm-dwarfdump", "--verify", path], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
        assert "No errors." in ran.stdout
