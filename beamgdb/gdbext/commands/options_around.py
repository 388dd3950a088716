"""Command lines of which one argument is a pid, a quoted atom or an expression, and stands between options."""

from __future__ import annotations

import re
from collections.abc import Iterable

from beamgdb.gdbext.commands import completion
from beamgdb.gdbext.commands.command import Command

_VALUED = ("-limit", "-where", "-sort")
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"'])+"""
_OPTION = re.compile(rf"(?:^|(?<=\s))(?:(?:{'|'.join(_VALUED)})\s+{_VALUE}|--?json|-reverse|-things)(?=\s|$)")
"""One that says what of it is shown, how much, or how."""
_QUOTED = re.compile(r"""(["'])(.*?)\1""")


def split(text: str) -> list[str]:
    """The words of options, and the rest as it is: a pid's angle brackets mean nothing special there, and a quoted atom
    keeps its quotes and blanks."""
    options = [_QUOTED.sub(r"\2", word) for match in _OPTION.finditer(text) for word in match[0].split(None, 1)]
    rest = _OPTION.sub("", text).strip()
    return [*options, *([rest] if rest else ())]


class OptionsAround(Command):
    """A command with such a line, whose argument may be a process."""

    def split(self, text: str) -> list[str]:
        return split(text)

    def words(self, before: str, start: str) -> Iterable[str] | int:
        """Behind an option what it is for, such as a column; else processes."""
        is_value = any(before.split()[-1:] == [option] for option in _VALUED)
        return super().words(before, start) if is_value else completion.processes(start)
