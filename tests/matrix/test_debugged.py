"""Processes that Erlang's own debugger has stopped at a line (`erl_debugger`, from OTP 28 on; `erl +D`): the VM has
them call a function, with a frame between that keeps x registers. It is shown as what it is, and steps go past it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from jit.sandbox.sandbox import Sandbox
from tests.gdb.stages import functions, line_of, read_frames
from tests.harness.erl import TESTS
from tests.harness.patience import PATIENCE
from tests.harness.targets import TARGETS, Session, Target, session
from tests.matrix.conftest import erlang_only, place, step, stop_at

STOPPED = line_of("debugged", "{Size, Kept}.")
CALLED = ["erts_internal:breakpoint/4", "debugged:inner/2", "debugged:outer/2"]


@pytest.fixture(scope="module", params=[target for target in TARGETS if target.otp >= 28], ids=str)
def debugged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session with the node of debugged.erl, which begins another round of the process that goes on."""
    target: Target = request.param
    folder = tmp_path_factory.mktemp(f"debugged-{target}")
    erlc, source = Sandbox("amd64", target.otp).ensure().bindir / "erlc", TESTS / "erl" / "debugged.erl"
    subprocess.run([erlc, "+beam_debug_info", "-o", folder, source], check=True, timeout=PATIENCE)
    with session(target, target.modes[0], folder, "debugged:start()", "+D", is_ready=True) as one:
        stop_at(one.gdb, "debugged:runs/1")
        yield one


def test_a_process_that_is_left_there(debugged: Session) -> None:
    said = debugged.gdb.cmd("beam-bt debugged_waits")
    lines = [line.partition(" in ")[2] or line.strip() for line in said.splitlines()]
    at = lines.index("line breakpoint")
    assert lines[at - 1].startswith("y5 = #Ref<")
    assert lines[at + 1 : at + 3] == ["x0 = [first,payload]", "x1 = 2"]
    assert lines[at + 3].startswith("debugged:inner/2+")
    assert lines[at + 3].endswith(f"debugged.erl:{STOPPED}")
    assert lines[at + 5] == "y0 = [payload]"
    assert lines[-1].startswith("debugged:waits/0+") or lines[-2].startswith("debugged:outer/2+")
    assert "damaged" not in said


def test_a_process_that_runs(debugged: Session) -> None:
    """Its C frames, Erlang frames and arguments; and out of the debugger's function, to the line it is called from."""
    gdb = debugged.gdb
    said = stop_at(gdb, "-process debugged_runs erts_internal:breakpoint/4")
    assert "erts_internal:breakpoint/4" in said
    frames = read_frames(gdb.cmd("bt"))
    assert [name for name in functions(erlang_only(frames)) if "::" not in name] == [*CALLED, "debugged:runs/1"]
    innermost = erlang_only(frames)[0]
    assert (innermost.arguments["x0"], innermost.arguments["x3"]) == ("debugged", str(STOPPED))
    (between,) = (frame for frame in frames if frame.note == "line breakpoint")
    assert "line_breakpoint" in between.function
    (inside,) = (frame for frame in frames if frame.function == "debugged:inner/2")
    assert inside.place.endswith(f"debugged.erl:{STOPPED}")
    assert "Value returned is" in step(gdb, "beam-finish")
    assert place(gdb) == ("debugged:inner/2", STOPPED)
    step(gdb, "beam-finish")
    assert place(gdb)[0] == "debugged:outer/2"


def test_steps_over_such_a_line(debugged: Session) -> None:
    gdb = debugged.gdb
    stop_at(gdb, "-process debugged_runs debugged:inner/2")
    lines = [place(gdb)]
    while lines[-1][0] == "debugged:inner/2" and len(lines) < 10:
        step(gdb, "beam-next")
        lines.append(place(gdb))
    # In code of the JIT the head of the function is a line of its own.
    inside = [line for function, line in lines if function == "debugged:inner/2" and line > STOPPED - 3]
    assert inside == [STOPPED - 2, STOPPED - 1, STOPPED]
    assert lines[-1][0] == "debugged:outer/2"
