"""The charset in which GDB gives text to Python, and takes it (`set host-charset`)."""

from __future__ import annotations

import re

import gdb

UNUSABLE = "GDB's host charset is none in which it gives text to Python: `set host-charset auto`"

_NAME = re.compile(r"[\w.:+-]+", re.ASCII)


def is_usable() -> bool:
    """Whether names arrive as they are: Python does not know some charsets, and others, as EBCDIC, have other codes for
    the letters of ASCII, in which all names of programs are. What is printed goes to GDB as it is in any case."""
    try:
        return _NAME.fullmatch(str(gdb.parameter("host-charset"))) is not None
    except (LookupError, UnicodeError, RuntimeError, gdb.error):
        return False
