"""Lines that one goes through with keys and mouse, of which one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app
from prompt_toolkit.data_structures import Point
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType
from prompt_toolkit.utils import get_cwidth

from beamgdb.screen.lines import Line

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

WHEEL = 3
"""Lines for one turn of the wheel."""

ASIDE = 8
"""Columns for one step to a side."""


class ListControl(UIControl):
    """Shows what `lines` gives. `choose` is called for the one where Enter or a click is."""

    def __init__(self, lines: Callable[[], Sequence[Line]], choose: Callable[[Line], None]) -> None:
        self._lines, self._choose = lines, choose
        self.at = 0
        """The line where one is."""
        self.left = 0
        """Columns that are left of what is seen."""
        self.height = 1

    @property
    def line(self) -> Line | None:
        """The line where one is."""
        lines = self._lines()
        return lines[self.at] if self.at < len(lines) else None

    def keep(self, before: Sequence[Line]) -> None:
        """Stay at the line where one was in the lines `before`, by what it is for, wherever it is now."""
        deed, lines = before[self.at].deed if self.at < len(before) else None, self._lines()
        if deed is not None and (self.at >= len(lines) or lines[self.at].deed != deed):
            self.at = next((number for number, line in enumerate(lines) if line.deed == deed), self.at)

    def shifted(self, line: Line, extra: str = "") -> StyleAndTextTuples:
        """What of a line is seen, in its styles and another one."""
        left, pieces = self.left, []
        for style, text in line.pieces:
            text, left = _behind(text, left)
            pieces.append((f"class:{style}{extra}" if style else extra, text))
        return [*pieces]

    def move(self, by: int) -> None:
        """Go so many lines down."""
        self.at = max(0, min(self.at + by, len(self._lines()) - 1))

    def shift(self, steps: int) -> None:
        """See what is so many steps to the right."""
        widest = max((get_cwidth(line.text) for line in self._lines()), default=0)
        self.left = max(0, min(self.left + steps * ASIDE, widest - 1))

    def choose(self) -> None:
        """Do what the line is for."""
        line = self.line
        if line is not None:
            self._choose(line)

    def is_focusable(self) -> bool:
        return True

    def create_content(self, width: int, height: int) -> UIContent:
        lines = self._lines()
        self.height = height
        self.at = max(0, min(self.at, len(lines) - 1))
        has_focus = get_app().layout.current_control is self

        def shown(number: int) -> StyleAndTextTuples:
            line = lines[number]
            extra = " class:at" if number == self.at and has_focus else " class:current" if line.is_current else ""
            pieces = self.shifted(line, extra)
            fill = width - sum(get_cwidth(piece[1]) for piece in pieces)
            if extra and fill > 0:
                pieces.append((extra, " " * fill))
            return pieces

        return UIContent(shown, len(lines), Point(0, self.at), show_cursor=False)

    def mouse_handler(self, mouse_event: MouseEvent) -> NotImplementedOrNone:
        kind = mouse_event.event_type
        if kind == MouseEventType.SCROLL_UP:
            self.move(-WHEEL)
        elif kind == MouseEventType.SCROLL_DOWN:
            self.move(WHEEL)
        elif kind == MouseEventType.MOUSE_UP:
            is_again = get_app().layout.current_control is self and self.at == mouse_event.position.y
            get_app().layout.current_control = self
            self.at = mouse_event.position.y
            if is_again:
                self.choose()
        else:
            return NotImplemented
        return None


def _behind(text: str, columns: int) -> tuple[str, int]:
    """What of a text is behind so many columns, and how many of them are still to be left out."""
    for at, letter in enumerate(text):
        if columns <= 0:
            return text[at:], 0
        columns -= get_cwidth(letter)
    return "", max(0, columns)
