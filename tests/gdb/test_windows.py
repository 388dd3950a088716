"""What users see who stay at GDB's own prompt, on screens of two sizes: the place after each stop, and windows of
GDB's TUI."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.gdb.stages import source_line
from tests.harness.erl import Node, compile_demo, running_node
from tests.harness.gdb import GDB, arguments
from tests.harness.terminal import COLUMNS, LINES, Terminal, terminal

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="not installed: tmux")

ALL_PIDS = 'io:format("pids ~w~n", [processes() -- [self()]])'
BORDER = "[│|x]"
WIDE = 200, 60


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node of `make demo`, which has told of its processes."""
    ebin = compile_demo(tmp_path_factory.mktemp("shop"))
    with running_node(ebin, f"shop:start(), {ALL_PIDS}", "+S", "1") as node:
        yield node


@pytest.fixture(scope="module")
def seat(shop: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal at which GDB shows the node, just attached to."""
    # With the size of the terminal, which settings of tests take away.
    sized = ("-iex", f"set width {COLUMNS}", "-iex", f"set height {LINES}")
    with terminal(arguments(GDB, "-ix", *sized, "-p", str(shop.pid)), tmp_path_factory.mktemp("terminal")) as seat:
        seat.awaited(r"^\(gdb\)$")
        yield seat


def test_the_place_after_a_stop(seat: Terminal) -> None:
    """In what a small screen has room for."""
    seat.type("set beam-context on")
    seat.type("set beam-context-sections source registers")
    seat.type("beam-break -temporary shop:price/1")
    seat.awaited("^Temporary breakpoint")
    seat.type("continue")
    screen = seat.awaited(r"^-- registers -+\n(?s:.*)^\(gdb\)$")
    assert source_line("price(") in screen
    assert re.search(r"^-- source: .*\n(.*\n){10}-- registers -+\nx0 +\{", screen, re.M)
    seat.type("set beam-context off")


def test_windows(seat: Terminal, shop: Node) -> None:
    seat.type("layout beam-all")
    small = seat.awaited(r"PID +")
    assert len(small.splitlines()) <= LINES
    assert f"{source_line('price(')[:28]}" in small
    assert re.search(rf"{BORDER}x0 +\{{", small)
    assert re.search(rf"{BORDER}=> #0 +0x[0-9a-f]+ in shop:price/1", small)
    seat.resize(*WIDE)
    seat.type("up 3")
    wide = seat.awaited(rf"{BORDER}=> #3 +0x[0-9a-f]+ in shop:total/2")
    assert source_line("    Sum = lists:foldl(") in wide
    shown = re.findall(rf"{BORDER}(<0\.\d+\.0>) ", wide)
    said = re.findall(r"<0\.\d+\.0>", shop.said)
    assert len(shown) > 10
    assert shown == [pid for pid in said if pid in shown][: len(shown)]
    seat.resize(COLUMNS, LINES)
    seat.type("layout beam")
    seat.type("frame 0")
    screen = seat.awaited(rf"{BORDER}=> #0 +0x[0-9a-f]+ in shop:price/1")
    assert "PID" not in screen
    seat.type("beam-next")
    seat.awaited(re.escape(source_line("    Seal = ")[:22]))
