"""What all commands share: arguments by argparse, one-line errors, help made of both."""

from __future__ import annotations

import argparse
import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import cleandoc
from textwrap import wrap
from typing import NoReturn

import gdb

from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import errors, events, host_charset, session, standing
from beamgdb.gdbext.atomvm import session as atomvm
from beamgdb.gdbext.commands import completion
from beamgdb.views.styler import COLUMNS
from beamgdb.vm.model import Unavailable

LONGEST_MESSAGE = 300
"""Characters of what is said to be wrong with a command line."""

OBJECTS = 200_000
"""Objects that are new before Python looks which of them it may forget; some 20 MB."""


class _CommandParser(argparse.ArgumentParser):
    """Says what is wrong in one line and does not exit GDB."""

    def error(self, message: str) -> NoReturn:
        raise gdb.GdbError(f"{self.prog}: {_cut(message)} (see `help {self.prog}`)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise gdb.GdbError(message or "")


def _cut(message: str) -> str:
    """A message in which argparse may repeat what was typed, however long."""
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 3] + "..."


def leading_options(pattern: re.Pattern[str], text: str) -> tuple[list[str], str]:
    """The words of options that a command line begins with, and the rest, which means something as a whole. `pattern`
    matches one option with its value, and what must follow: a blank also stands at the end."""
    words: list[str] = []
    text += " "
    while match := pattern.match(text):
        words += match[0].split(maxsplit=1)
        text = text[match.end() :]
    return words, text.strip()


def in_columns(text: str) -> Iterator[str]:
    """Paragraphs as lines that fit a terminal; a line that is indented stays as it is."""
    for paragraph in text.split("\n\n"):
        yield from paragraph.splitlines() if paragraph.startswith("  ") else _filled(paragraph)
        yield ""


def _filled(text: str, indent: str = "") -> list[str]:
    return wrap(text, COLUMNS, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let Python look for rings of objects that nothing holds less often, which takes a quarter of the time of a long
    list: nearly all that commands make holds no ring."""
    thresholds = gc.get_threshold()
    gc.set_threshold(thresholds[0] and OBJECTS, *thresholds[1:])  # (0: never)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


class Command(gdb.Command):
    """A command `name`. Its class docstring is the help text; `arguments` declares what it takes, `run` does it."""

    name: str
    category = gdb.COMMAND_STACK
    completer = gdb.COMPLETE_NONE
    """GDB's own completion of arguments that are no options, unless `words` knows better."""
    repeats = False
    """Whether an empty line that follows does the same again."""
    of_vm = True
    """Whether what it does depends on the VM."""
    looks = True
    """Whether it shows what is in the program's memory."""

    def __init__(self) -> None:
        self.parser = _CommandParser(prog=self.name, add_help=False, allow_abbrev=False, prefix_chars="-")
        self.arguments(self.parser)
        usage = " ".join(self.parser.format_usage().split()).replace("usage: ", "Usage: ")
        summary, _, rest = cleandoc(self.__doc__ or "").partition("\n\n")
        self.__doc__ = "\n".join([summary, *_filled(usage, "  "), "", *in_columns(rest)]).strip()
        super().__init__(self.name, self.category)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    def run(self, arguments: argparse.Namespace) -> None:
        """Do it; print with `gdb.write`."""
        raise NotImplementedError

    def in_atomvm(self, arguments: argparse.Namespace) -> None:
        """Do it where the program is an AtomVM, which may not be run yet. Raises `Unavailable`."""
        self.run_in_atomvm(arguments, atomvm.require())

    def run_in_atomvm(self, arguments: argparse.Namespace, vm: AtomVm) -> None:
        """Do it in an AtomVM that is run."""
        raise Unavailable(f"{self.name} is for Erlang/OTP: AtomVM has nothing of the kind, or beamgdb does not know it")

    def words(self, before: str, start: str) -> Iterable[str] | int:
        """What an argument may be that begins with `start`, and that stands behind `before`; or GDB's own completion
        for it."""
        return self.completer

    def complete(self, text: str, word: str | None) -> list[str] | int:
        """What the last argument may become. GDB asks first, without a word, where words end."""
        before, start = completion.split(text)
        names: Iterable[str] | int = self.words(before, start)
        if start.startswith("-"):
            names = (option for one in self.parser._actions for option in one.option_strings)
        if isinstance(names, int):
            return names
        with _few_collections():
            return completion.fitting(start, word, names) if word is not None else []

    def split(self, text: str) -> list[str]:
        """The words of the command line."""
        return gdb.string_to_argv(text)

    def invoke(self, argument: str, from_tty: bool) -> None:
        if not self.repeats:
            self.dont_repeat()
        if not host_charset.is_usable():
            # (Nor would GDB take the text of an error.)
            gdb.write(f"beamgdb: {host_charset.UNUSABLE}\n", gdb.STDERR)
            return
        errors.raised_as_gdb_error(lambda: self._invoke(argument))

    def _invoke(self, argument: str) -> None:
        parsed = self.parser.parse_args(self.split(argument))
        standing.require_one()
        if standing.running():
            session.forget_all()
        events.catch_up()
        with _few_collections():
            if self.of_vm and atomvm.is_atomvm():
                self.in_atomvm(parsed)
            else:
                self.run(parsed)
        if self.looks and (count := len(standing.running())):
            others = f"{count} threads are" if count > 1 else "a thread is"
            gdb.write(f"beamgdb: {others} running: what is shown may have changed meanwhile\n", gdb.STDERR)
