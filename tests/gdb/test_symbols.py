"""GDB's own commands about symbols, lines and code, on Erlang code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gdb.stages import SOON, breakpoint_number, functions, go_to, line_of, read_backtrace, read_frames
from tests.harness import gdb_facts
from tests.harness.erl import Node, running_node
from tests.harness.gdb import Gdb, GdbError

ODD = "'odd.Module':'weird name'/1"


@pytest.fixture(scope="module")
def node(ebin: Path) -> Iterator[Node]:
    with running_node(ebin, "stages:start(), busy:start(), 'odd.Module':start()") as node:
        yield node


@pytest.fixture(scope="module")
def gdb(node: Node) -> Iterator[Gdb]:
    """A session attached to a node with stages.erl, busy.erl and odd.Module.erl."""
    with Gdb() as session:
        session.attach(node.pid)
        yield session


def address_of(gdb: Gdb, name: str) -> int:
    """Where a function starts, as GDB knows it."""
    match = re.search(r"starts at address (0x[0-9a-f]+)", gdb.cmd(f"info line -function {name}"))
    assert match
    return int(match[1], 16)


# -- names, addresses, lines ------------------------------------------------------------------------------------------


def test_info_symbol(gdb: Gdb) -> None:
    start = address_of(gdb, "stages:third/1")
    assert gdb.cmd(f"info symbol {start:#x}").startswith("stages:third/1 in section ")
    assert gdb.cmd(f"info symbol {start + 5:#x}").startswith("stages:third/1 + 5 in section ")
    assert "stages:third/1" in gdb.cmd("info address stages:third/1")


def test_a_symbol_is_as_long_as_its_function(gdb: Gdb) -> None:
    """Every address from one function to the next belongs to the first or to data between them."""
    names = set(re.findall(r"\b(stages:[^\s(]+/\d+)\(", gdb.cmd("info functions -q ^stages:")))
    assert {"stages:loop/1", "stages:third/1", "stages:module_info/0", "stages:start/0"} <= names
    start = address_of(gdb, "stages:third/1")
    for offset in range(0, 400, 4):
        owner = gdb.cmd(f"info symbol {start + offset:#x}")
        if not owner.startswith("stages:third/1"):
            break
        assert owner.startswith("stages:third/1 + " if offset else "stages:third/1 in")
    else:
        raise AssertionError("the symbol does not end")
    assert offset > 40


def test_info_line(gdb: Gdb) -> None:
    line = line_of("stages", "byte_size(Binary).")
    head = line_of("stages", "third(Binary) ->")
    assert re.match(rf'Line {head} of "stages\.erl" starts at address', gdb.cmd("info line -function stages:third/1"))
    start = address_of(gdb, "stages:third/1")
    assert f'Line {line} of "stages.erl"' in gdb.cmd(f"info line *{start + 24:#x}")
    assert "stages:third/1" in gdb.cmd(f"info line stages.erl:{line}")


def test_list(gdb: Gdb) -> None:
    line = line_of("stages", "byte_size(Binary).")
    shown = gdb.cmd("list -function stages:third/1")
    assert f"{line}\t    byte_size(Binary).\n" in shown
    assert "    Size = third(Third),\n" in gdb.cmd(f"list stages.erl:{line - 4},{line}")


def test_list_of_the_installed_sources(gdb: Gdb, node: Node) -> None:
    if not list(node.release.root.glob("lib/stdlib-*/src/lists.erl")):
        pytest.skip("not installed: erlang-src")
    assert re.search(r"^\d+\tmap\(F, ", gdb.cmd("list -function lists:map/2"), re.M)


def test_disassemble(gdb: Gdb, node: Node) -> None:
    shown = gdb.cmd("disassemble 'stages:third/1'")
    assert shown.startswith("Dump of assembler code for function stages:third/1:\n")
    assert shown.endswith("End of assembler dump.\n")
    assert re.search(r"<\+0>:\t", shown)
    assert "\tret" in shown
    # In OTP 27 what is shared is called by way of jumps behind the module's functions.
    assert ("global::" in shown) == (node.release.otp < 27)
    start = address_of(gdb, "stages:third/1")
    assert len(gdb.cmd(f"x/3i {start:#x}").splitlines()) == 3
    assert "<stages:third/1>:" in gdb.cmd(f"x/i {start:#x}")
    assert "stages.erl:" in gdb.cmd("disassemble /s 'stages:third/1'")
    assert "byte_size(Binary)" in gdb.cmd("disassemble /s 'stages:third/1'")


def test_info_scope(gdb: Gdb) -> None:
    shown = gdb.cmd("info scope -function stages:leaf/3")
    for number in range(3):
        assert re.search(rf"Symbol x{number} is .*", shown)
    assert "Eterm" in gdb.cmd("whatis (Eterm)0")


def test_shared_fragments(gdb: Gdb) -> None:
    assert "global::garbage_collect" in gdb.cmd("info functions ^global::garbage_collect$")
    assert "global::process_main" in gdb.cmd("info address global::process_main")


# -- breakpoints ------------------------------------------------------------------------------------------------------


def continue_to(gdb: Gdb, number: int) -> None:
    stop = gdb.go("continue", timeout=SOON)
    assert stop.reason == "breakpoint-hit"
    assert int(stop.results["bkptno"]) == number
    gdb.cmd(f"delete {number}")


def innermost(gdb: Gdb) -> str:
    return read_frames(gdb.cmd("bt 1"))[0].function


def test_break_by_function(gdb: Gdb) -> None:
    text = gdb.cmd("break -function stages:third/1")
    assert "file stages.erl, line" in text
    assert "pending" not in text
    continue_to(gdb, breakpoint_number(text))
    frame, caller = read_frames(gdb.cmd("bt 2"))
    assert frame.function == "stages:third/1"
    # Two functions call it, and the target may have been stopped before either.
    given = {"stages:leaf/3": ["third"], "stages:in_lines/2": ["one", "two", "three"]}
    assert gdb.cmd("p x0").partition(" = ")[2].strip() in [f'<<"{text}">>' for text in given[caller.function]]


def test_break_at_the_entry_has_all_arguments(gdb: Gdb) -> None:
    """Before the function has done anything."""
    continue_to(gdb, breakpoint_number(gdb.cmd("break -function stages:leaf/3")))
    assert gdb.cmd("x/i $pc").startswith("=> ")
    (frame,) = read_frames(gdb.cmd("bt 1"))
    assert frame.arguments["x0"] == "first"
    assert frame.arguments["x2"] == '<<"third">>'
    assert "<not available>" not in frame.arguments.values()


def test_tbreak_is_hit_once(gdb: Gdb) -> None:
    text = gdb.cmd("tbreak -function stages:third/1")
    assert text.startswith("Temporary breakpoint")
    assert gdb.go("continue", timeout=SOON).reason == "breakpoint-hit"
    assert innermost(gdb) == "stages:third/1"
    assert "stages:third/1" not in gdb.cmd("info breakpoints", check=False)


def test_break_by_line(gdb: Gdb) -> None:
    line = line_of("stages", "Two = third(")
    continue_to(gdb, breakpoint_number(gdb.cmd(f"break stages.erl:{line}")))
    (frame,) = read_frames(gdb.cmd("bt 1"))
    assert (frame.function, frame.place) == ("stages:in_lines/2", f"stages.erl:{line}")


def test_break_on_a_fragment(gdb: Gdb) -> None:
    number = breakpoint_number(gdb.cmd("break -function global::call_light_bif_shared"))
    continue_to(gdb, number)
    assert innermost(gdb) == "global::call_light_bif_shared"


def test_atoms_that_need_quotes(gdb: Gdb) -> None:
    assert ODD in gdb.cmd("info functions weird")
    continue_to(gdb, breakpoint_number(gdb.cmd(f'break -function "{ODD}"')))
    shown = read_frames(gdb.cmd("bt"))
    assert functions(shown)[:2] == [ODD, "'odd.Module':'a loop'/1"]
    assert re.fullmatch(r"\{'an argument',\d+\}", shown[0].arguments["x0"])
    assert shown[0].place.startswith("odd.Module.erl:")
    assert gdb.cmd("info symbol $pc").startswith(ODD)
    text = gdb.cmd("beam-bt 'odd process'")
    assert " 'odd process', spawned as 'odd.Module':'a loop'/1: " in read_backtrace(text).heading
    assert gdb_facts.completed("beam-bt 'odd", "beam-bt 'odd process'") in gdb.cmd("complete beam-bt 'odd").splitlines()


def test_unknown_functions(gdb: Gdb) -> None:
    for wrong in ("stages:third/2", "nomodule:f/1"):
        assert "not defined" in gdb.cmd(f"info line -function {wrong}", check=False)
        with pytest.raises(GdbError):
            gdb.cmd(f"list -function {wrong}")


def test_breakpoints_survive_detaching(stages_gdb: Gdb) -> None:
    pid = re.search(r"process (\d+)", stages_gdb.cmd("info inferiors"))
    assert pid
    number = breakpoint_number(stages_gdb.cmd("break -function stages:third/1"))
    stages_gdb.go("continue", timeout=SOON)
    stages_gdb.cmd("detach")
    stages_gdb.attach(int(pid[1]))
    continue_to(stages_gdb, number)
    assert innermost(stages_gdb) == "stages:third/1"


# -- stepping ---------------------------------------------------------------------------------------------------------


CALLS = ("One = third(", "Two = third(", "Three = third(")


@pytest.fixture
def at_lines(stages_gdb: Gdb) -> Gdb:
    """Stopped in stages:in_lines/2 at the first of its calls."""
    go_to(stages_gdb, "stages:in_lines/2", "stages:all/3")
    if place(stages_gdb) != lines()[0]:
        stages_gdb.go("next", timeout=SOON)
    assert place(stages_gdb) == lines()[0]
    return stages_gdb


def place(gdb: Gdb) -> tuple[str, str]:
    (frame,) = read_frames(gdb.cmd("bt 1"))
    return frame.function, frame.place


def lines() -> list[tuple[str, str]]:
    """Places of the calls in stages:in_lines/2."""
    return [("stages:in_lines/2", f"stages.erl:{line_of('stages', call)}") for call in CALLS]


def test_next(at_lines: Gdb) -> None:
    """Over calls, and out of the function at its end."""
    for expected in lines()[1:]:
        stop = at_lines.go("next", timeout=SOON)
        assert stop.reason == "end-stepping-range"
        assert place(at_lines) == expected
    at_lines.go("next", timeout=SOON)
    assert place(at_lines)[0] in ("stages:all/3", "stages:round/2", "stages:loop/1")


def test_step(at_lines: Gdb) -> None:
    """Into the function that is called, and out again."""
    at_lines.go("step", timeout=SOON)
    assert place(at_lines)[0] == "stages:third/1"
    assert at_lines.cmd("p x0").endswith(' = <<"one">>\n')
    for _ in range(3):
        at_lines.go("step", timeout=SOON)
        if place(at_lines)[0] != "stages:third/1":
            break
    assert place(at_lines) in lines()[:2]


def test_finish(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    stop = stages_gdb.go("finish", timeout=SOON)
    assert stop.reason == "function-finished"
    assert "Run till exit" in stop.text
    assert place(stages_gdb)[0] == "stages:leaf/3"
    # The result is in x0.
    assert stages_gdb.cmd("xreg 0").split() == ["x0", "5"]


def test_finish_out_of_c(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stage_reached", "stages:in_nif/2")
    stages_gdb.go("finish", timeout=SOON)
    stages_gdb.go("finish", timeout=SOON)
    stages_gdb.go("finish", timeout=SOON)
    assert place(stages_gdb)[0] == "global::call_nif_shared"
    stages_gdb.go("finish", timeout=SOON)
    assert place(stages_gdb)[0] == "stages:in_nif/2"
    assert stages_gdb.cmd("xreg 0").split(maxsplit=1)[1].strip() == "{{argument,3},{argument,3}}"


def test_finish_an_outer_frame(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    stages_gdb.cmd("up")
    stages_gdb.go("finish", timeout=SOON)
    assert place(stages_gdb)[0] == "stages:protected/2"
    assert stages_gdb.cmd("xreg 0").split(maxsplit=1)[1].startswith("{first,")


def test_finish_over_a_collection(stages_gdb: Gdb) -> None:
    """The stack moves meanwhile; the frame is still found."""
    go_to(stages_gdb, "erts_garbage_collect_nobump", "stages:make/2")
    stages_gdb.go("finish", timeout=SOON)
    assert place(stages_gdb)[0] == "global::garbage_collect"
    stages_gdb.go("finish", timeout=SOON)
    assert place(stages_gdb)[0] == "stages:make/2"
    stages_gdb.go("finish", timeout=SOON)
    assert place(stages_gdb)[0] == "stages:in_gc/2"


def test_until_and_advance(at_lines: Gdb) -> None:
    first, second, third = lines()
    at_lines.go(f"advance {second[1]}", timeout=SOON)
    assert place(at_lines) == second
    at_lines.go(f"until {third[1]}", timeout=SOON)
    assert place(at_lines) == third


def test_until_the_next_line(at_lines: Gdb) -> None:
    at_lines.go("until", timeout=SOON)
    assert place(at_lines) == lines()[1]


def test_stepi_and_nexti(at_lines: Gdb) -> None:
    for _ in range(60):
        at_lines.go("nexti", timeout=SOON)
        assert place(at_lines)[0] != "stages:third/1"
        if place(at_lines) == lines()[1]:
            return
    raise AssertionError("the next line was not reached")
