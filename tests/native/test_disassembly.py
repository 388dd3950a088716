"""`beam-disas`: BEAM operations, source lines and machine code."""

from __future__ import annotations

import re
from pathlib import Path

from tests.harness.gdb import Gdb, one_line_error
from tests.matrix.conftest import stop_at
from tests.native.conftest import Shop, line


def instructions(text: str) -> dict[int, str]:
    return {int(at, 16): rest for at, rest in re.findall(r"^..  [ >] (0x[0-9a-f]+) <[+-]\d+> +(.*)$", text, re.M)}


def test_native(gdb: Gdb) -> None:
    stop_at(gdb, "shop:priced/2")
    text = gdb.cmd("beam-disas")
    assert re.match(r"shop:priced/2, native code, \d+ bytes; operations of .*/shop\.beam\n", text)
    order = [
        "label ", "{allocate,2,2}", f" shop.erl:{line('Given = deliver')}\n", "    {call,2,{f,",
        f" shop.erl:{line('Given * 2')}\n", "{gc_bif2,{f,0},", "{extfunc,erlang,'*',2}", "    return\n",
    ]  # fmt: skip
    places = [text.find(part) for part in order]
    assert places == sorted(places)
    assert -1 not in places
    # What GDB itself reads at each address is the same instruction; it names some otherwise.
    code = instructions(text)
    pc = int(gdb.cmd("print/x $pc").split()[-1], 16)
    assert re.search(rf"^=>  [ >] {pc:#x} <\+0>", text, re.M)
    assert text.count("=>") == 1
    marked = set(re.findall(r"^..  > 0x[0-9a-f]+ (<\+\d+>)", text, re.M))
    assert set(re.findall(r"b\w* #0x[0-9a-f]+ +; (<\+\d+>)$", text, re.M)) <= marked
    ours = {at: one.split()[0] for at, one in code.items() if not one.startswith(".word")}
    told = re.findall(r"^(?:=>)? *(0x[0-9a-f]+)[^\t]*:\t(\w+)", gdb.cmd(f"x/{len(code)}i {min(code):#x}"), re.M)
    theirs = {int(at, 16): name for at, name in told}
    same = [at for at in ours if ours[at] == theirs[at]]
    assert len(same) > 0.9 * len(ours)
    assert re.search(r"mov r0, #0x3b +; 59 = \[\]", text)
    assert re.search(r"b #0x[0-9a-f]+ +; shop:deliver/2 entry", text)
    assert re.search(r"ldr r\d+, \[r4, #0x40\] +; x0", text)
    assert re.search(r"; 0x[0-9a-f]+ goes on at <\+\d+>", text)


def test_other_files_and_the_bytecode(gdb: Gdb, shop_session: Shop, tmp_path: Path) -> None:
    stop_at(gdb, "shop:priced/2")
    other = shop_session.ebin / "counter.beam"
    assert "holds the module counter" in one_line_error(gdb, f"beam-disas -beam {other} shop:priced/2")
    missing = tmp_path / "none.beam"
    assert str(missing) in one_line_error(gdb, f"beam-disas -beam {missing} shop:priced/2")
    text = gdb.cmd("beam-disas -bytecode")
    assert text.startswith("shop:priced/2, interpreted, ")
    assert "call_nif: goes on natively at " in text
    assert "i_call shop:deliver/2\n" in text
    assert "no function shop:pric/2; is it shop:priced/2" in one_line_error(gdb, "beam-disas shop:pric/2")


def test_interpreted(gdb: Gdb) -> None:
    stop_at(gdb, "counter:add/2")
    text = gdb.cmd("beam-disas")
    assert text.startswith("counter:add/2, interpreted, ")
    assert re.search(r"^=>    0x[0-9a-f]+ <\+0>  ", text, re.M)
    assert re.search(r"i_call_ext\S* .*shop:deliver/2$", text, re.M)
    assert re.search(r"^ \S*counter\.erl:5$", text, re.M)
    assert re.search(r"^ {6}0x[0-9a-f]+ <\+\d+> +i_increment x0, 1, x0|i_plus", text, re.M)
