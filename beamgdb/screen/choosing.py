"""The list that one chooses from where no node or core file was named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prompt_toolkit.application import Application
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window

from beamgdb.screen.lines import Column, Line, Looks, table
from beamgdb.screen.list_control import ListControl
from beamgdb.screen.style import STYLE, colours
from beamgdb.screen.targets import Found

HEADING = " beamgdb: nodes that run here, and core files "
KEYS = " Enter opens it  ↑ ↓ go through them  ← → sideways  q quit "

COLUMNS: Final = (
    Column("name", "NAME"), Column("pid", "PID", is_number=True), Column("since", "SINCE"), Column("note", "NOTE"),
    Column("program", "PROGRAM"), Column("user", "USER"),
)  # fmt: skip

UP_AND_DOWN: Final = (
    ("up", -1), ("k", -1), ("down", 1), ("j", 1), ("pageup", -10), ("pagedown", 10), ("home", -(1 << 40)),
    ("g", -(1 << 40)), ("end", 1 << 40), ("G", 1 << 40),
)  # fmt: skip

SIDEWAYS: Final = (("left", -1), ("right", 1))


async def chosen(found: Sequence[Found]) -> Found | None:
    """The one that the user has chosen, None if that is none."""
    head, *lines = table([vars(one) for one in found], COLUMNS, Looks(), lambda row: None)
    by_line = dict(zip(map(id, lines), found))

    def choose(one: Line) -> None:
        app.exit(result=by_line[id(one)])

    control = ListControl(lambda: lines, choose)
    keys = KeyBindings()
    for name, by in UP_AND_DOWN:
        keys.add(name)(lambda event, by=by: control.move(by))
    for name, steps in SIDEWAYS:
        keys.add(name)(lambda event, steps=steps: control.shift(steps))
    keys.add("enter")(lambda event: control.choose())
    for name in ("q", "escape", "c-c"):
        keys.add(name)(lambda event: app.exit(result=None))
    bars = [
        Window(FormattedTextControl([("class:bar", text)]), height=1, style="class:bar") for text in (HEADING, KEYS)
    ]
    heading = Window(FormattedTextControl(lambda: control.shifted(head)), height=1)
    app: Application[Found | None] = Application(
        Layout(HSplit([bars[0], heading, Window(control), bars[1]])), key_bindings=keys, style=STYLE, full_screen=True,
        mouse_support=True, color_depth=colours(),
    )  # fmt: skip
    app.layout.focus(control)
    return await app.run_async()
