"""What the command lines of this project have in common: output that nobody takes, and errors in one line."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Final, NoReturn, TextIO

from jit.system.controls import printable

WIDEST: Final = 80
"""Columns of help."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are the user's, whether they can be written or not."""

    def error(self, message: str) -> NoReturn:
        say(f"{self.format_usage()}{one_line(f'{self.prog}: error: {message}')}\n")
        sys.exit(2)


class Paragraphs(argparse.RawDescriptionHelpFormatter):
    """Help in at most 80 columns: paragraphs are filled; what is indented, as examples are, stays as it is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=min(WIDEST, shutil.get_terminal_size().columns))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        for is_text, group in itertools.groupby(text.splitlines(), lambda line: line[:1].strip() != ""):
            given = list(group)
            lines += textwrap.wrap(" ".join(given), width) if is_text else given
        return "\n".join(lines)


def complete(program: str, act: Callable[[], int], expected: tuple[type[Exception], ...] = ()) -> int:
    """The exit status of a command line, whose output is then written: that of `act`, or of a parser that ends it.

    An error of the system or one that is expected, and output that cannot be written, are told as of `program`, and
    the status is 1. As of other programs it is that of SIGPIPE where nobody reads the output any more, and that of
    SIGINT after Ctrl-C.
    """
    _open_standard_files()
    status = _outcome(program, act, expected)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = 128 + signal.SIGPIPE
        _discard(sys.stdout)
    except OSError as error:
        if not status:  # else it has been told, or something worse
            status = complain(program, told(error))
        _discard(sys.stdout)
    return status


def complain(program: str, what: str) -> int:
    """Tell of an error in one line of standard error; the exit status 1."""
    say(one_line(f"{program}: {what}") + "\n")
    return 1


def say(text: str) -> None:
    """Write to standard error. What cannot be told there is no reason to stop."""
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def listed(choices: Iterable[object], conjunction: str) -> str:
    """Choices for a sentence, each once, such as ``25, 26 or 27``."""
    *others, last = dict.fromkeys(map(str, choices))
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def told(error: OSError) -> str:
    """What users read of an error of the system: the file, if it is of one, and the reason."""
    if not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror


def one_line(text: str) -> str:
    """A text in which names of files, or what stands in them, cannot begin a line or command a terminal."""
    return printable(text)


def _outcome(program: str, act: Callable[[], int], expected: tuple[type[Exception], ...]) -> int:
    try:
        return act()
    except SystemExit as end:
        # Of argparse, which has said all. What it wrote is still to be brought out.
        return end.code if isinstance(end.code, int) else 0
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        complain(program, "interrupted")
        return 128 + signal.SIGINT
    except OSError as error:
        return complain(program, told(error))
    except expected as error:
        return complain(program, str(error))


def _open_standard_files() -> None:
    """See to it that there are all three, so that no other file takes the place of one that has been closed; and that
    every character can be written, also of names of files that are no text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free
    # None of one that was closed: `print` takes the other one then.
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _discard(stream: TextIO) -> None:
    """Python would try once more to write the rest when it ends, complain, and change the status."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
