"""`xreg`, `yreg`, `freg`, and the same in expressions and conditions."""

from __future__ import annotations

import re

import pytest

from tests.gdb.conftest import Looking
from tests.gdb.stages import SOON, breakpoint_number, go_to, line_of, local_variables
from tests.gdb.test_beam_bt import PAYLOAD
from tests.harness.gdb import Gdb, GdbError, one_line_error

ROW = re.compile(r"(?P<name>[xyf]\d+) +((?P<raw>0x[0-9a-f]{16}) )?(?P<text>.*)")


def registers(text: str) -> dict[str, str]:
    """What a command printed: text by register."""
    rows = [ROW.fullmatch(line) for line in text.splitlines()]
    assert rows
    assert all(rows), text
    return {row["name"]: row["text"] for row in rows if row}


def raw(text: str) -> dict[str, int]:
    """What a command printed with -raw: word by register."""
    return {row["name"]: int(row["raw"], 16) for row in map(ROW.fullmatch, text.splitlines()) if row}


def small(number: int) -> int:
    """The word of a small integer (erl_term.h)."""
    return number << 4 | 0xF


# -- x registers ------------------------------------------------------------------------------------------------------


def test_x_registers(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:leaf/3", "stages:protected/2")
    shown = registers(stages_gdb.cmd("xreg"))
    assert list(shown) == [f"x{number}" for number in range(16)]
    assert shown["x0"] == "first"
    assert shown["x2"] == '<<"third">>'
    assert registers(stages_gdb.cmd("xreg 2")) == registers(stages_gdb.cmd("xreg x2")) == {"x2": '<<"third">>'}
    assert registers(stages_gdb.cmd("xreg 200")).keys() == {"x200"}


def test_raw_words(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:in_catch/2", "stages:all/3")
    shown = stages_gdb.cmd("xreg -raw 0")
    number = int(registers(shown)["x0"])
    assert raw(shown) == {"x0": small(number)}
    assert raw(stages_gdb.cmd("xreg 0 -raw")) == {"x0": small(number)}
    word = raw(stages_gdb.cmd("xreg -raw"))["x1"]
    assert stages_gdb.cmd(f"eterm {word:#x}").strip() == PAYLOAD
    assert registers(stages_gdb.cmd("xreg -raw"))["x1"] == PAYLOAD


def test_registers_in_expressions(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:in_catch/2", "stages:all/3")
    number = int(registers(stages_gdb.cmd("xreg 0"))["x0"])
    assert stages_gdb.cmd("p $_xreg(0)").endswith(f" = {number}\n")
    assert stages_gdb.cmd("p/x $_xreg(0)").endswith(f" = {small(number):#x}\n")
    assert stages_gdb.cmd("p $_xreg(0) >> 4").endswith(f" = {number}\n")
    assert stages_gdb.cmd("p x0").endswith(f" = {number}\n")
    assert stages_gdb.cmd("p/x x0").endswith(f" = {small(number):#x}\n")
    assert stages_gdb.cmd("p x1").endswith(f" = {PAYLOAD}\n")
    assert stages_gdb.cmd("eterm x1").strip() == stages_gdb.cmd("eterm $_xreg(1)").strip() == PAYLOAD
    assert f"x1 = {PAYLOAD}\n" in stages_gdb.cmd("info locals")


def test_outer_frames_have_none(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    stages_gdb.cmd("up")
    for command in ("xreg", "xreg 0", "p $_xreg(0)", "freg", "freg 0"):
        message = one_line_error(stages_gdb, command)
        assert "not available in stages:leaf/3" in message
    assert registers(stages_gdb.cmd("yreg")).keys() == {"y0", "y1"}
    stages_gdb.cmd("frame 0")


def test_x_registers_during_a_bif(stages_gdb: Gdb) -> None:
    """A BIF runs with the arguments that the Erlang function has put into x registers."""
    go_to(stages_gdb, "md5_1", "stages:in_bif/2")
    assert registers(stages_gdb.cmd("xreg 0")) == {"x0": '<<"some data">>'}


# -- y registers ------------------------------------------------------------------------------------------------------


def test_y_registers(looking: Looking) -> None:
    gdb = looking.gdb
    inner = registers(gdb.cmd("yreg"))
    looking.up_to("stages:in_nif/2")
    assert registers(gdb.cmd("yreg")) == inner
    assert list(inner) == ["y0", "y1"]
    assert PAYLOAD in inner.values()
    for number in range(2):
        assert registers(gdb.cmd(f"yreg {number}")) == {f"y{number}": inner[f"y{number}"]}
        assert gdb.cmd(f"p $_yreg({number})").endswith(f" = {inner[f'y{number}']}\n")
        assert gdb.cmd(f"eterm y{number}") == inner[f"y{number}"] + "\n"
        assert gdb.cmd(f"p y{number}").endswith(f" = {inner[f'y{number}']}\n")
        assert gdb.cmd(f"p $_streq($_eterm(y{number}), $_eterm($_yreg({number})))").endswith(" = 1\n")
    words = raw(gdb.cmd("yreg -raw"))
    assert {name: gdb.cmd(f"eterm {word:#x}").strip() for name, word in words.items()} == inner
    assert local_variables(gdb) == inner
    assert gdb.cmd("p y2").endswith(" = <optimized out>\n")
    assert "there is no y register 2" in one_line_error(gdb, "yreg 2")
    assert "there is no y register 2" in one_line_error(gdb, "p $_yreg(2)")
    assert "there is no y register 2" in one_line_error(gdb, "eterm y2")


def test_y_registers_of_outer_frames(looking: Looking) -> None:
    gdb = looking.gdb
    looking.up_to("stages:round/2")
    outer = registers(gdb.cmd("yreg"))
    assert PAYLOAD in outer.values()
    assert local_variables(gdb) == outer
    gdb.cmd("up")
    (number,) = registers(gdb.cmd("yreg")).values()
    assert number in outer.values()
    assert local_variables(gdb) == {"y0": number}


def test_both_kinds_are_local_variables(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:leaf/3", "stages:protected/2")
    assert local_variables(stages_gdb)["x0"] == "first"
    assert not any(name.startswith("y") for name in local_variables(stages_gdb))
    stages_gdb.cmd("up")
    assert local_variables(stages_gdb) == registers(stages_gdb.cmd("yreg"))


def test_a_frame_without_y_registers(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    assert "no y registers" in stages_gdb.cmd("yreg")
    assert "there is no y register 0" in one_line_error(stages_gdb, "yreg 0")


# -- float registers --------------------------------------------------------------------------------------------------


def test_float_registers(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:scale/2", "stages:in_floats/2")
    arguments = registers(stages_gdb.cmd("xreg"))
    product = float(arguments["x0"]) * 2.5 + 0.125
    assert arguments["x1"] == "2.5"
    stages_gdb.cmd(f"tbreak stages.erl:{line_of('stages', 'Product / 8.0')}")
    stages_gdb.go("continue", timeout=SOON)
    floats = registers(stages_gdb.cmd("freg"))
    assert float(floats["f0"]) == product
    assert list(floats) == [f"f{number}" for number in range(16)]
    assert registers(stages_gdb.cmd("freg 0")) == registers(stages_gdb.cmd("freg f0")) == {"f0": repr(product)}


# -- conditions -------------------------------------------------------------------------------------------------------


def test_a_condition_on_a_term(stages_gdb: Gdb) -> None:
    never = breakpoint_number(stages_gdb.cmd('break -function stages:third/1 if $_streq($_eterm(x0), "other")'))
    there = breakpoint_number(
        stages_gdb.cmd('break -function stages:third/1 if $_streq($_eterm(x0), "<<\\"third\\">>")')
    )
    try:
        stop = stages_gdb.go("continue", timeout=SOON)
    finally:
        stages_gdb.cmd(f"delete {never} {there}")
    assert stop.reason == "breakpoint-hit"
    assert int(stop.results["bkptno"]) == there
    assert "Error in testing" not in stop.text
    assert stages_gdb.cmd("p x0").endswith(' = <<"third">>\n')


def test_a_condition_on_a_word(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:in_catch/2", "stages:all/3")
    wanted = int(registers(stages_gdb.cmd("xreg 0"))["x0"]) + 5
    condition = f"$_xreg(0) == ({wanted} << 4 | 15)"
    number = breakpoint_number(stages_gdb.cmd(f"break -function stages:in_catch/2 if {condition}"))
    try:
        stages_gdb.go("continue", timeout=SOON)
        assert "already hit 1 time" in stages_gdb.cmd(f"info breakpoints {number}")
    finally:
        stages_gdb.cmd(f"delete {number}")
    assert registers(stages_gdb.cmd("xreg 0")) == {"x0": str(wanted)}


def test_a_condition_in_c(stages_gdb: Gdb) -> None:
    """y registers of the Erlang function that has called the C function."""
    go_to(stages_gdb, "stage_reached", "stages:in_nif/2")
    rounds = [number for number in range(2) if registers(stages_gdb.cmd("yreg"))[f"y{number}"] != PAYLOAD]
    wanted = int(registers(stages_gdb.cmd("yreg"))[f"y{rounds[0]}"]) + 3
    number = breakpoint_number(
        stages_gdb.cmd(f"break -function stage_reached if $_yreg({rounds[0]}) == ({wanted} << 4 | 15)")
    )
    try:
        stages_gdb.go("continue", timeout=SOON)
    finally:
        stages_gdb.cmd(f"delete {number}")
    assert registers(stages_gdb.cmd("yreg"))[f"y{rounds[0]}"] == str(wanted)


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    ["xreg -1", "xreg 1024", "xreg foo", "xreg y1", "xreg 1 2", "yreg -1", "yreg 99999", "yreg x0", "freg 16", "freg x",
     "p $_xreg()", "p $_xreg(-1)", "p $_xreg(1, 2)", "p $_yreg(-1)", "p $_eterm()"],
)  # fmt: skip
def test_errors(stages_gdb: Gdb, command: str) -> None:
    go_to(stages_gdb, "stages:leaf/3", "stages:protected/2")
    one_line_error(stages_gdb, command)


@pytest.mark.parametrize("command", ["xreg", "yreg", "freg", "p $_xreg(0)", "p $_yreg(0)"])
def test_a_thread_without_erlang(looking: Looking, command: str) -> None:
    looking.gdb.cmd(f"thread {len(looking.gdb.cmd('info threads').splitlines()) - 1}")
    with pytest.raises(GdbError):
        looking.gdb.cmd("frame function stages:loop")
    assert "no Erlang function" in one_line_error(looking.gdb, command)


@pytest.mark.parametrize("command", ["xreg", "yreg", "freg"])
def test_help(looking: Looking, command: str) -> None:
    assert f"Usage: {command}" in looking.gdb.cmd(f"help {command}")
