"""What commands tell, for the program that runs GDB to tell it: see `beamgdb.report`."""

from __future__ import annotations

import json
from collections.abc import Iterable

import gdb

from beamgdb.gdbext.errors import one_line


def all_of(token: str, commands: Iterable[str]) -> None:
    """Print a line for each command: the token, and an object with its text, or why there is none."""
    for command in commands:
        told: dict[str, str | None] = {"text": None, "error": None}
        try:
            told["text"] = gdb.execute(command, to_string=True)
        except gdb.error as error:
            told["error"] = one_line(error)
        gdb.write(f"{token}{json.dumps(told)}\n")
        gdb.flush()
