"""Files as arguments of GDB's commands."""

from __future__ import annotations

import re
from pathlib import Path

from beamgdb.terms.quoting import bare
from beamgdb.vm.model import Unavailable

_SPECIAL = re.compile(r"([^\w./+,:@%=-])", re.ASCII)


def file_argument(path: Path | str) -> str:
    """A path for `add-symbol-file`, `remove-symbol-file` and `symbol-file`, which take their arguments apart at blanks,
    and take quotes and backslashes away (gdb_argv). Raises `Unavailable` for what cannot be told to GDB."""
    text = str(path)
    if "\n" in text:
        raise Unavailable(f"GDB takes no file whose path has a line break: {bare(text)}")
    return _SPECIAL.sub(r"\\\1", text)
