"""Steps through walks.erl, and what breakpoints and steps leave behind: nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gdb.stages import line_of
from tests.harness.gdb import Gdb, one_line_error
from tests.harness.gdb_facts import is_true
from tests.harness.targets import TARGETS, Session, Target, session
from tests.matrix.conftest import PATIENCE, place, resume, step, stop_at


@dataclass(frozen=True)
class Walking:
    """A session with a node of walks.erl and loads.erl, which does what files in `folder` tell it to."""

    session: Session
    folder: Path

    @property
    def target(self) -> Target:
        return self.session.target

    @property
    def said(self) -> str:
        return self.session.said


@pytest.fixture(scope="module", params=TARGETS, ids=str)
def walking(
    request: pytest.FixtureRequest, ebin_for: Callable[[Target], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Walking]:
    """For each target, attached or remote as it can be."""
    target: Target = request.param
    folder = tmp_path_factory.mktemp("loads")
    start = f'walks:start(), loads:start("{folder}")'
    with session(target, target.modes[0], ebin_for(target), start, is_ready=True) as one:
        yield Walking(one, folder)


@pytest.fixture
def gdb(walking: Walking) -> Iterator[Gdb]:
    """GDB. Whatever a test does, no breakpoints of ours are left but those that watch code, and GDB's settings are as
    they were."""
    gdb = walking.session.gdb
    before = settings(gdb)
    yield gdb
    gdb.cmd("delete")
    assert gdb.cmd("beam-breakpoints") == "No Erlang breakpoints.\n"
    assert settings(gdb) == before


def settings(gdb: Gdb) -> list[str]:
    return [gdb.cmd(f"show {name}") for name in ("scheduler-locking", "breakpoint pending")]


def line(text: str) -> int:
    return line_of("walks", text)


def walk(gdb: Gdb, command: str, *wanted: tuple[str, str]) -> None:
    """Steps, after each of which the process is in a function at the first line that has a text."""
    for function, text in wanted:
        step(gdb, command)
        assert place(gdb) == (f"walks:{function}", line(text))


def test_next_over_recursion(gdb: Gdb) -> None:
    """The function calls itself, and each of these calls comes to the lines that the step waits for."""
    stop_at(gdb, 'walks:factorial/1 if $_streq($_eterm($_xreg(0)), "4")')
    walk(gdb, "beam-next", ("factorial/1", "Below = "), ("factorial/1", "N * Below"), ("loop/1", "Factorial = "))


def test_step_into_recursion(gdb: Gdb) -> None:
    stop_at(gdb, 'walks:factorial/1 if $_streq($_eterm($_xreg(0)), "4")')
    walk(gdb, "beam-step", ("factorial/1", "Below = "), ("factorial/1", "factorial(0) ->"))
    assert gdb.cmd("xreg 0").split()[1] == "3"
    said = step(gdb, "beam-finish")
    assert said.endswith("Value returned is 6\n")
    # The value is used at once: what is to be executed next belongs to the next line.
    assert place(gdb) == ("walks:factorial/1", line("N * Below"))


def test_next_over_an_exception_that_is_caught_here(gdb: Gdb) -> None:
    stop_at(gdb, "walks:catches/1")
    walk(gdb, "beam-next", ("catches/1", "factorial(1),"), ("catches/1", "throws({N"), ("catches/1", "factorial(2),"))
    walk(gdb, "beam-next", ("loop/1", "Caught = "))


def test_finish_by_an_exception(gdb: Gdb) -> None:
    stop_at(gdb, "walks:throws/1")
    said = step(gdb, "beam-finish")
    assert "Value returned" not in said
    assert said.endswith("An exception was raised, and is caught here.\n")
    assert place(gdb)[0] == "walks:catches/1"


def test_next_over_a_message(gdb: Gdb) -> None:
    """The process waits for one, and others run on its scheduler."""
    stop_at(gdb, "walks:asks/1")
    process = gdb.cmd("beam-bt").split()[1]
    walk(gdb, "beam-next", ("asks/1", "echo ! {self()"))
    step(gdb, "beam-next")
    assert place(gdb) == ("walks:asks/1", line("echo ! {self()") + 2)
    assert gdb.cmd("beam-bt").split()[1] == process


def test_next_over_a_tail_call(gdb: Gdb) -> None:
    stop_at(gdb, f"walks.erl:{line('    other(N + 1)')}")
    walk(gdb, "beam-next", ("loop/1", "Passed = "))


def test_step_into_a_tail_call(gdb: Gdb) -> None:
    stop_at(gdb, f"walks.erl:{line('    other(N + 1)')}")
    walk(gdb, "beam-step", ("other/1", "other(N) ->"))


def test_step_over_a_bif(gdb: Gdb) -> None:
    stop_at(gdb, f"walks.erl:{line('Reversed = ')}")
    walk(gdb, "beam-step", ("builtin/1", "length(Reversed)"))


def test_step_into_funs_and_apply(gdb: Gdb) -> None:
    for text in ("A = Fun(", "B = apply("):
        stop_at(gdb, f"walks.erl:{line(text)}")
        walk(gdb, "beam-step", ("factorial/1", "factorial(0) ->"))


def test_the_process_ends(gdb: Gdb) -> None:
    stop_at(gdb, f"walks.erl:{line('    exit({bye')}")
    process = gdb.cmd("beam-bt").split()[1].rstrip(",")
    said = step(gdb, "beam-next")
    assert re.search(rf"^Process {process} ends, reason {{bye,\d+}}\.\n\Z", said, re.M)


def test_a_breakpoint_on_the_way_ends_a_step(gdb: Gdb) -> None:
    stop_at(gdb, f"walks.erl:{line('Caught = ')}")
    gdb.cmd("beam-break walks:throws/1")
    said = step(gdb, "beam-next")
    assert re.search(r"hit Breakpoint \d+, ", said)
    assert "      x0 = {" in said
    assert place(gdb)[0] == "walks:throws/1"


def test_ctrl_c_ends_a_step(gdb: Gdb) -> None:
    """The loop never returns."""
    stop_at(gdb, "walks:loop/1")
    gdb.cmd("beam-finish")
    time.sleep(0.5)
    stop = gdb.interrupt()
    said = stop.text + gdb.cmd("echo")
    assert "SIGINT" in said or "signal 0" in said, (stop, said)
    # And nothing is left that would stop it again.
    gdb.cmd("continue")
    time.sleep(0.5)
    gdb.interrupt()


TRAPS = "breakpoints.traps"


@pytest.mark.parametrize(
    "function",
    [
        "points:Asked.stop",
        f"{TRAPS}:Traps.arrival",
        f"{TRAPS}:Traps.set",
        f"{TRAPS}:set_register",
        "session:Session.refresh_code",
    ],
)
@pytest.mark.parametrize("raised", [False, True], ids=["signal", "raised"])
def test_ctrl_c_while_a_breakpoint_is_asked(walking: Walking, gdb: Gdb, function: str, raised: bool) -> None:
    """It stops the target, which can go on: no thread stays where traps lead."""
    if not walking.target.interpreted:
        pytest.skip("GDB itself asks the condition")
    stop_at(gdb, "walks:loop/1")
    gdb.cmd('beam-break walks:factorial/1 if $_streq($_eterm(x0), "never")')
    gdb.ctrl_c_in(function, raised=raised)
    stop = gdb.go("continue", timeout=PATIENCE)
    said = stop.text + gdb.cmd("echo")
    assert "Ctrl-C comes\n" in said
    assert "Interrupted by SIGINT.\n" in said or stop.results.get("signal-name") == "SIGINT", (stop, said)
    gdb.cmd("continue")
    time.sleep(0.5)
    gdb.interrupted()
    stop_at(gdb, "walks:catches/1")


def test_a_hit_is_told_though_ctrl_c_comes(walking: Walking, gdb: Gdb) -> None:
    if not walking.target.interpreted:
        pytest.skip("GDB itself asks the condition")
    stop_at(gdb, "walks:loop/1")
    gdb.ctrl_c_in("points:Asked.stop", raised=True)
    said = stop_at(gdb, 'walks:factorial/1 if $_streq($_eterm(x0), "4")')
    assert "Ctrl-C comes\n" in said
    assert place(gdb)[0] == "walks:factorial/1"
    walk(gdb, "beam-next", ("factorial/1", "Below = "))


@pytest.mark.parametrize("raised", [False, True], ids=["signal", "raised"])
def test_ctrl_c_while_a_step_is_asked(walking: Walking, gdb: Gdb, raised: bool) -> None:
    """It ends the step, which says so, and the program goes on."""
    stop_at(gdb, 'walks:factorial/1 if $_streq($_eterm($_xreg(0)), "4")')
    walk(gdb, "beam-next", ("factorial/1", "Below = "))
    interpreted, compiled = "interpreted_walk:_InterpretedWalk.arrived", "compiled_walk:_ProcessPoint.is_wanted"
    gdb.ctrl_c_in(f"stepping.{interpreted if walking.target.interpreted else compiled}", raised=raised)
    said = step(gdb, "beam-next")
    by_target = is_true("interrupts the target") and not raised
    if by_target and said.endswith("    N * Below.\n"):
        # The step was at its end before the program was stopped, which then is as soon as it goes on.
        stop = gdb.go("continue", timeout=PATIENCE)
        assert stop.results.get("signal-name") == "SIGINT"
    else:
        assert "Ctrl-C comes\n" in said
        assert (" received signal SIGINT, Interrupt.\n" if by_target else "Interrupted by SIGINT.\n") in said
    stop_at(gdb, "walks:catches/1")


def test_code_that_comes_and_goes(walking: Walking, gdb: Gdb) -> None:
    """A breakpoint waits for its module, is hit at the first call, and does no harm when the code is purged."""
    said = gdb.cmd("beam-break later:called/1")
    assert said.endswith(" on later:called/1, which is not loaded yet.\n")
    assert " pending: later:called/1\n" in gdb.cmd("beam-breakpoints")
    gdb.cmd("set breakpoint pending on")
    gdb.cmd("break -function later:called/1")
    own = gdb.cmd("p $bpnum").split()[-1]
    gdb.cmd("set breakpoint pending auto")
    (walking.folder / "load").touch()
    rounds, noted = [], ""
    for _ in range(2):
        noted += resume(gdb)
        rounds.append(int(re.findall(r"\{round,(\d+)\}", gdb.cmd("bt 3"))[0]))
    assert rounds[1] == rounds[0] + 1
    # So does one of GDB's own.
    assert "will not be hit" not in noted
    assert "breakpoint already hit 2 times" in gdb.cmd(f"info breakpoints {own}")
    assert re.search(r" 2 +later:called/1 at \S*later.erl:\d+\n", gdb.cmd("beam-breakpoints"))
    gdb.cmd("disable")
    (walking.folder / "purge").touch()
    run_until(gdb, walking.folder / "purge.done")
    assert " pending: later:called/1\n" in gdb.cmd("beam-breakpoints")
    gdb.cmd("enable")
    (walking.folder / "other").touch()
    run_until(gdb, walking.folder / "other.done")


def run_until(gdb: Gdb, file: Path) -> None:
    """Let the node run until it has written a file."""
    gdb.cmd("continue")
    deadline = time.monotonic() + PATIENCE
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    gdb.interrupt()


TAKEN = "all 4 hardware breakpoints of the processor are taken: delete or disable one, or a watchpoint"


def test_too_many(walking: Walking, gdb: Gdb) -> None:
    """Where only the processor can stop in code that cannot be written, it is said before the program is to go on."""
    stop_at(gdb, "walks:factorial/1")
    functions = ("loop/1", "factorial/1", "catches/1", "throws/1", "asks/1", "passes/1")
    answers = [gdb.cmd(f"beam-break walks:{name}", check=False) for name in functions]
    native = walking.target.arch == "amd64" and not walking.target.interpreted
    assert sum(TAKEN in answer for answer in answers) == (2 if native else 0)
    # Another one where there is one already takes none.
    assert TAKEN not in gdb.cmd("beam-break walks:loop/1 if 1 == 2", check=False)
    if native:
        before = gdb.cmd("print $pc")
        for command in ("beam-finish", "beam-next", "beam-step"):
            said = gdb.cmd_running(command, timeout=PATIENCE, check=False)
            # GDB 18 has a sign before what is an error.
            assert said.splitlines()[-1].endswith(TAKEN)
            assert not re.search(r"^0x", said, re.M)
        assert gdb.cmd("print $pc").split()[2:] == before.split()[2:]


def test_steps_with_one_hardware_breakpoint_left(walking: Walking, gdb: Gdb) -> None:
    """A step stops a thread at one place at a time where there is no room for more, and tells of its end only."""
    stop_at(gdb, "walks:passes/1")
    for name in ("loop/1", "throws/1", "asks/1"):
        gdb.cmd(f"beam-break walks:{name}")
    for expected in ("factorial(1),", "other(N + 1).", "other(N) ->"):
        said = step(gdb, "beam-step" if expected.endswith("->") else "beam-next")
        assert not re.search(r"^0x", said, re.M), said
        assert said.rstrip().endswith(expected), said


def test_a_step_over_a_tail_call_with_one_hardware_breakpoint_left(walking: Walking, gdb: Gdb) -> None:
    """Of the two places where it may end the first has a breakpoint already: the function itself, if it is called
    again."""
    stop_at(gdb, "walks:passes/1")
    for name in ("passes/1", "throws/1", "asks/1"):
        gdb.cmd(f"beam-break walks:{name}")
    for expected in ("factorial(1),", "other(N + 1).", "Passed = passes(Round),"):
        assert step(gdb, "beam-next").rstrip().endswith(expected)


def test_errors(gdb: Gdb) -> None:
    assert "no number of steps" in one_line_error(gdb, "beam-next x")
    assert "no number of steps" in one_line_error(gdb, "beam-step 0")


def test_detaching(walking: Walking, gdb: Gdb) -> None:
    """The last of all: the node goes on as if there had been no breakpoints, which no one catches any more."""
    gdb.cmd("beam-break walks:factorial/1")
    gdb.cmd("beam-break walks:loop/1")
    assert gdb.go("continue", timeout=PATIENCE).reason == "breakpoint-hit"
    gdb.cmd("detach")
    before = walking.said.count("round ")
    deadline = time.monotonic() + PATIENCE
    while walking.said.count("round ") < before + 2:
        assert "meta op" not in walking.said
        assert time.monotonic() < deadline, walking.said
        time.sleep(0.05)
