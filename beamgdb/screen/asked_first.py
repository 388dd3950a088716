"""Commands that are asked first whether they are meant: GDB, which would ask at a terminal, is told not to."""

from __future__ import annotations

import re
from typing import Final

WITHIN: Final = re.compile(r"(\s|server\s|(with|w)\s.*?\s--\s|pipe\s|\|)*")
"""What may stand before a command that it has GDB run: `with print pretty -- kill`."""


def _one_of(*names: str) -> re.Pattern[str]:
    """Any of some commands: `k/ill` may be shortened down to `k`."""
    begun = [one.partition("/")[::2] for one in names]
    words = [start + rest[:count] for start, rest in begun for count in range(len(rest) + 1)]
    return re.compile(rf"({'|'.join(map(re.escape, words))})(?![\w.-])")


QUITTING: Final = _one_of("q/uit", "exi/t")

DOES: Final = (
    (QUITTING, "ends GDB"),
    (_one_of("k/ill", "r/un", "start", "starti", "at/tach", "tar/get", "cor/e-file"), "ends the program"),
    (_one_of("fil/e", "exe/c-file", "sy/mbol-file"), "gives GDB another file for the program"),
    (_one_of("ret/urn"), "leaves the function at once"),
    (re.compile(r"(d(e|el|ele|elet|elete)?)(\s+br\w*)?\s*$"), "removes all breakpoints"),
)
"""Of what GDB would ask, what ends a program or makes something else of it, or loses what one has set."""

DETACHING: Final = _one_of("det/ach")
ATTACHING: Final = _one_of("at/tach", "tar/get")


def quits(command: str) -> bool:
    """Whether a command ends GDB."""
    return _matches(QUITTING, command)


def detaches(command: str) -> bool:
    """Whether it lets go of the program."""
    return _matches(DETACHING, command)


def attaches(command: str) -> bool:
    """Whether it may take hold of a program that runs already."""
    return _matches(ATTACHING, command)


def does(command: str) -> str | None:
    """What a command does that is to be asked first, None where it is not."""
    return next((what for pattern, what in DOES if _matches(pattern, command)), None)


def _matches(pattern: re.Pattern[str], command: str) -> bool:
    within = WITHIN.match(command)
    return pattern.match(command, within.end() if within is not None else 0) is not None
