"""What describes native code to debuggers, asked before each of many instructions: frames go from it up to main."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.atomvm import host
from tests.codegen.native_node import erlc
from tests.harness.gdb import batch
from tests.harness.patience import PATIENCE

SOURCE = Path(__file__).with_name("in_host.erl")
SCRIPT = Path(__file__).with_name("step_frames.py")
VISITED = (
    "in_host:start/0", "in_host:fib/1", "in_host:lists/0", "in_host:caught/1", "native::setup", "native::allocate",
    "native::go out call_fun", "native::cons", "native::test_heap", "native::tail call_fun",
    "native::tail call_ext", "native::gc_bif2", "native::return",
)  # fmt: skip


@pytest.mark.parametrize("target", [one for one in host.TOOLS if one != "armv6m+thumb2"])  # whose frames are armv6m's
def test_all_lead_to_main(tmp_path: Path, target: str) -> None:
    program = host.build(target, erlc(SOURCE, tmp_path), tmp_path)
    words = [f'set $elf = "{tmp_path / "native.elf"}"', f"source {SCRIPT}", "kill"]
    if runner := host.TOOLS[target][1]:
        stub = subprocess.Popen([*runner, "-g", tmp_path / "socket", program], stdout=subprocess.DEVNULL)
        words.insert(0, f"target remote {tmp_path / 'socket'}")
    else:
        words.insert(0, "starti")
    told = batch(*(word for one in words for word in ("-ex", one)), program.as_posix())
    if runner:
        stub.wait(PATIENCE)
    assert "wrong" not in told
    (visited,) = (line for line in told.splitlines() if line.startswith("visited"))
    assert [name for name in VISITED if name not in visited] == []
