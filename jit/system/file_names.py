"""Names from outside, as names of files: what a .beam file or the target calls a module or a source file is no path.

A name that is given by neither user nor system goes through here before it is joined to a folder.
"""

from __future__ import annotations

import os
from pathlib import Path

MOST_BYTES = 255
"""Of a file's name: NAME_MAX of Linux's file systems (limits.h)."""


class NoFileName(ValueError):
    """The name cannot be that of a file; the text says why."""


def file_name(name: str, suffix: str = "") -> str:
    """A name with a suffix, as that of a file in whatever folder. Raises `NoFileName`."""
    complete = name + suffix
    if not name or complete in (".", ".."):
        raise NoFileName("it is none")
    if "/" in complete:
        raise NoFileName("there is a slash in it")
    if not complete.isprintable():
        raise NoFileName("there are characters in it that cannot be printed")
    if (size := len(os.fsencode(complete))) > MOST_BYTES:
        raise NoFileName(f"it would have {size} bytes, and {MOST_BYTES} are the most")
    return complete


def is_file(path: Path) -> bool:
    """Whether it is a file, and no device or pipe. No path is too strange to be asked for."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
