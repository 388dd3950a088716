"""GDB's own commands about symbols, lines and code, on Erlang code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gdb.stages import SOON, breakpoint_number, functions, go_to, read_backtrace, read_frames
from tests.harness.erl import Node, running_node
from tests.harness.gdb import Gdb, GdbError

ODD = "'Elixir.Odd':'weird name'/1"


@pytest.fixture(scope="module")
def node(ebin: Path) -> Iterator[Node]:
    with running_node(ebin, "stages:start(), busy:start(), 'Elixir.Odd':start()") as node:
        yield node


@pytest.fixture(scope="module")
def gdb(node: Node) -> Iterator[Gdb]:
    """A session attached to a node with stages.erl, busy.erl and Elixir.Odd.erl."""
    with Gdb() as session:
        session.attach(node.pid)
        yield session


def address_of(gdb: Gdb, name: str) -> int:
    """Where a function starts, as GDB knows it."""
    match = re.search(r"starts at address (0x[0-9a-f]+)", gdb.cmd(f"info line -function {name}"))
    assert match
    return int(match[1], 16)


def line_of(ebin: Path, module: str, text: str) -> int:
    """The number of the first line of a module of tests/erl that has this text."""
    del ebin
    source = Path(__file__).parent.parent / "erl" / f"{module}.erl"
    return next(number for number, line in enumerate(source.read_text().splitlines(), 1) if text in line)


# -- names, addresses, lines ------------------------------------------------------------------------------------------


def test_info_symbol(gdb: Gdb) -> None:
    start = address_of(gdb, "stages:third/1")
    assert gdb.cmd(f"info symbol {start:#x}").startswith("stages:third/1 in section ")
    assert gdb.cmd(f"info symbol {start + 5:#x}").startswith("stages:third/1 + 5 in section ")
    assert "stages:third/1" in gdb.cmd("info address stages:third/1")


def test_a_symbol_is_as_long_as_its_function(gdb: Gdb) -> None:
    """Every address from one function to the next belongs to the first or to data between them."""
    functions_of_module = re.findall(r"^ *(0x[0-9a-f]+ +)?(stages:[^:\n]+/\d+)", gdb.cmd("info functions ^stages:"), re.M)
    names = {name for _, name in functions_of_module}
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


def test_info_line(gdb: Gdb, ebin: Path) -> None:
    line = line_of(ebin, "stages", "byte_size(Binary).")
    assert re.match(rf'Line {line} of "stages\.erl" starts at address', gdb.cmd("info line -function stages:third/1"))
    start = address_of(gdb, "stages:third/1")
    assert f'Line {line} of "stages.erl"' in gdb.cmd(f"info line *{start + 8:#x}")
    assert "stages:third/1" in gdb.cmd(f"info line stages.erl:{line}")


def test_list(gdb: Gdb, ebin: Path) -> None:
    line = line_of(ebin, "stages", "byte_size(Binary).")
    shown = gdb.cmd("list -function stages:third/1")
    assert f"{line}\t    byte_size(Binary).\n" in shown
    assert "    Size = third(Third),\n" in gdb.cmd(f"list stages.erl:{line - 3},{line}")


def test_list_of_the_installed_sources(gdb: Gdb, node: Node) -> None:
    if not list(node.release.root.glob("lib/stdlib-*/src/lists.erl")):
        pytest.skip("not installed: erlang-src")
    assert re.search(r"^\d+\tmap\(F, ", gdb.cmd("list -function lists:map/2"), re.M)


def test_disassemble(gdb: Gdb) -> None:
    shown = gdb.cmd("disassemble 'stages:third/1'")
    assert shown.startswith("Dump of assembler code for function stages:third/1:\n")
    assert shown.endswith("End of assembler dump.\n")
    assert re.search(r"<\+0>:\t", shown)
    assert " ret" in shown
    assert "global::" in shown
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
    assert innermost(gdb) == "stages:third/1"
    assert gdb.cmd("p x0").endswith(' = <<"third">>\n')


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


def test_break_by_line(gdb: Gdb, ebin: Path) -> None:
    line = line_of(ebin, "stages", "{First, Second, Size}.")
    continue_to(gdb, breakpoint_number(gdb.cmd(f"break stages.erl:{line}")))
    (frame,) = read_frames(gdb.cmd("bt 1"))
    assert (frame.function, frame.place) == ("stages:leaf/3", f"stages.erl:{line}")


def test_break_by_quoted_name(gdb: Gdb) -> None:
    continue_to(gdb, breakpoint_number(gdb.cmd("break 'stages:third/1'")))
    assert innermost(gdb) == "stages:third/1"


def test_break_on_a_fragment(gdb: Gdb) -> None:
    number = breakpoint_number(gdb.cmd("break -function global::call_light_bif_shared"))
    continue_to(gdb, number)
    assert innermost(gdb) == "global::call_light_bif_shared"


def test_atoms_that_need_quotes(gdb: Gdb) -> None:
    assert ODD in gdb.cmd("info functions weird")
    continue_to(gdb, breakpoint_number(gdb.cmd(f"break -function {ODD}")))
    shown = read_frames(gdb.cmd("bt"))
    assert functions(shown)[:2] == [ODD, "'Elixir.Odd':'a loop'/1"]
    assert re.fullmatch(r"\{'an argument',\d+\}", shown[0].arguments["x0"])
    assert shown[0].place.startswith("Elixir.Odd.erl:")
    assert gdb.cmd("info symbol $pc").startswith(ODD)
    text = gdb.cmd("beam-bt 'odd process'")
    assert " 'odd process', spawned as 'Elixir.Odd':'a loop'/1: " in read_backtrace(text).heading
    assert "beam-bt 'odd process'" in gdb.cmd("complete beam-bt 'odd").splitlines()


def test_unknown_functions(gdb: Gdb) -> None:
    for wrong in ("stages:third/2", "nomodule:f/1"):
        assert "not defined" in gdb.cmd(f"info line -function {wrong}", check=False)
        with pytest.raises(GdbError):
            gdb.cmd(f"list -function {wrong}")


def test_breakpoints_survive_detaching(node: Node) -> None:
    with Gdb() as session:
        session.attach(node.pid)
        number = breakpoint_number(session.cmd("break -function stages:third/1"))
        session.go("continue", timeout=SOON)
        session.cmd("detach")
        session.attach(node.pid)
        continue_to(session, number)
        assert innermost(session) == "stages:third/1"


# -- stepping ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_leaf(stages_gdb: Gdb) -> Gdb:
    """Stopped at the entry of stages:leaf/3."""
    go_to(stages_gdb, "stages:leaf/3", "stages:protected/2")
    return stages_gdb


def place(gdb: Gdb) -> tuple[str, str]:
    (frame,) = read_frames(gdb.cmd("bt 1"))
    return frame.function, frame.place


def lines_of_leaf() -> tuple[int, int, int]:
    source = (Path(__file__).parent.parent / "erl" / "stages.erl").read_text().splitlines()
    texts = ("    Size = third(Third),", "    {First, Second, Size}.", "    byte_size(Binary).")
    first, second, third = (source.index(text) + 1 for text in texts)
    return first, second, third


def test_next(at_leaf: Gdb) -> None:
    call, after, _ = lines_of_leaf()
    if place(at_leaf)[1] != f"stages.erl:{call}":
        at_leaf.go("next", timeout=SOON)
    assert place(at_leaf) == ("stages:leaf/3", f"stages.erl:{call}")
    at_leaf.go("next", timeout=SOON)
    assert place(at_leaf) == ("stages:leaf/3", f"stages.erl:{after}")
    at_leaf.go("next", timeout=SOON)
    assert place(at_leaf)[0] == "stages:protected/2"


def test_step(at_leaf: Gdb) -> None:
    _, after, inside = lines_of_leaf()
    for _ in range(2):
        at_leaf.go("step", timeout=SOON)
        if place(at_leaf)[0] != "stages:leaf/3":
            break
    assert place(at_leaf) == ("stages:third/1", f"stages.erl:{inside}")
    assert at_leaf.cmd("p x0").endswith(' = <<"third">>\n')
    at_leaf.go("step", timeout=SOON)
    assert place(at_leaf)[0] == "stages:leaf/3"
    del after


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


def test_finish_an_outer_frame(at_leaf: Gdb) -> None:
    at_leaf.cmd("up")
    at_leaf.go("finish", timeout=SOON)
    assert place(at_leaf)[0] == "stages:in_catch/2"


def test_finish_over_a_collection(stages_gdb: Gdb) -> None:
    """The stack moves meanwhile; the frame is still found."""
    go_to(stages_gdb, "erts_garbage_collect_nobump", "stages:make/2")
    stages_gdb.go("finish", timeout=SOON)
    assert place(stages_gdb)[0] == "global::garbage_collect"
    stages_gdb.go("finish", timeout=SOON)
    assert place(stages_gdb)[0] == "stages:make/2"
    stages_gdb.go("finish", timeout=SOON)
    assert place(stages_gdb)[0] == "stages:in_gc/2"


def test_until_and_advance(at_leaf: Gdb) -> None:
    _, after, _ = lines_of_leaf()
    at_leaf.go(f"advance stages.erl:{after}", timeout=SOON)
    assert place(at_leaf) == ("stages:leaf/3", f"stages.erl:{after}")
    go_to(at_leaf, "stages:leaf/3", "stages:protected/2")
    at_leaf.go(f"until stages.erl:{after}", timeout=SOON)
    assert place(at_leaf) == ("stages:leaf/3", f"stages.erl:{after}")
    go_to(at_leaf, "stages:leaf/3", "stages:protected/2")
    at_leaf.go("until", timeout=SOON)
    assert place(at_leaf)[0] in ("stages:leaf/3", "stages:third/1")
