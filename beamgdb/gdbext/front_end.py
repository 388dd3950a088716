"""Whom this GDB speaks to."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import gdb

from beamgdb.gdbext import gdb_text, gdb_version

_MI = re.compile(rb"\0--?i(?:nt[a-z]*)?[=\0]mi\d?\0")  # GDB takes any beginning of `--interpreter`

_TOLD = re.compile(r'^~"((?:[^"\\\n]|\\.)*)"\n', re.M)
"""A record of GDB/MI that has text of a command."""

_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.S)
"""In such a record: a byte by its number, or a character."""

_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}

_TAKES_RECORDS = 17
"""The version of GDB from which on that gives to Python, as output of a command, also what it tells by GDB/MI."""


@cache
def speaks_mi() -> bool:
    """Whether it speaks GDB/MI, as to an editor. GDB itself does not say, but its command line does."""
    try:
        return _MI.search(Path("/proc/self/cmdline").read_bytes()) is not None
    except OSError:
        return False


def misses_output() -> bool:
    """Whether a front end would miss what it is to be told of a command whose output is taken."""
    return gdb_version.is_from(_TAKES_RECORDS) and speaks_mi()


def taken(command: str) -> str:
    """What a command prints, for who may be asked while GDB prints something itself, as a frame: what it has printed of
    that so far a front end would miss as well. For that GDB gives records of GDB/MI, of most commands, a `~"TEXT"` for
    each line: their texts are what is printed."""
    if misses_output():
        gdb.flush()
    said = gdb_text.text(lambda: gdb.execute(command, to_string=True))
    return _TOLD.sub(lambda record: _unescaped(record[1]), said) if misses_output() else said


def followed(command: str) -> str:
    """What a command prints that does something of which a front end is to be told: that makes a breakpoint, or resumes
    the target. Empty where the front end would miss it: there that goes to it as well, and to nobody else."""
    if not misses_output():
        return taken(command)
    gdb.execute(command)
    return ""


def _unescaped(text: str) -> str:
    """The text of a record."""

    def meant(escape: re.Match[bytes]) -> bytes:
        what = escape[1]
        return bytes([int(what, 8) & 0xFF]) if len(what) == 3 else _LETTERS.get(what, what)

    return _ESCAPED.sub(meant, text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
