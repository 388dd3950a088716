"""The place that `beam-context` shows, and after each stop that a user sees `set beam-context on`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.harness.erl import Node, compile_demo, running_node
from tests.harness.gdb import REPOSITORY, Gdb, batch, one_line_error

SHOP = REPOSITORY / "demo" / "shop.erl"
LINE = r"\{(tea,2,450|'rye bread',1,620|diamond,3,1180591620717411303424)\}"
SEEN = "-ex", "echo seen\\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node of `make demo`: its process `shop` is always busy."""
    with running_node(compile_demo(tmp_path_factory.mktemp("shop")), "shop:start()", "+S", "1") as node:
        yield node


def typed(shop: Node, *commands: str) -> list[str]:
    """What GDB prints on each of the commands, attached to the node, without an interpreter of a front end."""
    words = (word for command in commands for word in (*SEEN, "-ex", command))
    said = batch("-p", str(shop.pid), *words, load="-ix")
    return said.split("seen\n")[1:]


def sections(said: str) -> dict[str, list[str]]:
    """The lines of each section, and those before under an empty name."""
    found: dict[str, list[str]] = {"": []}
    for line in said.splitlines():
        heading = re.fullmatch(r"-- (\w+)(: .*?)? -+", line)
        if heading:
            assert heading[1] not in found
        found.setdefault(heading[1] if heading else list(found)[-1], []).extend([] if heading else [line])
    return found


def source_line(text: str) -> str:
    """A line of the shop as it is marked where the program is there."""
    lines = SHOP.read_text(encoding="utf-8").splitlines()
    number = next(number for number, line in enumerate(lines, 1) if line.startswith(text))
    return f"=> {number}  {lines[number - 1]}"


def test_after_each_stop_that_a_user_sees(shop: Node) -> None:
    """Once, behind what GDB prints, of which the arguments are not told twice; steps of a step are no stops."""
    *_, at, stepped, twice, out, _ = typed(
        shop, "set beam-context on", "beam-break -temporary shop:price/1", "continue", "beam-next", "beam-next 2",
        "beam-finish", "detach",
    )  # fmt: skip
    found = sections(at)
    assert found[""][-2:] == [
        next(line for line in found[""] if "hit Temporary breakpoint" in line),
        source_line("price(").removeprefix("=> ").replace("  ", "\t", 1),
    ]
    assert source_line("price(") in found["source"]
    assert len(found["source"]) == 10
    assert re.fullmatch(rf"x0 +{LINE}", found["registers"][0])
    process, first, second, *_ = found["stack"]
    assert re.fullmatch(r"Process <0\.\d+\.0> shop, .*: running on thread \d+ .*", process)
    assert re.fullmatch(r"=> #0  0x[0-9a-f]+ in shop:price/1\+0 at .*shop\.erl:\d+", first)
    assert re.fullmatch(r"   #1  0x[0-9a-f]+ in shop:'-total/2-fun-0-'/2\+\d+ at .*shop\.erl:\d+", second)
    assert found["stack"][-1] == "(1 more frame: `beam-bt`)"
    assert source_line("    Seal = ") in sections(stepped)["source"]
    assert [line[:2] for line in sections(twice)["source"]].count("=>") == 1
    assert re.search(r" in lists:foldl(_1)?/3\+", sections(out)["stack"][1])  # as which calls the fun
    assert "(none is known to be in use here" in "\n".join(sections(out)["registers"])


def test_not_after_others(shop: Node) -> None:
    """Stops of which GDB itself is told to say nothing, and before it was wanted."""
    said = typed(
        shop, "show beam-context", "tbreak -function shop:price/1", "continue", "set beam-context on",
        "python gdb.Breakpoint('-function shop:total/2', temporary=True).commands = 'silent\\nend'", "continue",
        "show beam-context", "set beam-context off", "beam-next", "detach",
    )  # fmt: skip
    assert "-- source" not in "".join(said)
    assert said[0] == "The place is not shown after each stop.\n"
    assert said[6] == "The place is shown after each stop.\n"


def test_where_no_erlang_runs(shop: Node) -> None:
    """After Ctrl-C too one line says so, once."""
    attached, *_ = typed(shop, "beam-context", "detach")
    assert re.fullmatch(r"(No thread runs Erlang|Thread \d+ runs Erlang, ).*\n", attached)


def test_without_a_vm() -> None:
    said = batch("-ex", "set beam-context on", "-ex", "beam-context", "-ex", "run", "/bin/true", load="-ix")
    assert "-- " not in said
    assert said.count("beamgdb: ") == 0
    assert "beam-context" not in said.splitlines()[0]


@pytest.fixture(scope="module")
def gdb(shop: Node) -> Iterator[Gdb]:
    """A session of a front end, in a call of shop:price/1."""
    with Gdb() as session:
        session.attach(shop.pid)
        session.cmd("set beam-context on")
        session.cmd("beam-break -temporary shop:price/1")
        stop = session.go("continue")
        assert "-- source" not in stop.text + session.cmd("echo")
        yield session
        session.cmd("detach")


def test_to_a_front_end_only_when_it_asks(gdb: Gdb) -> None:
    found = sections(gdb.cmd("beam-context"))
    assert list(found) == ["", "source", "stack", "registers"]
    assert source_line("price(") in found["source"]


def test_the_selected_frame(gdb: Gdb) -> None:
    gdb.cmd("up 3")
    try:
        found = sections(gdb.cmd("beam-context source stack registers"))
        assert source_line("    Sum = lists:foldl(") in found["source"]
        (selected,) = (line for line in found["stack"] if line.startswith("=>"))
        assert " in shop:total/2+" in selected
        assert any(re.fullmatch(r" +y\d+ = x1 = #\{(.*,)?discount => .*", line) for line in found["stack"])
        (why,) = found["registers"]
        assert why.startswith("(x registers are not available in shop:total/2: it has called another function")
    finally:
        gdb.cmd("frame 0")


def test_sections(gdb: Gdb) -> None:
    gdb.cmd("set beam-context-sections code, stack code")
    assert gdb.cmd("show beam-context-sections") == "The sections are code, stack.\n"
    found = sections(gdb.cmd("beam-context"))
    assert list(found) == ["", "code", "stack"]
    (current,) = (line for line in found["code"] if line.startswith("=>"))
    assert current in gdb.cmd("beam-disas").splitlines()
    assert "'none' is no section: there are source" in one_line_error(gdb, "set beam-context-sections stack none")
    assert "a section is wanted" in one_line_error(gdb, "set beam-context-sections")
    assert gdb.cmd("show beam-context-sections") == "The sections are code, stack.\n"
    assert "'none' is no section: there are source" in one_line_error(gdb, "beam-context none")
    gdb.cmd("set beam-context-sections source stack registers")


def test_code_where_there_is_no_source(gdb: Gdb) -> None:
    gdb.cmd(f"set substitute-path {SHOP.parent} /nowhere")
    try:
        found = sections(gdb.cmd("beam-context"))
        assert list(found) == ["", "code", "stack", "registers"]
        assert any(line.startswith("=>") for line in found["code"])
    finally:
        gdb.cmd("unset substitute-path")


@pytest.mark.parametrize("width", [30, 80])
def test_lines_fit(gdb: Gdb, width: int) -> None:
    gdb.cmd(f"set width {width}")
    try:
        lines = gdb.cmd("beam-context source stack registers code").splitlines()
        assert max(map(len, lines)) == width - 1
        assert any(line.endswith("...") for line in lines)
    finally:
        gdb.cmd("set width 0")
