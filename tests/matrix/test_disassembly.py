"""`beam-disas` on each Erlang: the code of an Erlang function, compiled or interpreted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.gdb.stages import line_of
from tests.harness.targets import Target
from tests.matrix.conftest import Scene

FUNCTION = "stages:in_nif/2"


def test_the_selected_function(scene: Scene) -> None:
    scene.up_to(FUNCTION)
    text = scene.gdb.cmd("beam-disas")
    kind = "interpreted" if scene.target.interpreted else "JIT code"
    assert text.startswith(f"{FUNCTION}, {kind}, ")
    rows = re.findall(r"^(=>|  )    (0x[0-9a-f]+) <\+(\d+)> +\S", text, re.M)
    addresses = [int(at, 16) for _, at, _ in rows]
    assert addresses == sorted(set(addresses))
    assert {int(at) for _, _, at in rows} == {at - addresses[0] for at in addresses}
    (current,) = [int(at, 16) for mark, at, _ in rows if mark == "=>"]
    pc = int(scene.gdb.cmd("print/x (unsigned long) $pc").split()[-1], 16)
    # A return address is that of the instruction behind the call; the interpreter is still at the call.
    behind = [at for at in addresses if at > current]
    assert pc == current or current < pc <= behind[0]
    assert re.search(rf"^ \S*stages\.erl:{line_of('stages', 'in_nif(Round, Payload) ->')}$", text, re.M)


def test_operations_of_the_file(scene: Scene, ebin_for: Callable[[Target], Path]) -> None:
    beam = ebin_for(scene.target) / "stages.beam"
    text = scene.gdb.cmd(f"beam-disas -beam {beam} {FUNCTION}")
    if scene.target.interpreted:
        assert re.search(r"call\S* .*\bstages:c_function/1$", text, re.M), text
        return
    assert text.splitlines()[0].endswith(f"; operations of {beam}")
    operations = re.findall(r"^    (\{\w+,.*\}|\w+)$", text, re.M)
    assert operations[0].startswith("{func_info,")
    assert operations[-1] == "return"
    assert any(one.startswith("{call,1,") for one in operations)
