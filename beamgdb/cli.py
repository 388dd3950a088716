"""The command `beamgdb`: GDB with this extension loaded.

Arguments are GDB's own, except `--gdb GDB` (which GDB to run) and `--print-loader` (only print the script that loads
the extension into any GDB), which come first.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

LOADER = Path(__file__).resolve().parent / "loader.py"
#: The first that is installed is run; the multiarch one can also read cores of other machines.
GDBS = ("gdb-multiarch", "gdb")


def gdb_command(arguments: Sequence[str]) -> list[str]:
    """The GDB command line for the arguments of `beamgdb`. Raises LookupError when there is no GDB to run."""
    wanted: Sequence[str] = GDBS
    rest = list(arguments)
    if rest and rest[0] == "--gdb":
        if len(rest) < 2:
            raise LookupError("--gdb needs the name of a GDB")
        wanted, rest = (rest[1],), rest[2:]
    elif rest and rest[0].startswith("--gdb="):
        wanted, rest = (rest[0].removeprefix("--gdb="),), rest[1:]
    found = next((path for path in map(shutil.which, wanted) if path), None)
    if found is None:
        raise LookupError(f"no {' or '.join(wanted)} on this machine")
    # -ix, not -x: GDB attaches and reads the core before it reads -x files.
    return [found, "-ix", str(LOADER), *rest]


def main() -> int:
    """Become GDB; returns only when it cannot, with an exit status."""
    arguments = sys.argv[1:]
    if arguments == ["--print-loader"]:
        print(LOADER)
        return 0
    try:
        command = gdb_command(arguments)
        os.execv(command[0], command)
    except (LookupError, OSError) as error:
        print(f"beamgdb: {error}", file=sys.stderr)
    return 1
