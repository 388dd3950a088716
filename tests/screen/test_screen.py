"""What stands in the first and the last line of the screen, and in its help, without a GDB."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.application.current import set_app
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import DummyInput
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.utils import get_cwidth

from beamgdb.screen.command_line import history
from beamgdb.screen.lines import Deed, line
from beamgdb.screen.model import ENDED, GONE, RUNNING, STARTING, STOPPED
from beamgdb.screen.panes import PANES, SORTED
from beamgdb.screen.screen import HELP, Screen
from beamgdb.screen.targets import Target

COLUMNS = 80

NAMED = {
    Keys.Up: "↑", Keys.Down: "↓", Keys.Left: "←", Keys.Right: "→", Keys.PageUp: "PgUp", Keys.PageDown: "PgDn",
    Keys.ControlB: "^B", Keys.ControlF: "^F", Keys.ControlI: "Tab", Keys.ControlM: "Enter", Keys.ControlC: "Ctrl-C",
    Keys.BackTab: "Shift-Tab", Keys.Escape: "Esc", Keys.Home: "Home", Keys.End: "End", Keys.Delete: "Delete",
    " ": "Space",
}  # fmt: skip
"""What the help calls keys that have no letter."""

NAMED_BY = r"^.{13}|\b0:|Shift-Tab|\^[A-Z]|Space|PgUp|PgDn|Home g|End G|Esc|;  [r?]  "
"""Where the help names keys: at the beginning of a line; further ones behind what they do."""


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """One of a node with a long name, which is nowhere."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        yield Screen(Target("shop@a-very-long-name-of-a-machine.example.org (pid 12345)", []))


def text(parts: object) -> str:
    """The text of formatted text."""
    assert isinstance(parts, list)
    return "".join(part[1] for part in parts)


@pytest.mark.parametrize("name", [pane.name for pane in PANES])
def test_bars_are_as_wide_as_the_terminal(screen: Screen, name: str) -> None:
    """What has no room is left out; not how one quits, nor what the target does."""
    screen._show(name)
    foot = text(screen._footer())
    assert foot.startswith(" ? keys  ")
    assert foot.rstrip().endswith("  q quit")
    screen._model.state, screen._model.where = STOPPED, "in " + "日本" * 50
    head = text(screen._header())
    assert "   stopped: in 日本" in head
    assert [get_cwidth(one) for one in (foot, head)] == [COLUMNS, COLUMNS]


def test_help_names_all_keys(screen: Screen) -> None:
    """It has room on the smallest screen, with a line above it and two below."""
    keys = {key for binding in screen._keys().bindings for key in binding.keys if key != Keys.Any}
    words = {*re.sub(r"[,;]|(?<=0):", " ", " ".join(re.findall(NAMED_BY, HELP, re.MULTILINE))).split(), *"123456789"}
    assert {NAMED.get(key, str(getattr(key, "value", key))) for key in keys} <= words
    lines = HELP.splitlines()
    assert max(map(get_cwidth, lines)) <= COLUMNS
    assert len(lines) <= 24 - 3


def test_until_a_process_gets_a_message(screen: Screen) -> None:
    """The one where one is in the list; elsewhere the one whose stack it is, and none where there is none."""
    first, second = (line(pid, "", Deed("process", pid)) for pid in ("<0.8.0>", "<0.9.0>"))
    screen._shown.update(Processes=[first, second], Stack=[first, line("=> #0  m:f/1")], Source=[line("f(X) ->")])
    for name in ("Processes", "Stack", "Source"):
        screen._show(name)
        screen._move(1)
        screen._await_message()
    assert list(screen._model.log)[:2] == ["(gdb) beam-receive <0.9.0>", "(gdb) beam-receive <0.8.0>"]
    assert screen._model.log[2].startswith("m is for a process")


def test_a_condition_on_a_line(screen: Screen) -> None:
    screen._shown["Source"] = [line("29  f(X) ->", "", Deed("command", "beam-break shop.erl:29"))]
    screen._show("Source")
    screen._type_condition()
    assert screen._command.text == "beam-break shop.erl:29 if "


def typed(screen: Screen, text: str) -> None:
    """Type a line."""
    screen._command.text = text
    screen._entered(screen._command)


@pytest.mark.parametrize(
    "command",
    ["kill", "k", "run", "r 1", "start", "attach 12", "target remote :1", "delete", "d", "file x", "sy x", "return",
     "server kill", "with print pretty -- k", "pipe kill | cat", "run>log", "core-file", "exec-file"],
)  # fmt: skip
def test_what_ends_a_program_is_asked_first(screen: Screen, command: str) -> None:
    """GDB, which would ask, was told not to."""
    screen._model.state = STOPPED
    typed(screen, command)
    assert screen._choice is not None
    assert not screen._model._commands
    screen._choice.keys["y"]()
    assert [*screen._model._commands] == [(command,)]


@pytest.mark.parametrize("state", [STARTING, STOPPED, RUNNING])
def test_it_is_asked_whenever_it_would_be_done(screen: Screen, state: str) -> None:
    """Also behind others that were pasted with it, and typed ahead while a step takes long."""
    screen._model.state, screen._model._is_stepping = state, state == RUNNING
    for text in ("kill", "echo one\n kill", "echo one\nquit"):
        screen._choice = None
        typed(screen, text)
        assert screen._choice is not None
    assert not screen._model._commands


def test_what_is_pasted_behind_a_command_of_several_lines(screen: Screen) -> None:
    """Its own lines are nothing that GDB would ask."""
    screen._model.state, screen._model.wants_more = STOPPED, True
    typed(screen, "kill\nend")
    assert screen._choice is None
    typed(screen, "kill\nend\nkill")
    assert screen._choice is not None
    assert [*screen._model._lines] == ["end"]


@pytest.mark.parametrize("command", ["quit 0", "q", "qui", "exit 1", "server quit"])
def test_quitting_by_a_command(screen: Screen, command: str) -> None:
    """It is asked as by the key."""
    screen._target = screen._model.target = Target("erl", ["gdb"], is_started=True)
    screen._model.state = STOPPED
    typed(screen, command)
    assert screen._choice is not None
    assert screen._choice.text == "Quit? The node ends with it."


def test_a_program_that_was_started_is_not_let_go_at_once(screen: Screen) -> None:
    """What one has attached to is."""
    screen._model.state = STOPPED
    typed(screen, "detach")
    assert screen._choice is None
    screen._target = Target("erl", ["gdb"], is_started=True)
    typed(screen, "detach")
    assert screen._choice is not None


def test_what_ends_no_program_is_not_asked(screen: Screen) -> None:
    for state, command in ((GONE, "run"), (STOPPED, "beam-receive init"), (STOPPED, "tbreak f"), (STOPPED, "delete 1")):
        screen._model.state = state
        typed(screen, command)
        assert screen._choice is None
    assert len(screen._model._commands) == 4


def test_an_empty_line_steps_again(screen: Screen) -> None:
    screen._model.state = STOPPED
    for text in ("", "beam-next", "", "echo x", ""):
        typed(screen, text)
    assert [one for (one,) in screen._model._commands] == ["beam-next", "beam-next", "echo x"]


@pytest.mark.parametrize(("command", "again"), [("list 10", "list"), ("l shop.erl:3", "l"), ("x/4x $sp", "x")])
def test_an_empty_line_shows_what_comes_next(screen: Screen, command: str, again: str) -> None:
    """At GDB's prompt too."""
    screen._model.state = STOPPED
    for text in (command, "", ""):
        typed(screen, text)
    assert [one for (one,) in screen._model._commands] == [command, again, again]


def test_q_leaves_the_help(screen: Screen) -> None:
    screen._help()
    (quits,) = (one for one in screen._keys().bindings if one.keys == ("q",))
    quits.handler(None)  # type: ignore[arg-type]
    assert not screen._has_help
    assert screen._choice is None


def test_escape_and_a_key_at_once(screen: Screen) -> None:
    """As they come over a slow line: it is no key with Alt."""
    screen._type("beam-b")
    pressed(screen, Keys.Escape, "5")
    assert screen._focused() == "Processes"
    assert not screen._command.text


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "core"])
def test_keys_that_can_do_something(screen: Screen, is_live: bool) -> None:
    """Nothing runs in a core, so that nothing is to be stopped there."""
    screen._target = Target("core", ["core"], is_live=is_live)
    feet = []
    for pane in PANES:
        screen._show(pane.name)
        feet.append(text(screen._footer()))
    keys = ("breakpoint", "off/on", "to a message", "^C stop")
    assert [any(key in foot for foot in feet) for key in keys] == [is_live] * len(keys)
    assert any("Enter: unfold" in foot for foot in feet)


def pressed(screen: Screen, *keys: Keys | str) -> None:
    """Press keys."""

    async def press() -> None:
        with set_app(screen._app):
            for key in keys:
                screen._app.key_processor.feed(KeyPress(key))
            screen._app.key_processor.process_keys()

    asyncio.run(press())


def test_a_click_ends_what_is_looked_for(screen: Screen) -> None:
    """What is typed then is seen, and the list is as it was looked through."""
    screen._show("Processes")
    pressed(screen, "/", "s", "h")
    assert screen._is_filtering
    screen._app.layout.current_control = screen._controls["Processes"]
    pressed(screen, ":", "x")
    assert not screen._is_filtering
    assert (screen._command.text, screen._looks["Processes"].filter) == ("x", "sh")


def test_what_is_behind_the_help_is_left_alone(screen: Screen) -> None:
    screen._model.state = STOPPED
    screen._shown["Breakpoints"] = [line("1", "", Deed("command", "disable 1"))]
    screen._show("Breakpoints")
    pressed(screen, "?", Keys.ControlM, Keys.Delete, "c", "/", "<", Keys.Down)
    assert (screen._has_help, [*screen._model._commands], screen._focused()) == (True, [], "Breakpoints")
    pressed(screen, "8")
    assert (screen._has_help, screen._focused()) == (False, "ETS")


def test_escape_and_a_key_at_once_in_the_filter(screen: Screen) -> None:
    screen._show("Processes")
    pressed(screen, "/", "s", Keys.Escape, "8")
    assert (screen._focused(), screen._looks["Processes"].filter) == ("ETS", "")


def test_back_to_the_process_of_the_selected_thread(screen: Screen) -> None:
    """By the key of the pane, where that shows another one."""
    screen._do(line("<0.9.0>", "", Deed("process", "<0.9.0>")))
    pressed(screen, "5", "6")
    assert screen._process == "<0.9.0>"
    pressed(screen, "6")
    assert screen._process is None


def test_what_has_found_a_table_is_not_looked_for_in_it(screen: Screen) -> None:
    screen._show("ETS")
    screen._looks["ETS"].filter = "big"
    screen._do(line("big", "", Deed("table", "0x12 big")))
    assert screen._looks["ETS"].filter == ""


def test_what_is_typed_is_done_where_it_cannot_be_kept(screen: Screen) -> None:
    """As on a disk that is full: here the history is a folder."""
    kept = history()
    assert isinstance(kept, FileHistory)
    path = Path(str(kept.filename))
    path.unlink()
    path.mkdir()
    kept.store_string("echo x")


def test_the_help_names_the_direction_of_sorting(screen: Screen) -> None:
    """As the keys have it."""
    screen._show("Processes")
    columns = [one.key for one in SORTED["Processes"]]
    screen._looks["Processes"].sort = columns[1]
    pressed(screen, "<")
    assert screen._looks["Processes"].sort == columns[0]
    pressed(screen, ">")
    assert screen._looks["Processes"].sort == columns[1]
    assert re.search(r"^<  >  R +sort by the column before, by the next one,", HELP, re.MULTILINE)


def test_ctrl_c_forgets_what_is_looked_for(screen: Screen) -> None:
    screen._show("Processes")
    screen._begin_filter()
    screen._filter.text = "shop"
    screen._interrupt()
    assert (screen._focused(), screen._looks["Processes"].filter) == ("Processes", "")


def test_nothing_waits_for_a_gdb_that_has_ended(screen: Screen) -> None:
    """Where it is started again: what is left waiting is an error of asyncio once nobody holds it, on the screen."""

    async def ended() -> bool:
        screen._target = Target("nowhere", ["/nowhere/gdb"])
        before = screen._model
        before._task = asyncio.create_task(asyncio.sleep(60))
        before.state = ENDED
        await asyncio.sleep(0)
        screen._again()
        await asyncio.gather(*screen._tasks)
        await asyncio.sleep(0)
        return before._task.cancelled()

    assert asyncio.run(ended())
    assert screen._model.where.startswith("GDB cannot be started")
