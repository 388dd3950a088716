"""The place where the program stands, as `beam-context` and, after each stop that users see, `set beam-context on` show
it: as those know it who use pwndbg or gdb-dashboard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from typing import Any

import gdb

from beamgdb.gdbext import errors, front_end, session
from beamgdb.gdbext.atomvm import sections as atomvm_sections
from beamgdb.gdbext.atomvm import session as atomvm
from beamgdb.gdbext.debug_adapter import DebugAdapter
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.sections import Here, Sections
from beamgdb.gdbext.style import GdbStyler, width
from beamgdb.memory import Unreadable
from beamgdb.views import source_lines, tagged
from beamgdb.views.styler import COLUMNS, Sentence, Styler, cut, fitted
from beamgdb.vm.model import Unavailable

NARROWEST = 20
"""Columns that a line has at least."""

MOST_FRAMES, MOST_VARIABLES, MOST_LINES = 100, 50, 200
"""Frames of the stack, variables of each, and lines on either side of the current one, in JSON: who asks for it has its
own window to show them in."""


class _Display:
    """Whether it is to be shown."""

    def __init__(self) -> None:
        self.is_held = False
        """Whether stops are the steps of one command, which is still to end."""
        self.is_due = False
        """Whether there was one meanwhile."""


def lines(sections: Sequence[str], styler: Styler, wide: int, *, or_where: bool) -> Iterator[str]:
    """All sections, each line in so many columns; where there is no Erlang here, with `or_where` a line that says where
    there is some. Raises `Unavailable`."""
    here = _here()
    shown = 0
    if here.is_called:
        yield from fitted(Sentence(f"(the selected frame was called by {here.function})"), wide)
    for section in sections:
        try:
            found = list(_section(here, section, sections, styler))
        except (Unavailable, Unreadable, KeyError, gdb.error) as error:
            if not here.in_erlang:
                continue
            found = [(section, ""), Sentence(f"({errors.one_line(error)})")]
        if found:
            shown += 1
            (name, what), *rest = found
            yield styler.heading(cut(f"-- {name}{': ' if what else ''}{what} ".ljust(min(wide, COLUMNS), "-"), wide))
            yield from chain.from_iterable(fitted(line, wide) for line in rest)
    if not shown and or_where:
        yield from fitted(Sentence(here.elsewhere()), wide)


def _here() -> Sections:
    """The place where the program stands. Raises `Unavailable`."""
    return atomvm_sections.Here(atomvm.require()) if atomvm.is_atomvm() else Here()


def _section(here: Sections, name: str, all_of_them: Sequence[str], styler: Styler) -> Iterator[Any]:
    """The name of a section and what it is about, and its lines; nothing where there is none to show."""
    if name == "source" and here.in_erlang:
        location, rows = here.location(), here.source()
        if location is not None and rows:
            yield name, str(location.path)
            yield from source_lines.lines(rows, styler)
        elif "code" not in all_of_them:
            yield "code", f"{here.function}, whose source is not found"
            yield from here.code(styler)
    elif name == "code" and here.in_erlang:
        yield name, here.function
        yield from here.code(styler)
    elif name == "stack":
        shown = list(here.stack(but_x="registers" in all_of_them))
        if shown:
            yield name, ""
            for one in shown:
                yield from one.lines(styler)
    elif name == "registers" and here.in_erlang:
        yield name, ""
        yield from here.registers()


def as_json(sections: Sequence[str]) -> dict[str, object]:
    """What `beam-context -json` prints: see PROTOCOL.md. Raises `Unavailable`."""
    here = _here()
    errors_of: dict[str, str] = {}
    found: dict[str, object] = {
        "function": here.function or None,
        "is_called": here.is_called,
        "elsewhere": None if here.in_erlang else here.elsewhere(),
        "errors": errors_of,
    }
    for section in sections:
        found[section] = None
        try:
            found[section] = _section_as_json(here, section)
        except (Unavailable, Unreadable, KeyError, gdb.error) as error:
            errors_of[section] = errors.one_line(error)
    return found


def _section_as_json(here: Sections, name: str) -> object:
    """A section, None where there is none to show. Raises `Unavailable`."""
    if name == "stack":
        shown = here.stack(MOST_FRAMES, MOST_VARIABLES)
        return [{**tagged.as_json(one.row), "is_selected": one.is_selected, "level": one.level} for one in shown]
    if not here.in_erlang:
        return None
    if name == "source":
        location, rows = here.location(), here.source(MOST_LINES, MOST_LINES)
        if location is None or not rows:
            return None
        return {"path": str(location.path), "line": location.line, "lines": [asdict(row) for row in rows]}
    if name == "code":
        return [tagged.as_json(row) for row in here.code_rows(MOST_LINES, MOST_LINES)]
    return [asdict(row) for row in here.register_rows()]


def text(sections: Sequence[str] = (), *, or_where: bool = True) -> str:
    """What is to be printed, of these sections or those that are set. Raises `Unavailable`."""
    wanted = sections or extension().parameters.context_sections
    return "".join(f"{line}\n" for line in lines(wanted, GdbStyler(), width(NARROWEST), or_where=or_where))


def is_automatic() -> bool:
    """Whether it is shown after each stop: never to an editor, which shows the place itself."""
    if front_end.speaks_mi() or extension().part(DebugAdapter).is_connected:
        return False
    return extension().parameters.context


def shows_arguments() -> bool:
    """Whether the arguments of a function that has just been called will be shown so."""
    sections = extension().parameters.context_sections
    return is_automatic() and ("registers" in sections or "stack" in sections)


@contextmanager
def once() -> Iterator[None]:
    """Show it after all stops that come meanwhile, once: they are steps of one command."""
    display = extension().part(_Display)
    before, display.is_held = display.is_held, True
    try:
        yield
    finally:
        display.is_held = before
        if display.is_due and not before:
            display.is_due = False
            if session.has_process():
                _show()


def _show(*, or_where: bool = True) -> None:
    """Print it. Whatever goes wrong is a line: the stop is what matters."""

    def shown() -> None:
        current = session.find()
        if current is not None and current.is_settled:
            gdb.write(text(or_where=or_where))

    errors.guarded(shown, "`beam-context` shows the place")


def _on_stop(event: Any) -> None:
    if not is_automatic():
        return
    display = extension().part(_Display)
    if display.is_held:
        display.is_due = True
    elif not _is_unseen(event):
        # After Ctrl-C that has been said (`orientation.py`).
        is_told = extension().was_interrupted or getattr(event, "stop_signal", "") == "SIGINT"
        _show(or_where=not is_told)


def _is_unseen(event: Any) -> bool:
    """Whether GDB itself tells nothing of a stop: it is one of our own breakpoints, or of one whose commands say so; or
    of a thread that is not selected, in non-stop mode."""
    thread = getattr(event, "inferior_thread", None)
    if thread is not None and thread != gdb.selected_thread():
        return True
    points = getattr(event, "breakpoints", ())
    return bool(points) and all(one.number < 0 or (one.commands or "").lstrip().startswith("silent") for one in points)


def install() -> None:
    """Connect to GDB's events. To be called after all that print something of a stop themselves."""
    gdb.events.stop.connect(_on_stop)
