"""`beam-break`, `beam-step` and the others that run: the same in compiled and in interpreted code."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.gdb.stages import TRIES, breakpoint_number, functions, line_of, local_variables, read_backtrace, read_frames
from tests.harness.gdb import Gdb, Stop, one_line_error
from tests.harness.targets import Mode, Session, Target, on_core, session
from tests.matrix.conftest import PATIENCE, cases, erlang_only, place, step
from tests.matrix.test_top import top

#: Calls in stages:in_lines/2, a line each.
CALLS = ("One = third(", "Two = third(", "Three = third(")
#: What the NIF of stages.erl calls on a dirty scheduler.
DIRTY_STAGE = "dirty_stage_reached"
#: A process that goes through code with breakpoints all the time, and tells so.
BEATING = 'spawn(fun F() -> io:format("beat~n"), timer:sleep({pause}), F() end)'


def beating(target: Target) -> str:
    """It, so that it sleeps for longer than it prints."""
    return BEATING.format(pause=200 if target.emulated else 20)


@pytest.fixture(scope="module", params=cases("attached", "remote"))
def running(request: pytest.FixtureRequest, ebin_for: Callable[[Target], Path]) -> Iterator[Session]:
    """A session with a node of stages.erl, which under qemu has not started when the first breakpoint is set."""
    target, mode = request.param
    with session(target, mode, ebin_for(target), f"stages:start(), {beating(target)}") as one:
        one.gdb.cmd("handle SIGUSR1 nostop noprint pass")
        yield one


@contextmanager
def stopped_at(gdb: Gdb, where: str) -> Iterator[Stop]:
    """Stopped at a breakpoint, which is deleted afterwards."""
    number = set_breakpoint(gdb, where)
    try:
        stop = gdb.go("continue", timeout=PATIENCE)
        assert stop.reason == "breakpoint-hit", stop.text
        assert int(stop.results["bkptno"]) == number
        # Where Erlang is, GDB prints after it has told of the stop.
        shown = gdb.cmd("echo")
        yield Stop(stop.reason, stop.text + shown, stop.results)
    finally:
        gdb.cmd(f"delete {number}", check=False)


def set_breakpoint(gdb: Gdb, where: str) -> int:
    return breakpoint_number(gdb.cmd(f"beam-break {where}"))


def line(text: str) -> int:
    return line_of("stages", text)


# -- breakpoints ------------------------------------------------------------------------------------------------------


def test_a_function(running: Session) -> None:
    """The first of all tests of a node: under qemu no module is loaded yet."""
    gdb = running.gdb
    with stopped_at(gdb, "stages:third/1") as stop:
        assert re.search(r"stages:third/1 \(.*\) at \S*stages\.erl:\d+\n\d+\t", stop.text)
        assert "Interrupted" not in stop.text
        shown = erlang_only(read_frames(gdb.cmd("bt")))
        assert shown[0].function == "stages:third/1"
        assert shown[0].arguments["x0"].startswith("<<")
        assert functions(shown)[-2:] == ["stages:round/2", "stages:loop/1"]
        assert gdb.cmd("xreg 0").split(maxsplit=1)[1].strip() == shown[0].arguments["x0"]
        assert local_variables(gdb)["x0"] == shown[0].arguments["x0"]
        assert "there is no y register 0" in one_line_error(gdb, "yreg 0")
        assert read_backtrace(gdb.cmd("beam-bt")).names() == functions(shown)
        assert "byte_size(Binary)." in gdb.cmd("list")


def test_in_a_dirty_nif(running: Session, ebin_for: Callable[[Target], Path], tmp_path: Path) -> None:
    """Such a thread has a stack of C alone; and GDB knows no `pthread_t`s under qemu, nor with a libc that is not its
    own."""
    running.gdb.cmd("set breakpoint pending on")
    running.gdb.cmd(f"tbreak -function {DIRTY_STAGE}")
    running.gdb.cmd("set breakpoint pending auto")
    stop = running.gdb.go("continue", timeout=PATIENCE)
    assert stop.reason == "breakpoint-hit", stop.text
    is_in_a_dirty_nif(running.gdb)
    # Cores take time: here is one without `pthread_t`s and symbols.
    if (running.target, running.mode) == (Target("amd64", 29), "attached"):
        running.write_core(tmp_path / "core")
        with on_core(running.target, tmp_path / "core", ebin_for(running.target)) as gdb:
            is_in_a_dirty_nif(gdb)


def is_in_a_dirty_nif(gdb: Gdb) -> None:
    number = re.search(rf"^[* ] +(\d+) .* {DIRTY_STAGE} \(", gdb.cmd("info threads"), re.M)
    assert number
    gdb.cmd(f"thread {number[1]}")
    frames = read_frames(gdb.cmd("bt"))
    at = functions(frames).index("erts_dirty_process_main")
    assert (frames[at].note, frames[at].arguments) == ("stages:dirty_c_function/1", {"x0": "[dirty,argument]"})
    assert functions(frames)[at + 1 : at + 3] == ["stages:in_dirty_nif/2", "stages:all/3"]
    assert re.fullmatch(r"erts_(beamasm|interpreter):normal_exit/0", frames[-1].function)
    shown = read_backtrace(gdb.cmd("beam-bt stages"))
    assert re.search(rf" stages, .*: running on thread {number[1]}\b", shown.heading)
    called = ["stages:dirty_c_function/1", "stages:in_dirty_nif/2", "stages:all/3"]
    assert shown.names()[:3] == called
    assert read_backtrace(gdb.cmd("beam-bt")) == shown
    assert re.search(rf"^#{at} +0x[0-9a-f]+ in erts_dirty_process_main\b", gdb.cmd("beam-why"), re.M)
    gdb.cmd("set backtrace limit 2")
    assert read_backtrace(gdb.cmd("beam-bt")) == shown
    gdb.cmd("set backtrace limit unlimited")


def test_a_line(running: Session) -> None:
    with stopped_at(running.gdb, f"stages.erl:{line(CALLS[1])}"):
        assert place(running.gdb) == ("stages:in_lines/2", line(CALLS[1]))


def test_a_condition(running: Session) -> None:
    gdb = running.gdb
    never = set_breakpoint(gdb, 'stages:third/1 if $_streq($_eterm($_xreg(0)), "nobody")')
    try:
        with stopped_at(gdb, 'stages:third/1 if $_streq($_eterm($_xreg(0)), "<<\\"two\\">>")') as stop:
            assert "Error in testing" not in stop.text
            assert gdb.cmd("p $_xreg(0)").endswith(' = <<"two">>\n')
            assert re.search(rf"^{never} .* 0 +stages:third/1 ", gdb.cmd("beam-breakpoints"), re.M)
        given = set_breakpoint(gdb, "stages:third/1")
        gdb.cmd(f'condition {given} $_streq($_eterm(x0), "<<\\"two\\">>")')
        stop = gdb.go("continue", timeout=PATIENCE)
        assert int(stop.results["bkptno"]) == given, stop.text
        assert "Error in testing" not in stop.text
        gdb.cmd(f"delete {given}")
        assert gdb.cmd("p $_xreg(0)").endswith(' = <<"two">>\n')
    finally:
        gdb.cmd(f"delete {never}")


def test_a_process(running: Session) -> None:
    with stopped_at(running.gdb, "-process stages -temporary stages:third/1"):
        assert " stages, spawned as " in running.gdb.cmd("beam-bt")


def test_disabled_and_enabled(running: Session) -> None:
    gdb = running.gdb
    off = set_breakpoint(gdb, "stages:leaf/3")
    gdb.cmd(f"disable {off}")
    try:
        with stopped_at(gdb, "stages:third/1"):
            assert re.search(rf"^{off} +keep +n +0 ", gdb.cmd("beam-breakpoints"), re.M)
        gdb.cmd(f"enable {off}")
        assert int(gdb.go("continue", timeout=PATIENCE).results["bkptno"]) == off
        assert place(gdb)[0] == "stages:leaf/3"
    finally:
        gdb.cmd(f"delete {off}")


def test_the_code_is_as_before(running: Session) -> None:
    """Once deleted, and while disabled, nothing of a breakpoint is in memory; while it is there, nobody sees it."""
    gdb = running.gdb
    with stopped_at(gdb, "-temporary stages:in_lines/2"):
        pass
    start = re.search(r"starts at address (0x[0-9a-f]+)", gdb.cmd("info line -function stages:third/1"))
    assert start
    read = f"python print(bytes(gdb.selected_inferior().read_memory({start[1]}, 64)).hex())"
    before = gdb.cmd(read)
    with stopped_at(gdb, "stages:third/1"):
        gdb.cmd("beam-bt")
        gdb.cmd("disable")
        gdb.go("stepi")
        assert gdb.cmd(read) == before
        gdb.cmd("enable")
    gdb.go("stepi")
    assert gdb.cmd(read) == before


def test_what_has_run_since(running: Session) -> None:
    gdb = running.gdb
    with stopped_at(gdb, "stages:loop/1"):
        before = {row["pid"]: row["reductions"] for row in top(gdb)}
    with stopped_at(gdb, "stages:loop/1"):
        shown = top(gdb)
        assert [row["ran"] for row in shown] == sorted((row["ran"] for row in shown), reverse=True)
        assert all(row["ran"] == row["reductions"] - before.get(row["pid"], 0) for row in shown)
        # In a round of stages.erl the process waits, and is scheduled out; who waits for what never comes has not run.
        assert next(row["ran"] for row in shown if row["name"] == "stages") > 0
        assert next(row["ran"] for row in shown if row["name"] == "kernel_sup") == 0
        # As long as it stands still, it is the same.
        assert top(gdb) == shown


def test_a_plain_breakpoint(running: Session) -> None:
    """As editors set them by GDB/MI: of interpreted code they become ones of the extension, with GDB's number."""
    gdb = running.gdb
    with stopped_at(gdb, "stages:leaf/3"):
        by_name = gdb.mi("-break-insert -f stages:third/1")["bkpt"]["number"]
        by_line = gdb.mi(f"-break-insert -f --source stages.erl --line {line(CALLS[1])}")["bkpt"]["number"]
    stop = gdb.go("continue", timeout=PATIENCE)
    assert (stop.reason, stop.results["bkptno"]) == ("breakpoint-hit", by_name), stop.text
    assert place(gdb)[0] == "stages:third/1"
    condition = '$_streq($_eterm(x0), \\"<<\\\\\\"two\\\\\\">>\\")'
    gdb.mi(f'-break-condition {by_name} "{condition}"')
    for number, where in ((by_line, ("stages:in_lines/2", line(CALLS[1]))), (by_name, None)):
        stop = gdb.go("continue", timeout=PATIENCE)
        assert stop.results["bkptno"] == number, stop.text
        assert where in (None, place(gdb))
    assert gdb.cmd("p $_xreg(0)").endswith(' = <<"two">>\n')
    gdb.mi(f"-break-delete {by_name} {by_line}")


def test_a_dprintf(running: Session) -> None:
    """GDB shows it to no extension: of one in interpreted code is said what to do instead."""
    gdb = running.gdb
    said = gdb.cmd('dprintf -function stages:third/1,"seen\\n"')
    number = re.search(r"^Dprintf (\d+)", said, re.M)
    assert number
    if running.target.interpreted:
        assert (
            f"dprintf {number[1]} is in interpreted code and will not be hit; `beam-break stages:third/1` with" in said
        )
    else:
        with stopped_at(gdb, "-temporary stages:leaf/3"), stopped_at(gdb, "-temporary stages:leaf/3") as stop:
            assert "seen\n" in stop.text
    gdb.cmd(f"delete {number[1]}")


@pytest.mark.parametrize(
    "wrong", ["", "stages", "stages:third/2", "stages.erl:99999", "stages.erl:0", "stages:third/x", "a b c"]
)
def test_errors(running: Session, wrong: str) -> None:
    one_line_error(running.gdb, f"beam-break {wrong}".strip())


def test_float_registers(running: Session) -> None:
    """Of the unboxed product, on the line after that which makes it."""
    gdb = running.gdb
    with stopped_at(gdb, "stages:scale/2"):
        scaled = float(gdb.cmd("xreg 0").split()[1])
    with stopped_at(gdb, f"stages.erl:{line('Product / 8.0')}"):
        assert float(gdb.cmd("freg 0").split()[1]) == scaled * 2.5 + 0.125


# -- leaving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("attached"))
def test_quitting(case: tuple[Target, Mode], ebin_for: Callable[[Target], Path]) -> None:
    """GDB that quits lets go of what it has attached to."""
    target, mode = case
    with session(target, mode, ebin_for(target), beating(target)) as one:
        with stopped_at(one.gdb, "-temporary timer:sleep/1"):
            set_breakpoint(one.gdb, "io:format/1")
        assert one.gdb.go("continue", timeout=PATIENCE).reason == "breakpoint-hit"
        one.gdb.close()
        await_beats(one, 20)


def await_beats(one: Session, count: int) -> None:
    """Wait until the node has told so many more times that it lives."""
    before, deadline = one.said.count("beat"), time.monotonic() + PATIENCE
    while one.said.count("beat") < before + count:
        assert time.monotonic() < deadline, one.said[-500:]
        time.sleep(0.05)


# -- steps ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_lines(running: Session) -> Gdb:
    """Stopped in stages:in_lines/2 at the first of its calls."""
    with stopped_at(running.gdb, f"stages.erl:{line(CALLS[0])}"):
        pass
    assert place(running.gdb) == ("stages:in_lines/2", line(CALLS[0]))
    return running.gdb


def test_next(at_lines: Gdb) -> None:
    for call in CALLS[1:]:
        step(at_lines, "beam-next")
        assert place(at_lines) == ("stages:in_lines/2", line(call))


def test_next_several_times(at_lines: Gdb) -> None:
    step(at_lines, "beam-next 2")
    assert place(at_lines) == ("stages:in_lines/2", line(CALLS[2]))


def test_step(at_lines: Gdb) -> None:
    step(at_lines, "beam-step")
    assert place(at_lines)[0] == "stages:third/1"
    for _ in range(3):
        step(at_lines, "beam-step")
        if place(at_lines)[0] != "stages:third/1":
            break
    assert place(at_lines)[0] == "stages:in_lines/2"
    assert line(CALLS[0]) <= place(at_lines)[1] <= line(CALLS[1])


def test_finish(running: Session) -> None:
    with stopped_at(running.gdb, 'stages:third/1 if $_streq($_eterm($_xreg(0)), "<<\\"three\\">>")'):
        said = step(running.gdb, "beam-finish")
    assert said.endswith("Value returned is 5\n")
    assert place(running.gdb)[0] == "stages:in_lines/2"


def test_over_a_message(running: Session) -> None:
    """The process waits meanwhile, and others run."""
    gdb = running.gdb
    with stopped_at(gdb, f"stages.erl:{line('spawn_monitor(?MODULE, die')}"):
        process = gdb.cmd("beam-bt").split()[1]
    lines = []
    while place(gdb)[0] == "stages:in_exit/2":
        lines.append(place(gdb)[1])
        step(gdb, "beam-next")
        assert gdb.cmd("beam-bt").split()[1] == process
        assert len(lines) < 5
    assert lines[0] == line("spawn_monitor(?MODULE, die")
    assert place(gdb)[0] == "stages:all/3"


def test_until_a_message_comes(running: Session) -> None:
    """`user` is sent what the beating process prints, which waits for an answer, and then until a time is up."""
    gdb = running.gdb
    for _ in range(TRIES):  # it may be at work, and also gets what the terminal's process answers
        said = gdb.cmd_running("beam-receive user", timeout=PATIENCE, check=False)
        message = re.search(r"^Message: \{io_request,(<0\.\d+\.0>),#Ref<.*beat", said, re.M)
        if message:
            break
        with stopped_at(gdb, "stages:third/1"):
            pass  # until it waits again
    assert message, said
    assert " user, " in read_backtrace(gdb.cmd("beam-bt")).heading
    printer = message[1]
    said = step(gdb, f"beam-receive {printer}")
    assert re.search(r"^Message: \{io_reply,#Ref<[\d.]+>,ok\}$", said, re.M), said
    assert read_backtrace(gdb.cmd("beam-bt")).heading.startswith(f"Process {printer},")
    for _ in range(TRIES):
        with stopped_at(gdb, "stages:third/1"):
            (row,) = json.loads(gdb.cmd(f"beam-ps -json -where pid={printer}"))
            assert " does not wait for a message, it is running" in one_line_error(gdb, "beam-receive stages")
        if (row["status"], row["current"]) == ("waiting", "timer:sleep/1"):
            break
    else:
        pytest.fail(f"it is never asleep: {row}")
    said = step(gdb, f"beam-receive {printer}")
    assert said.endswith("No message has come: the time is up.\n"), said
    assert read_backtrace(gdb.cmd("beam-bt")).names()[0] == "timer:sleep/1"


def test_over_an_exception(running: Session) -> None:
    """A BIF raises one that an outer function catches."""
    gdb = running.gdb
    with stopped_at(gdb, "stages:exit_with/1"):
        said = step(gdb, "beam-finish")
    assert "ended" in said or "exit" in said


# -- letting go -------------------------------------------------------------------------------------------------------


def test_detaching(running: Session) -> None:
    """With breakpoints set, enabled and hit: the node goes on as if nothing had been. Last, for it lets go of that."""
    gdb = running.gdb
    with stopped_at(gdb, "-temporary timer:sleep/1"):
        set_breakpoint(gdb, "timer:sleep/1")
        set_breakpoint(gdb, "io:format/1")
    for _ in range(3):
        assert gdb.go("continue", timeout=PATIENCE).reason == "breakpoint-hit"
    gdb.cmd("detach")
    await_beats(running, 20)
