"""What all commands share: arguments by argparse, one-line errors, help made of both."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

import gdb

from beamgdb.gdbext import errors, events


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and does not exit GDB."""

    def error(self, message: str) -> NoReturn:
        raise gdb.GdbError(f"{self.prog}: {message} (see `help {self.prog}`)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise gdb.GdbError(message or "")


def leading_options(pattern: re.Pattern[str], text: str) -> tuple[list[str], str]:
    """The words of options that a command line begins with, and the rest, which means something as a whole. `pattern`
    matches one option with its value, and what must follow: a blank also stands at the end."""
    words: list[str] = []
    text += " "
    while match := pattern.match(text):
        words += match[0].split(maxsplit=1)
        text = text[match.end() :]
    return words, text.strip()


class Command(gdb.Command):
    """A command `name`. Its class docstring is the help text; `arguments` declares what it takes, `run` does it."""

    name: str
    category = gdb.COMMAND_STACK
    completer: int | None = gdb.COMPLETE_NONE
    repeats = False
    """Whether an empty line that follows does the same again."""

    def __init__(self) -> None:
        self.parser = _Parser(prog=self.name, add_help=False, allow_abbrev=False, prefix_chars="-")
        self.arguments(self.parser)
        usage = " ".join(self.parser.format_usage().split()).replace("usage: ", "Usage: ")
        summary, _, rest = (self.__doc__ or "").partition("\n\n")
        body = "\n".join(line.removeprefix("    ") for line in rest.splitlines()).strip()
        self.__doc__ = f"{summary.strip()}\n{usage}\n\n{body}".strip()
        if self.completer is None:
            super().__init__(self.name, self.category)
        else:
            super().__init__(self.name, self.category, self.completer)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    def run(self, arguments: argparse.Namespace) -> None:
        """Do it; print with `gdb.write`."""
        raise NotImplementedError

    def split(self, text: str) -> list[str]:
        """The words of the command line."""
        return gdb.string_to_argv(text)

    def invoke(self, argument: str, from_tty: bool) -> None:
        if not self.repeats:
            self.dont_repeat()
        errors.raised_as_gdb_error(lambda: self._invoke(argument))

    def _invoke(self, argument: str) -> None:
        parsed = self.parser.parse_args(self.split(argument))
        events.catch_up()
        self.run(parsed)
