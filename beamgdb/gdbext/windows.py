"""Windows of GDB's own TUI (`layout beam`): source, Erlang stack, registers, processes.

GDB tells a window when to draw itself, and not when something else is to be drawn: that is looked for at each prompt,
as long as there are windows. What they show is read then, and only if the target stands still.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import gdb

from beamgdb.gdbext import errors, front_end, older_gdb, standing
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.sections import Here
from beamgdb.gdbext.style import WIDEST, GdbStyler
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.views import listing, source_lines
from beamgdb.views.listing import Query, Selected
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.styler import part
from beamgdb.vm.model import Unavailable

LAYOUTS = {
    "beam": "{-horizontal beam-source 3 beam-registers 2} 3 beam-stack 3 status 1 cmd 2",
    "beam-all": "{-horizontal beam-source 3 beam-registers 2} 3 {-horizontal beam-stack 3 beam-processes 2} 3 "
    "status 1 cmd 2",
}
"""As `tui new-layout` takes them."""

MOST_LINES = 5000
"""Of a file or a listing, before and behind the current one."""

FRAMES, VARIABLES = 100, 50
"""Of a stack, and of a frame."""

PROCESSES = 500
"""That are listed."""


@dataclass(frozen=True)
class Content:
    """What a window has to show: lines, of which one may be the current one. `about` is what they are of: of something
    else they are shown from the beginning."""

    about: str
    lines: list[str]
    current: int | None = None


class _Windows:
    """Those that there are, and what they were drawn for."""

    def __init__(self) -> None:
        self.open: list[Window] = []
        self.changes = 0
        """How often the target has stopped, ended, or been changed."""
        self.shown: object = None
        self.is_connected = False

    def connect(self) -> None:
        """Follow GDB's events."""
        if self.is_connected:
            return
        self.is_connected = True
        for registry in (gdb.events.stop, gdb.events.exited, gdb.events.memory_changed, gdb.events.register_changed):
            registry.connect(self._on_change)
        gdb.events.before_prompt.connect(self._on_prompt)

    def _on_change(self, _: Any) -> None:
        self.changes += 1

    def _on_prompt(self, _: Any = None) -> None:
        self.open = [window for window in self.open if window.is_valid()]
        if not self.open or standing.running():
            return
        wanted = (self.changes, _selection(), extension().parameters.syntax, tuple(map(id, self.open)))
        if wanted == self.shown:
            return
        self.shown = wanted
        here = _here()
        for window in self.open:
            window.update(here)


def _selection() -> object:
    """What of the target is selected."""
    thread = gdb.selected_thread()
    try:
        frame = gdb.selected_frame()
        place = (int(frame.pc()), older_gdb.level(frame))
    except gdb.error:
        return None
    return thread.global_num if thread is not None else None, place


def _here() -> Here | str:
    """What is selected, or why nothing is."""
    try:
        return Here()
    except KeyboardInterrupt:
        return "interrupted"
    except Exception as error:
        return errors.one_line(error)


class Window:
    """A window: what there is to show, and which part of it is seen. Subclasses say what there is."""

    title: str

    def __init__(self, window: gdb.TuiWindow) -> None:
        self._window = window
        self._content = Content("", [])
        self._top = self._left = 0
        window.title = self.title
        windows = extension().part(_Windows)
        windows.connect()
        windows.open.append(self)

    def content(self, here: Here) -> Content:
        """What there is to show. Raises `Unavailable`."""
        raise NotImplementedError

    def is_valid(self) -> bool:
        """Whether GDB still has it."""
        return self._window.is_valid()

    def update(self, here: Here | str) -> None:
        """Show what there is now. Whatever goes wrong is a line in the window."""
        before = self._content
        try:
            self._content = Content("", [f"({here})"]) if isinstance(here, str) else self.content(here)
        except KeyboardInterrupt:
            self._content = Content("", ["(interrupted)"])
        except Exception as error:
            expected = isinstance(error, (Unavailable, Unreadable, KeyError, gdb.error))
            if not expected:
                errors.trace(error)
            self._content = Content("", [f"({errors.one_line(error)})"])
        if self._content.about != before.about:
            self._top = self._left = 0
        current, height = self._content.current, self._window.height
        if current is not None and not self._top <= current < self._top + height:
            self._top = current - height // 2
        self.render()

    def render(self) -> None:
        """For GDB: draw it."""
        if not self._window.is_valid():
            return
        lines, height, wide = self._content.lines, self._window.height, self._window.width
        self._top = max(0, min(self._top, len(lines) - height))
        # A line as wide as the window would be followed by an empty one.
        seen = [part(line, self._left, wide - 1) for line in lines[self._top : self._top + height]]
        older_gdb.fill(self._window, seen)

    def vscroll(self, number: int) -> None:
        """For GDB: show what is so many lines further down."""
        self._top += number
        self.render()

    def hscroll(self, number: int) -> None:
        """For GDB: show what is so many columns further to the right."""
        self._left = max(0, self._left + number)
        self.render()

    def close(self) -> None:
        """For GDB: it is no more."""
        windows = extension().part(_Windows)
        windows.open = [one for one in windows.open if one is not self]


class SourceWindow(Window):
    """The source of the Erlang function, else its code."""

    title = "Erlang source"

    def content(self, here: Here) -> Content:
        location, rows = here.location(), here.source(MOST_LINES, MOST_LINES)
        if not here.in_erlang:
            return Content("", [here.elsewhere()])
        if location is not None and rows:
            self._window.title = f"{self.title}: {location.path}"
            at = next((number for number, row in enumerate(rows) if row.is_current), None)
            return Content(str(location.path), list(source_lines.lines(rows, GdbStyler())), at)
        self._window.title = f"Erlang code: {here.function}"
        return _marked(here.function, here.code(GdbStyler(), MOST_LINES, MOST_LINES))


class StackWindow(Window):
    """The stack of the process."""

    title = "Erlang stack"

    def content(self, here: Here) -> Content:
        shown = [line for one in here.stack(FRAMES, VARIABLES) for line in one.lines(GdbStyler())]
        return _marked("stack", shown) if shown else Content("", [here.elsewhere()])


class RegistersWindow(Window):
    """x and y registers of the Erlang function."""

    title = "x and y registers"

    def content(self, here: Here) -> Content:
        if not here.in_erlang:
            return Content("", [here.elsewhere()])
        lines = []
        for registers in (here.registers, here.saved):
            try:
                lines += list(registers())
            except (Unavailable, Unreadable, KeyError) as error:
                lines.append(f"({errors.one_line(error)})")
        return Content(here.function, lines)


class ProcessesWindow(Window):
    """The processes."""

    title = "Erlang processes"

    def content(self, here: Here) -> Content:
        shown = ProcessColumns(here.node, here.running, here.terms.syntax)
        selected = Selected(shown.items(), Query(limit=PROCESSES), shown.list.count())
        lines = list(listing.lines(shown.columns, selected, GdbStyler(), WIDEST))
        self._window.title = f"{self.title}: {shown.list.count()}"
        more = [f"({selected.left_out} more: `beam-ps`)"] if selected.left_out else []
        return Content("processes", [*lines, *more, *shown.notes()])


def _marked(about: str, lines: Iterable[str]) -> Content:
    """Lines of which the current one begins with an arrow."""
    found = list(lines)
    return Content(about, found, next((at for at, line in enumerate(found) if line.startswith("=>")), None))


class WithoutTui(gdb.Command):
    """Show Erlang source, stack and registers in windows: of a GDB that was built without them it is an error."""

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Say so."""
        raise gdb.GdbError("this GDB was built without TUI; `set beam-context on` shows the same after each stop")


def install() -> None:
    """Tell GDB of the windows and layouts."""
    if not hasattr(gdb, "register_window_type"):
        gdb.Command("layout", gdb.COMMAND_TUI, gdb.COMPLETE_NONE, True)
        for name in LAYOUTS:
            WithoutTui(f"layout {name}", gdb.COMMAND_TUI)
        return
    kinds: dict[str, type[Window]] = {
        "beam-source": SourceWindow,
        "beam-stack": StackWindow,
        "beam-registers": RegistersWindow,
        "beam-processes": ProcessesWindow,
    }
    for name, kind in kinds.items():
        gdb.register_window_type(name, cast(Any, kind))  # which takes no clicks
    for name, windows in LAYOUTS.items():
        front_end.taken(f"tui new-layout {name} {windows}")
