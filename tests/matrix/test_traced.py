"""Processes that are traced: the VM's own frames on their stacks are shown as what they are, and the stack goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gdb.stages import functions, read_frames
from tests.harness.targets import TARGETS, Session, Target
from tests.matrix.conftest import STAGE, stopped_in_c


@pytest.fixture(scope="module", params=TARGETS, ids=str)
def traced(request: pytest.FixtureRequest, ebin_for: Callable[[Target], Path]) -> Iterator[Session]:
    """A session that stands in the NIF of stages.erl, which is traced as all processes of traced.erl are."""
    target: Target = request.param
    start = "erts_beamasm:start(), erts_interpreter:start(), tails:start(), traced:start(), traced:stages()"
    with stopped_in_c(target, target.modes[0], ebin_for(target), start, STAGE) as one:
        yield one


def shown(traced: Session, name: str) -> list[str]:
    """Functions and notes on a stack, innermost first."""
    return re.findall(r"^#\d+ +0x[0-9a-f]+ in (.+?)(?:\+\d+)?(?: at \S+)?$", traced.gdb.cmd(f"beam-bt {name}"), re.M)


@pytest.mark.parametrize(("kind", "waits_for"), [("returns", "return_trace"), ("excepts", "exception_trace")])
def test_what_waits_for_a_value_or_exception(traced: Session, kind: str, waits_for: str) -> None:
    inside = [f"traced:{kind}/1", f"{waits_for} of traced:{kind}/1", "traced:call/2", "traced:outer/2"]
    assert shown(traced, f"traced_{kind}") == ["traced:park/1", *inside]
    said = traced.gdb.cmd(f"beam-bt traced_{kind}")
    assert re.search(r"^      tracer = (true|\[erl_tracer\|<0\.\d+\.0>\])$", said, re.M)
    assert ("session = " in said) == (traced.target.otp >= 27)
    assert f"y1 = {kind}\n" in said
    assert "y2" not in said
    assert "damaged" not in said


def test_what_counts_time(traced: Session) -> None:
    name = "return_time_trace" if traced.target.otp < 27 else "call_trace_return"
    within, outside = f"{name}, called from traced:timed/1", name
    assert shown(traced, "traced_timed") == [
        "traced:park/1", "traced:timed_within/1", within, "traced:timed/1", outside, "traced:call/2", "traced:outer/2",
    ]  # fmt: skip


def test_what_tells_where_it_goes_back_to(traced: Session) -> None:
    inside = ["traced:goes_back/1", "return_to_trace", "traced:call/2", "traced:outer/2"]
    assert shown(traced, "traced_goes_back") == ["traced:park/1", *inside]


@pytest.mark.parametrize("name", ["erts_beamasm", "erts_interpreter"])
def test_a_module_that_is_named_as_the_vms_own_code(traced: Session, name: str) -> None:
    called = [f"{name}:park/1", f"{name}:normal_exit/0", f"{name}:'-start/0-fun-0-'/0"]
    assert shown(traced, name) == called
    assert traced.gdb.cmd(f"info symbol '{name}:park/1'").startswith(f"{name}:park/1 in section")


@pytest.mark.parametrize("name", ["erts_beamasm", "erts_interpreter"])
def test_breakpoints_in_such_a_module(traced: Session, name: str) -> None:
    gdb = traced.gdb
    if not traced.target.interpreted:
        first = re.search(r" (0x[0-9a-f]+) <\+0> +(\w+)", gdb.cmd(f"beam-disas {name}:park/1"))
        assert first is not None
        # What tracing patches, which calls come to: a jump over the rest of it, or the return address being saved.
        assert first[2] in ("jmp", "str")
        assert gdb.cmd(f"info symbol {first[1]}").startswith(f"{name}:park/1 in section")
    said = gdb.cmd(f"beam-break -temporary {name}:park/1")
    assert re.fullmatch(rf"Temporary breakpoint \d+ in {name}:park/1 at \S*{name}\.erl:\d+\.\n", said)
    gdb.cmd("delete")


def test_functions_that_end_soon_after_their_call(traced: Session) -> None:
    """Such return addresses lie near the description of the next function."""
    chain = ["t9/0", "t8/0", "t7/3", "t6/2", "t5/2", "t4/1", "t3/0", "t2/0", "t1/0", "'-start/0-fun-0-'/0"]
    assert shown(traced, "tails") == ["tails:park/0", *(f"tails:{name}" for name in chain)]


def test_a_process_that_runs(traced: Session) -> None:
    gdb = traced.gdb
    frames = read_frames(gdb.cmd("bt"))
    names, notes = functions(frames), [frame.note for frame in frames]
    at = names.index("stages:in_nif/2")
    assert [name.partition(":")[2] for name in names[at + 1 : at + 3]] == ["return_trace/0", "return_to_trace/0"]
    assert notes[at + 1 : at + 3] == ["return_trace of stages:in_nif/2", "return_to_trace"]
    assert set(names[at + 3 : -1]) >= {"stages:all/3", "stages:round/2", "stages:loop/1"}
    assert any(name.endswith(":normal_exit/0") for name in names[at + 3 :])
    inside = shown(traced, "stages")
    assert inside[0] == "stages:c_function/1"
    # (In compiled code `bt` has that in brackets, behind the VM's own function.)
    erlang = [name for name in names if name.startswith("stages:") and name != inside[0]]
    assert [name for name in inside[1:] if name.startswith("stages:")] == erlang
    at = inside.index("stages:in_nif/2")
    assert inside[at + 1 : at + 3] == ["return_trace of stages:in_nif/2", "return_to_trace"]


def test_finish_goes_back_to_the_caller_not_to_the_tracer(traced: Session) -> None:
    gdb = traced.gdb
    while "stages:in_nif/2" not in gdb.cmd("frame"):
        gdb.cmd("up")
    said = gdb.cmd_running("beam-finish", timeout=60)
    assert "Run till exit of stages:in_nif/2" in said
    assert "stages:all/3" in said
    assert "Value returned is" in said
