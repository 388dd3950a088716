"""What the screen takes answers for, and which it asks again."""

from __future__ import annotations

import pytest

from beamgdb.screen.connection import Happened
from beamgdb.screen.model import AHEAD, GONE, LOGGED, LONGEST_LINE, RUNNING, STARTING, STOPPED, Model, outdated, value
from beamgdb.screen.targets import Target

QUESTIONS = {
    "beam-context -json source", "beam-process -json -limit 50", "beam-process -json -limit 50 <0.80.0>",
    "beam-ps -json -limit 1000 -sort memory", "beam-breakpoints -json", "beam-why -json", "eterm -json 12",
}  # fmt: skip
SELECTED = {"beam-context -json source", "beam-process -json -limit 50", "beam-why -json"}


@pytest.mark.parametrize(
    ("command", "old"),
    [
        ("help beam", set()), ("beam-ps", set()), ("beam-breakpoints", set()),
        ("beam-bt all", set()), ("xreg", set()), ("info threads", set()),
        ("thread 5", SELECTED), ("up", SELECTED), ("frame 3", SELECTED),
        ("beam-break shop:price/1", {"beam-breakpoints -json"}), ("delete 1", {"beam-breakpoints -json"}),
        ("beam-next", QUESTIONS), ("beam-step 2", QUESTIONS), ("beam-finish", QUESTIONS),
        ("beam-receive init", QUESTIONS), ("continue", QUESTIONS),
        ("set beam-syntax elixir", QUESTIONS), ("print x0 = 1", QUESTIONS), ("thread apply all bt", QUESTIONS),
        ("thread 1.2", QUESTIONS), ("eterm f()", QUESTIONS), ("eterm x0", set()), ("beam-ps -limit 3", set()),
    ],
)  # fmt: skip
def test_what_is_asked_again_after_a_command(command: str, old: set[str]) -> None:
    pattern = outdated(command)
    assert {one for one in QUESTIONS if pattern is None or pattern.match(one)} == old


@pytest.mark.parametrize(
    ("text", "found", "before"),
    [
        ('{"a": 1}\n', {"a": 1}, ""),
        ("[\n1,\n2\n]\n(a note)\n", [1, 2], ""),
        ('beamgdb 0.1.0: Erlang\n[New LWP 12]\n["x"]\n', ["x"], "beamgdb 0.1.0: Erlang\n[New LWP 12]\n"),
    ],
)
def test_the_value_of_an_answer(text: str, found: object, before: str) -> None:
    assert value(text) == (found, before)


@pytest.mark.parametrize("text", ["", "no answer\n", "[\n1,\n"])
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(ValueError, match="no answer"):
        value(text)


def test_what_is_kept_of_the_console_is_bounded() -> None:
    """Of many lines the last ones, of a long one its beginning, of one without an end what came last."""
    model = Model(Target("nowhere", []), lambda: None)
    for number in range(2 * LOGGED):
        model.note(f"line {number}")
    assert [len(model.log), model.log[-1]] == [LOGGED, f"line {2 * LOGGED - 1}"]
    model.note("x" * 10 * LONGEST_LINE)
    assert model.log[-1] == "x" * LONGEST_LINE
    for _ in range(10):
        model._say("y" * LONGEST_LINE)
    assert model.unended == "y" * LONGEST_LINE


@pytest.mark.parametrize("command", ["shell", "!", "python-interactive", "pi ", "edit", "e 12"])
def test_what_wants_a_terminal_is_not_given_to_gdb(command: str) -> None:
    model = Model(Target("nowhere", []), lambda: None)
    model.do(command)
    assert "wants a terminal of its own: " in model.log[-1]
    assert not model._commands


def steps() -> Model:
    """A model whose program runs up to the end of a step, with another one typed meanwhile."""
    model = Model(Target("nowhere", []), lambda: None)
    model.state = STOPPED
    model._is_stepping = True
    model._on(Happened("running"))
    model.do("beam-next")
    return model


def test_steps_that_are_typed_ahead_are_done() -> None:
    model = steps()
    assert model.state == RUNNING
    model._on(Happened("stopped", results={"reason": "end-stepping-range"}))
    assert [*model._commands] == [("beam-next",)]


def test_a_step_of_erlang_ends_at_a_breakpoint_that_nobody_has_set() -> None:
    """Where that is the step itself tells; what was typed ahead is done."""
    model = steps()
    model._say('\nThread 5 "1_scheduler" hit Breakpoint -33, shop:price/1 () at shop.erl:29\n')
    model._say("29\tSeal = 1.\n")
    model._on(Happened("stopped", results={"reason": "breakpoint-hit", "bkptno": "-33"}))
    model._say("29\tSeal = 1.\n")
    assert list(model.log)[1:] == ["29      Seal = 1."]
    assert [*model._commands] == [("beam-next",)]


def test_a_step_of_interpreted_code_tells_its_line_alone() -> None:
    """GDB stops in the interpreter, of which it has no source."""
    model = steps()
    model._say('\nThread 5 "1_scheduler" hit Breakpoint -1, 0x4012 in process_main ()\n')
    model._say("31\tlength(B) + A.\n")
    assert model.log[-1] == "31      length(B) + A."


def test_a_breakpoint_ends_what_was_typed_ahead() -> None:
    """It was for another place."""
    model = steps()
    model._on(Happened("stopped", results={"reason": "breakpoint-hit", "bkptno": "1"}))
    assert not model._commands
    assert "typed ahead" in model.log[-1]


def test_what_is_typed_while_the_program_runs_is_not_for_later() -> None:
    model = steps()
    model._commands.clear()
    model._is_stepping = False
    model.do("beam-next")
    assert not model._commands
    assert model.log[-1] == "the program runs: Ctrl-C stops it"


def test_a_key_that_is_held_down() -> None:
    model = steps()
    for _ in range(10 * AHEAD):
        model.do("beam-next")
    assert len(model._commands) == AHEAD
    assert model.log[-1] == f"{AHEAD} commands wait already: this one is dropped"


def test_what_stops_while_gdb_starts_is_not_ready() -> None:
    """GDB is at reading it: only once that has ended does it take a command."""
    model = Model(Target("nowhere", []), lambda: None)
    model._on(Happened("begun", "i1"))
    model._on(Happened("stopped"))
    assert model.state == STARTING


def test_a_program_that_is_let_go() -> None:
    """GDB tells no stop of it. Another one that it has keeps it at work."""
    model = Model(Target("nowhere", []), lambda: None)
    for number in "12":
        model._on(Happened("begun", f"i{number}"))
    model.state = STOPPED
    model._on(Happened("gone", "i1"))
    assert model.state == STOPPED
    model._on(Happened("gone", "i2"))
    assert (model.state, model.where) == (GONE, "there is no program any more")
