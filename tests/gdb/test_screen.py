"""The full-screen interface, as a person uses it: at a terminal, on a node that runs and on a core file of one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from beamgdb.screen.targets import nodes
from tests.gdb.conftest import Scene
from tests.gdb.stages import source_line
from tests.harness.erl import Node, compile_demo, running_node
from tests.harness.gdb import GDB, REPOSITORY
from tests.harness.gdbserver import attached
from tests.harness.patience import PATIENCE
from tests.harness.terminal import COLUMNS, LINES, Terminal, terminal
from tests.test_readme import block

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="not installed: tmux")

NAMES = 'io:format("~w~n", [[{whereis(N), N} || N <- registered(), is_pid(whereis(N))]])'
ROW = re.compile(r"^(<0\.\d+\.0>) +(\d+) +(\d+) +(\d+) +(\w+) +(\S+)", re.MULTILINE)
LINE = r"\{(tea,2,450|'rye bread',1,620|diamond,3,1180591620717411303424)\}"
STOPPED = r"^ beamgdb .* stopped: "


KINDS = {
    "bar": r" beamgdb  .+   (stopped|core file): in .+", "title": r"── [0-9x] (Stack|Why|Console)  ─+",
    "process": r"Process <0\.\d+\.0> \w+, spawned as \S+: running on thread \d+( \(\w*\)?)?",
    "frame": r"(=>|  ) #\d+ +\S+ at \S+:\d+", "term": r" {7}[▸▾ ] [xy]\d+( = x\d+)? = .+",
    "part": r" {11}[▸▾ ] .+ = .+", "signal": r"SIG\w+ in thread \d+ \(\w+\)", "place": r"#\d+ +0x[0-9a-f]+ in .+",
    "register": r" {6}[xy]\d+ = .+", "prompt": r"\(gdb\)", "foot": r" \? keys .* q quit",
}  # fmt: skip
"""Lines of the screen, but for what the console has."""


def kinds(shown: str) -> list[str]:
    """Which kinds of lines a screen has, each where the first of it is; and its last line, which is always the same."""
    lines = [line.rstrip() for line in shown.rstrip("\n").split("\n")]
    found = [next((kind for kind, form in KINDS.items() if re.fullmatch(form, line)), "") for line in lines]
    assert "" not in found[: found.index("title", 2)]
    return [*filter(None, dict.fromkeys(found)), lines[-1]]


def in_readme(start: str) -> str:
    """The screen in README.md whose first line begins so."""
    return "\n".join(block(start))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node of `make demo`, which has told the names of its processes."""
    ebin = compile_demo(tmp_path_factory.mktemp("shop"))
    with running_node(ebin, f"shop:start(), {NAMES}", "+S", "1") as node:
        yield node


@contextmanager
def screen(folder: Path, *words: str, colours: bool = True, gdb: str = GDB) -> Iterator[Terminal]:
    """A terminal in which `beamgdb` runs, in that folder."""
    command = (sys.executable, "-m", "beamgdb", "--gdb", gdb, *words)
    environment = {"PYTHONPATH": str(REPOSITORY), "VIRTUAL_ENV": sys.prefix, **({} if colours else {"NO_COLOR": "1"})}
    with terminal(command, folder, environment, folder) as seat:
        yield seat


def gdb_of(seat: Terminal) -> int:
    """The process of the GDB that the screen has started."""
    pid = seat.ask("display-message", "-p", "#{pane_pid}").strip()
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def test_a_node_that_runs(shop: Node, tmp_path: Path) -> None:
    with screen(tmp_path, str(shop.pid)) as seat:
        seat.awaited(STOPPED)
        # Processes are those of the node, with their names.
        seat.press("5")
        first = ROW.findall(seat.awaited(r"^<0\.\d+\.0> "))
        names = dict(re.findall(r"\{(<0\.\d+\.0>),(\w+)\}", shop.said))
        assert len(first) > 10
        assert [name for pid, *_, name in first if pid in names] == [names[pid] for pid, *_ in first if pid in names]
        memory = [int(row[1]) for row in first]
        assert memory == sorted(memory, reverse=True)
        seat.press("/")
        seat.type("name=init")
        found = ROW.findall(seat.awaited(r"^── 5 Processes  /name=init  ─(?s:.*)^<0\.0\.0> (?s:.*)^── 0"))
        assert [pid for pid, *_ in found] == ["<0.0.0>"]
        (node,) = (one for one in nodes() if one.pid == shop.pid)
        assert node.note == f"debugged by process {gdb_of(seat)}"
        # A breakpoint that is typed, and a step.
        seat.press("b")
        seat.type("shop:price/1")
        seat.awaited(r"^Breakpoint 1 in shop:price/1 ")
        seat.press("Escape")
        seat.awaited(r"^ \? keys")
        seat.press("2", "c")
        shown = seat.awaited(
            rf"^ beamgdb .* stopped: breakpoint 1, in shop:price/1 (?s:.*)^{re.escape(source_line('price('))}"
        )
        assert f"\n{'=>':<8}" not in shown
        seat.press("n")
        line = f"^{re.escape(source_line('    Seal = '))}"
        assert len(re.findall(line, seat.awaited(line), re.MULTILINE)) == 1
        # A term is unfolded to what its text has.
        seat.press("3")
        term = re.search(rf"^ +▸ y0 = x0 = {LINE}$", seat.awaited(rf"^ +▸ y0 = x0 = {LINE}$"), re.MULTILINE)
        assert term is not None
        seat.press("Home", "Down", "Down", "Enter")
        unfolded = seat.awaited(r"^ +\[3\] = \d+$")
        assert re.findall(r"^ +\[\d\] = (.*)$", unfolded, re.MULTILINE) == term[1].split(",")
        assert kinds(unfolded) == kinds(in_readme(" beamgdb  shop (pid "))
        # Where another frame is selected, the first line says so.
        seat.press("u")
        seat.awaited(r"^ beamgdb .* stopped: in shop:'-total/2-fun-0-'/2 \(thread \d+\)")
        # It runs on, shown as it was, and is stopped.
        seat.press("9")
        seat.awaited(r"^ +1 +on +1 +shop:price/1 at ")
        seat.press("Delete")
        seat.awaited(r"^\(none\)$")
        seat.press("3", "c")
        assert " in shop:price/1" not in seat.awaited(r"^ beamgdb .* running").splitlines()[0]
        assert term[1] in seat.awaited(r"^── 3 Stack  as of the last stop ")
        seat.press("C-c")
        seat.awaited(r"^ beamgdb .* stopped: interrupted, in ")
        # On a large screen there is more.
        seat.resize(200, 60)
        wide = seat.awaited(r"^── 2 Source .*│── 5 Processes .*\n(?s:.*)^── 3 Stack .*│── 6 Process .*\n")
        assert len(wide.splitlines()) == 60
        seat.resize(COLUMNS, LINES)
        # It is let go, and taken again.
        seat.press(":")
        seat.type("detach")
        seat.awaited(r"^ beamgdb .* R: again; there is no program any more *$")
        seat.press("Escape")
        seat.awaited(r"^ \? keys")
        seat.press("R")
        seat.awaited(STOPPED)
        # GDB dies, and is started again.
        os.kill(gdb_of(seat), signal.SIGKILL)
        seat.awaited(rf"^ beamgdb .* GDB was ended by SIGKILL; process {shop.pid} runs on")
        seat.press("R")
        seat.awaited(STOPPED)
        seat.press("q")
        seat.awaited(r"^Quit\? The node goes on as before\.")
        seat.press("y")
        seat.awaited(r"^Pane is dead \(status 0")
    status = Path(f"/proc/{shop.pid}/status").read_text()
    assert re.search(r"^TracerPid:\t0$", status, re.MULTILINE)
    assert re.search(r"^State:\t[SR] ", status, re.MULTILINE)


def test_a_node_that_is_started(tmp_path: Path) -> None:
    """What it prints is in the console, and whether it is to be ended is asked first."""
    words = ("erl", "-noinput", "-eval", 'io:format("it prints~n"), receive after infinity -> ok end.')
    with screen(tmp_path, "--screen", *words) as seat:
        seat.awaited(r"^ beamgdb  erl -noinput .* c: begin; the program has not begun *$")
        seat.press("c")
        # What was told while there was no program is not told of this one.
        seat.awaited(r"^it prints$")
        seat.awaited(r"^── 2 Source  ─+\n\(the program runs, and this was not asked before: ")
        seat.press("C-c")
        seat.awaited(STOPPED)
        seat.press(":")
        seat.type("run")
        seat.awaited(r"^`run` ends the program\.")
        seat.press("n")
        seat.type("quit 0")
        seat.awaited(r"^Quit\? The node ends with it\.")
        seat.press("n")
        seat.ask("send-keys", "-l", "\x1b[200~echo one\nkill\x1b[201~")
        seat.press("Enter")
        seat.awaited(r"^`kill` ends the program\.")
        seat.press("n")
        seat.type("kill")
        seat.awaited(r"^`kill` ends the program\.")
        seat.press("y")
        seat.awaited(r"^ beamgdb .* c: begin; there is no program any more *$")
        seat.press("Escape")
        seat.awaited(r"^ \? keys")
        # GDB dies, and what has become of the node is told.
        os.kill(gdb_of(seat), signal.SIGKILL)
        seat.awaited(r"^ beamgdb .* R: again; GDB was ended by SIGKILL; process \d+ (is n|has)")
        seat.press("R")
        seat.awaited(r"^ beamgdb .* c: begin; the program has not begun *$")
        seat.press("q")
        seat.awaited(r"^Pane is dead \(status 0")


def test_a_remote_stub(shop: Node, tmp_path: Path) -> None:
    with attached(shop.pid) as (_, address), screen(tmp_path, address) as seat:
        seat.awaited(rf"^ beamgdb  {address}   stopped: in ")
        seat.press("5")
        seat.awaited(r"^<0\.0\.0> .* init$")
        seat.press("q", "y")
        seat.awaited(r"^Pane is dead \(status 0")
    assert "TracerPid:\t0\n" in Path(f"/proc/{shop.pid}/status").read_text()


def test_a_core_file(scene: Scene, tmp_path: Path) -> None:
    """It opens on why, and shows where the program was: in the NIF that stages.erl calls. It is quit at once."""
    with screen(tmp_path, str(scene.core), colours=False) as seat:
        why = seat.awaited(r"^── 1 Why  ─+\nSIG\w+ in thread 1")
        assert re.search(r"^ beamgdb  core   core file: in stage_reached ", why)
        assert kinds(why) == kinds(in_readme(" beamgdb  core.shop "))
        seat.press("3")
        stack = seat.awaited(r"^=> #\d+ +stages:in_nif/2 at stages\.erl:\d+")
        assert re.search(r"^Process <0\.\d+\.0> stages, spawned as stages:loop/1: ", stack, re.MULTILINE)
        assert re.search(r'^ +▸ y\d = x1 = \[payload,"of",<<"round">>\]$', stack, re.MULTILINE), stack
        # A list begins with its first row, below headings that stay.
        seat.press("5")
        seat.awaited(r"^PID +MEMORY▾ .*\n<0")
        by_mouse(seat)
        seat.press("Enter")
        seat.awaited(r"^Process <0\.\d+\.0>")
        seat.press("5", "End")
        seat.awaited(r"^PID +MEMORY▾ .*\n<0")
        seat.press("?")
        seat.awaited(r"^Ctrl-C +stop the program(?s:.*)^ \? or Esc leaves this")
        commands_of_several_lines(seat)
        seat.press("Escape", "q")
        seat.awaited(r"^Pane is dead \(status 0")


def by_mouse(seat: Terminal) -> None:
    """At a list, at its beginning: the wheel scrolls; a click goes to a row, a second one opens what is there."""
    rows = seat.screen().splitlines()
    top = next(number for number, row in enumerate(rows) if row.startswith("<0"))
    first, third = (rows[number].split()[0] for number in (top, top + 2))
    for down, pattern in ((True, f"(?!{first} )<0"), (False, f"{first} ")):
        for _ in range(10):
            seat.roll(top, down=down)
        seat.awaited(rf"^PID +MEMORY▾ .*\n{pattern}")
    seat.click(top + 2)
    seat.click(top + 2)
    seat.awaited(rf"^Process {third}")
    seat.press("5", "Home")
    seat.awaited(rf"^PID +MEMORY▾ .*\n{first} ")


def commands_of_several_lines(seat: Terminal) -> None:
    """GDB asks for each line, and Ctrl-C gives such a command up; what would want a terminal is not begun."""
    seat.press(":")
    for line in ("define twice", "if 1", r"echo two\n", "end"):
        seat.type(line)
        seat.awaited(rf"^(\(gdb\)|>) {re.escape(line)}\n(?s:.*)^>$")
    seat.type("end")
    seat.awaited(r"^> end\n\(gdb\)$")
    seat.type("twice")
    seat.awaited(r"^two\n\(gdb\)$")
    seat.type("python")
    seat.awaited(r"^── 0 Console  python \.\.\. wants more lines, up to `end` ")
    seat.type("print(2 * 21)")
    seat.awaited(r"^> print(?s:.*)^>$")
    seat.press("C-c")
    seat.awaited(r"^\(gdb\)$")
    seat.type("shell")
    assert "\n42\n" not in seat.awaited(r"^shell wants a terminal of its own: `shell COMMAND` ")
    # What a command says is seen while it goes on.
    seat.type("shell echo first; sleep 100")
    seat.awaited(r"^first\n\(gdb\)$")
    seat.press("C-c")
    seat.awaited(r"^── 0 Console  ─")
    seat.type("nonsense")
    assert seat.awaited(r'^.*Undefined command: "nonsense"').count("Undefined") == 1


@pytest.mark.parametrize("key", ["q", "C-c"])
def test_a_gdb_that_is_slow_to_start(scene: Scene, tmp_path: Path, key: str) -> None:
    """It can be quit at once, and what it does first be ended, as the reading of a large core file."""
    slow = tmp_path / "slow"
    wait = "python import time; print('it begins', flush=True); time.sleep(1000)"
    slow.write_text(f'#!/bin/sh\nexec {GDB} -iex "{wait}" "$@"\n')
    slow.chmod(0o755)
    with screen(tmp_path, str(scene.core), gdb=str(slow)) as seat:
        assert re.search(r"^ beamgdb  core   GDB starts *$", seat.awaited(r"^it begins$"), re.MULTILINE)
        seat.press(key)
        seat.awaited(r"^Pane is dead \(status 0" if key == "q" else r"^ beamgdb  core   core file: in ")


def test_a_large_table(shop: Node, tmp_path: Path) -> None:
    """What has found it is not looked for among its objects; that not all of them are shown is said."""
    fill = "ets:new(big, [named_table, ordered_set]), [ets:insert(big, {N, N}) || N <- lists:seq(1, 1500)]"
    with (
        running_node(
            shop.ebin, f"spawn(fun() -> {fill}, receive after infinity -> ok end end), timer:sleep(500)"
        ) as node,
        screen(tmp_path, str(node.pid)) as seat,
    ):
        seat.awaited(STOPPED)
        seat.press("8")
        seat.awaited(r"^NAME ")
        seat.press("/")
        seat.type("big")
        seat.awaited(r"^── 8 ETS  /big (?s:.*)^big  +ordered_set +1500 (?s:.*)^ \? keys")
        seat.press("Enter")
        shown = seat.awaited(r"^◂ big, .*\n\{1,1\}\n\{2,2\}\n")
        assert "(500 more objects: -limit 1000)" in shown
        seat.press("/")
        seat.type("{1450,")
        seat.awaited(r"^\(none\)\n\(the first 1000; `beam-ets-objects -limit N ")
        seat.press("q", "y")
        seat.awaited(r"^Pane is dead")


def state_of(pid: int) -> str:
    """What a process does, by the letter of /proc, and who debugs it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return " ".join(re.findall(r"^(?:State|TracerPid):\t(\w+)", status, re.MULTILINE))


def awaited(look: Callable[[], bool]) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("way", "delay"), [("q", 0), ("q", 0.3), ("C-c", 0.2), ("kill", 0)])
def test_a_node_that_gdb_just_takes_hold_of(shop: Node, tmp_path: Path, way: str, delay: float) -> None:
    """Whatever is done then, it goes on as before: SIGINT would reach it, and SIGTERM end GDB at the signal by which
    GDB has stopped it."""
    with running_node(shop.ebin, "ok", "+S", "1") as node:
        with screen(tmp_path, str(node.pid)) as seat:
            awaited(lambda: state_of(node.pid).split()[1] != "0")
            time.sleep(delay)
            if way == "C-c":
                seat.press(way)
                seat.awaited(STOPPED)
                seat.press("q", "y")
            elif way == "q":
                seat.press(way, "y")
            else:
                os.kill(int(seat.ask("display-message", "-p", "#{pane_pid}")), signal.SIGKILL)
            seat.awaited(r"^Pane is dead")
        awaited(lambda: state_of(node.pid).split()[1] == "0")
        time.sleep(0.2)
        assert state_of(node.pid) in ("S 0", "R 0")


def test_one_is_chosen(shop: Node, tmp_path: Path) -> None:
    """Without a name all nodes that run here are listed."""
    with screen(tmp_path) as seat:
        node = rf"^erl .*  {shop.pid}  \d{{4}}-\d\d-\d\d \d\d:\d\d"
        listed = seat.awaited(node).splitlines()
        heading = next(row for row in listed if row.startswith("NAME "))
        (row,) = (one for one in listed if re.search(node, one))
        at = heading.index(" PID") + len(" PID")
        assert row[:at].endswith(f" {shop.pid}")
        # What does not fit is to the right.
        assert "USER" not in heading
        seat.press(*["Right"] * 8)
        seat.awaited(r"^.*\bPROGRAM +USER\b")
        seat.press(*["Left"] * 8)
        listed = seat.awaited(node).splitlines()
        seat.press(*["Down"] * (listed.index(row) - listed.index(heading) - 1))
        seat.press("Enter")
        seat.awaited(rf"^ beamgdb  pid {shop.pid}   stopped: ")
        seat.press("q", "y")
        seat.awaited(r"^Pane is dead \(status 0")
