"""Whom this GDB speaks to."""

from __future__ import annotations

import re
from pathlib import Path

import gdb

_MI = re.compile(rb"\0--?i(?:nterpreter)?[=\0]mi\d?\0")


_TAKES_RECORDS = 17
"""The version of GDB from which on that gives to Python, as output of a command, also what it tells by GDB/MI."""


def misses_output() -> bool:
    """Whether a front end that speaks GDB/MI would miss what it is to be told of a command whose output is taken. To
    whom GDB speaks it does not say, but its command line does."""
    try:
        speaks_mi = _MI.search(Path("/proc/self/cmdline").read_bytes()) is not None
    except OSError:
        return False
    return speaks_mi and int(gdb.VERSION.partition(".")[0]) >= _TAKES_RECORDS
