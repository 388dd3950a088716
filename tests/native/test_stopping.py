"""Breakpoints and steps in native code: GDB's own, and those in terms of Erlang."""

from __future__ import annotations

import re
import time

import pytest

from tests.gdb.stages import functions, read_frames
from tests.harness.gdb import Gdb
from tests.harness.gdb_facts import is_true
from tests.matrix.conftest import PATIENCE, erlang_only, resume, step, stop_at
from tests.native.conftest import line


def innermost(gdb: Gdb) -> tuple[str, int]:
    """The Erlang function that runs, and its line."""
    shown = read_frames(gdb.cmd("bt 4"))
    # What only native callers run has a name of its own: `step` ends there, as everywhere, where a call comes to.
    if shown[0].function.endswith(" entry"):
        return shown[0].function.removesuffix(" entry"), int(shown[0].place.rpartition(":")[2])
    (frame, *_) = erlang_only(shown)
    return frame.function, int(frame.place.rpartition(":")[2])


def go(gdb: Gdb, command: str) -> tuple[str, int]:
    """Give a command of GDB's own; where it ends."""
    stop = gdb.go(command, timeout=PATIENCE)
    assert stop.reason in ("end-stepping-range", "function-finished"), stop
    return innermost(gdb)


@pytest.mark.each_release
def test_gdb_breakpoints(gdb: Gdb) -> None:
    """They are in native code only."""
    gdb.cmd("break -function shop:priced/2")
    gdb.cmd(f"break shop.erl:{line('New = counter')}")
    listed = gdb.cmd("info breakpoints")
    assert "MULTIPLE" not in listed
    assert "process_main" not in listed
    seen = []
    for _ in range(5):
        resume(gdb)
        seen.append(innermost(gdb))
    assert set(seen) == {("shop:priced/2", line("priced(What, Amount) ->")), ("shop:total/3", line("New = counter"))}


def test_gdb_steps(gdb: Gdb) -> None:
    stop_at(gdb, "shop:order/2")
    stop_at(gdb, "shop:total/3")
    assert go(gdb, "next") == ("shop:total/3", line("Price = priced"))
    assert go(gdb, "step") == ("shop:priced/2", line("priced(What, Amount) ->"))
    assert go(gdb, "step") == ("shop:priced/2", line("Given = deliver"))
    assert go(gdb, "finish") == ("shop:total/3", line("total(What, Rest"))
    # The call of itself leads to what only native callers run, which is of the first line, and no statement.
    again = "total(What, [Amount" if is_true("steps on to a statement") else "Price = priced"
    assert go(gdb, "next") == ("shop:total/3", line(again))


@pytest.mark.each_release
def test_each_call_is_one_hit(gdb: Gdb) -> None:
    """Of native and interpreted callers."""
    stop_at(gdb, "shop:order/2")
    gdb.cmd("beam-break shop:deliver/2")
    seen = []
    for _ in range(5):
        resume(gdb)
        shown = functions(erlang_only(read_frames(gdb.cmd("bt 6"))))
        seen.append((gdb.cmd("print x1").split()[-1], shown[1]))
    assert [amount for amount, _ in seen] == ["1", "2", "3", seen[3][0], "4"]
    assert [caller for _, caller in seen] == [*["shop:priced/2"] * 3, "counter:add/2", "shop:priced/2"]
    listed = gdb.cmd("beam-breakpoints").splitlines()[1]
    assert re.fullmatch(rf"\d+ +keep +y +5 +shop:deliver/2 at shop.erl:{line('deliver(What, 3)')}", listed), listed


def test_lines(gdb: Gdb) -> None:
    stop_at(gdb, "shop:order/2")
    said = gdb.cmd(f"beam-break shop.erl:{line('Given * 2')}")
    assert re.fullmatch(rf"Breakpoint \d+ in shop:priced/2 at (\S+/)?shop.erl:{line('Given * 2')}\.\n", said), said
    seen = []
    for _ in range(3):
        assert f"{line('Given * 2')}\t    Given * 2" in resume(gdb)
        seen.append(gdb.cmd("print x0").split()[-1])
    assert seen[:2] == ["1", "2"]


def test_conditions_commands_and_counts(gdb: Gdb) -> None:
    stop_at(gdb, "shop:order/2")
    said = gdb.cmd('beam-break -process shop shop:deliver/2 if $_streq($_eterm(x1), "4")')
    number = said.split()[1]
    assert "x0 = coffee\n" in resume(gdb)
    gdb.cmd(f"disable {number}")
    stop_at(gdb, "shop:order/2")
    stop_at(gdb, "shop:stocked/2")
    assert gdb.cmd("beam-breakpoints").splitlines()[1].split()[:4] == [number, "keep", "n", "1"]


@pytest.mark.each_release
def test_steps(gdb: Gdb) -> None:
    stop_at(gdb, "shop:order/2")
    stop_at(gdb, "shop:total/3")
    step(gdb, "beam-next")
    assert innermost(gdb) == ("shop:total/3", line("Price = priced"))
    step(gdb, "beam-step")
    assert innermost(gdb) == ("shop:priced/2", line("priced(What, Amount) ->"))
    step(gdb, "beam-next")
    assert innermost(gdb) == ("shop:priced/2", line("Given = deliver"))
    step(gdb, "beam-next")
    assert innermost(gdb) == ("shop:priced/2", line("Given * 2"))
    assert "Value returned is 5\n" in step(gdb, "beam-finish")
    assert innermost(gdb) == ("shop:total/3", line("total(What, Rest"))


def test_steps_into_and_out_of_interpreted_code(gdb: Gdb) -> None:
    stop_at(gdb, f"shop.erl:{line('New = counter')}")
    step(gdb, "beam-step")
    assert innermost(gdb)[0] == "counter:add/2"
    step(gdb, "beam-step")
    step(gdb, "beam-step")
    assert innermost(gdb)[0] == "shop:deliver/2"
    step(gdb, "beam-finish")
    assert innermost(gdb) == ("counter:add/2", 6)
    step(gdb, "beam-finish")
    assert innermost(gdb) == ("shop:total/3", line("New = counter"))


def test_steps_into_funs(gdb: Gdb) -> None:
    stop_at(gdb, "shop:each/2")
    for _ in range(8):
        step(gdb, "beam-step")
        if "-fun-" in innermost(gdb)[0]:
            break
    assert innermost(gdb) == ("shop:'-open/0-fun-0-'/1", line("fun(Amount)"))


def test_steps_end_where_an_exception_is_caught(gdb: Gdb) -> None:
    stop_at(gdb, "shop:shared/1")
    assert "An exception was raised, and is caught here.\n" in step(gdb, "beam-finish")
    assert innermost(gdb)[0] == "shop:refused/1"


NATIVE = "breakpoints.native_points"


@pytest.mark.parametrize(
    "function",
    [
        "points:Asked.stop",
        f"{NATIVE}:NativePoints.reached",
        f"{NATIVE}:NativePoints.send",
        f"{NATIVE}:NativePoints.back",
        f"{NATIVE}:set_register",
    ],
)
@pytest.mark.parametrize("raised", [False, True], ids=["signal", "raised"])
def test_ctrl_c_while_a_breakpoint_is_asked(gdb: Gdb, function: str, raised: bool) -> None:
    """It stops the node, which can go on, and no thread is seen on the way to where traps lead."""
    stop_at(gdb, "shop:order/2")
    gdb.cmd('beam-break shop:priced/2 if $_streq($_eterm(x0), "never")')
    gdb.ctrl_c_in(function, raised=raised)
    stop = gdb.go("continue", timeout=PATIENCE)
    said = stop.text + gdb.cmd("echo")
    assert "Ctrl-C comes\n" in said
    assert "Interrupted by SIGINT.\n" in said or stop.results.get("signal-name") == "SIGINT", (stop, said)
    # It may have come when the node went on from where it was.
    assert innermost(gdb)[0] in ("shop:order/2", "shop:priced/2")
    gdb.cmd("continue")
    time.sleep(0.5)
    gdb.interrupted()
    stop_at(gdb, "shop:total/3")
