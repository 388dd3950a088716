"""`beam-disas` on each Erlang: the code of an Erlang function, compiled or interpreted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gdb.stages import line_of
from tests.harness.targets import LOOKED_AT, Target
from tests.matrix.conftest import PATIENCE, Scene

DECODE = Path(__file__).with_name("decode_functions.py")
FUNCTION = "stages:in_nif/2"


def test_the_selected_function(scene: Scene) -> None:
    scene.up_to(FUNCTION)
    text = scene.gdb.cmd("beam-disas")
    kind = "interpreted" if scene.target.interpreted else "JIT code"
    assert text.startswith(f"{FUNCTION}, {kind}, ")
    rows = re.findall(r"^(=>|  )  [ >] (0x[0-9a-f]+) <\+(\d+)> +\S", text, re.M)
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


#: Ordinary ones, and one that a NIF has replaced, whose code begins with words of data.
COMPILED = ("stages:in_nif/2", "stages:loop/1", "lists:map/2", "unicode_util:cp/1", "prim_file:read_nif/2")


@pytest.mark.parametrize("function", COMPILED)
def test_jumps_lead_to_rows(scene: Scene, function: str) -> None:
    """Every address in the function to which its code leads is a row of the listing, and marked there."""
    if scene.target.interpreted:
        return
    text = scene.gdb.cmd(f"beam-disas {function}")
    rows = {int(at): mark for mark, at in re.findall(r"^..  ([ >]) 0x[0-9a-f]+ <\+(\d+)> +\S", text, re.M)}
    named = {int(at) for at in re.findall(r"; <\+(\d+)>$", text, re.M)}
    assert named
    assert named <= rows.keys()
    assert {at for at, mark in rows.items() if mark == ">"} >= named
    # GDB reads the same instructions, from wherever it is told that there is one.
    start = re.search(r"^..  . (0x[0-9a-f]+) <\+0>", text, re.M)
    assert start
    data = {int(at) for at in re.findall(r"<\+(\d+)> +\.(?:byte|quad)", text)}
    for at in sorted(named):
        following = min((one for one in rows if one > at), default=None)
        if following is not None:
            told = scene.gdb.cmd(f"x/2i {int(start[1], 16) + at:#x}")
            assert f"{int(start[1], 16) + following:#x}" in told or following in data
    assert bool(data & set(range(16, 40))) is (function == "prim_file:read_nif/2")


@pytest.mark.scenes(*((target, target.modes[0]) for target in LOOKED_AT if not target.interpreted))
def test_the_whole_node(scene: Scene) -> None:
    """Of each tenth function of all that are loaded: its bytes are all shown, once, and its jumps and lines lead to
    instructions. In one mode: it is the same code in each, and on a core that of the same node."""
    assert re.fullmatch(r"\d{3,} functions, wrong: \[\]\n", scene.gdb.cmd(f"source {DECODE}", timeout=PATIENCE))
