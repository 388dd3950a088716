"""GDB, run with the extension to tell something of a core file or a running node, without a prompt.

Nothing is run that lies beside the core file or that it names: GDB reads the program and its libraries, and no scripts.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from beamgdb import core_file
from beamgdb.core_file import NoCore
from beamgdb.late import dataclass
from jit.system.command_line import one_line

SAFE: Final = (
    "set auto-load no", "set debuginfod enabled off", "set pagination off", "set confirm off",
    "set history save off",
)  # fmt: skip
"""Before GDB reads a file: nothing that lies beside it, or that it names, is run, and nothing is asked of a server."""

TOLD_ERRORS: Final = 3
"""Lines that GDB has said last, which are shown where it has not come to the first answer."""


class NoAnswer(Exception):
    """GDB does not tell what it was asked; the text is one line that says why, and what to do."""


@dataclass(frozen=True)
class Opened:
    """A core file, the program that wrote it, and the folder that has its libraries as / had them, None for /."""

    core: Path
    program: Path
    sysroot: Path | None = None

    def words(self) -> tuple[str, ...]:
        """What GDB is given for it."""
        return str(self.program.absolute()), str(self.core.absolute())

    def settings(self) -> tuple[str, ...]:
        """Commands that come before that."""
        return () if self.sysroot is None else (f"set sysroot {self.sysroot.absolute()}",)


@dataclass(frozen=True)
class Attached:
    """A running node, by the id of its process."""

    pid: int

    def words(self) -> tuple[str, ...]:
        """What GDB is given for it."""
        return "-p", str(self.pid)

    def settings(self) -> tuple[str, ...]:
        """Commands that come before that."""
        return ()


@dataclass(frozen=True)
class Gdb:
    """Which GDB, and the script that loads the extension into it."""

    path: str
    loader: Path

    def ask(self, looked_at: Opened | Attached, call: str, *commands: str) -> Iterator[dict[str, Any]]:
        """What a function of `gdbext.told` writes, an object for each answer, as soon as it is there, with what GDB has
        `said` last, in lines. `call` is its name and arguments in Python, TOKEN among them. `commands` come before.
        Raises `NoAnswer` where there is none."""
        token = secrets.token_hex(16)
        before = (*SAFE, *looked_at.settings())
        asked = (*commands, f"python TOKEN = {token!r}; from beamgdb.gdbext import told; told.{call}")
        line = [
            self.path, "-nx", "-q", "-batch", *_options("-iex", before), "-ix", str(self.loader),
            *_options("-ex", asked), *looked_at.words(),
        ]  # fmt: skip
        pipe, count, said = subprocess.PIPE, 0, list[str]()
        with subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True, errors="replace",
            env={**os.environ, "DEBUGINFOD_URLS": ""},
        ) as gdb:  # fmt: skip
            try:
                assert gdb.stdout is not None
                for text in gdb.stdout:
                    if text.startswith(token):
                        count += 1
                        yield {**json.loads(text[len(token) :]), "said": list(map(one_line, said))}
                    elif text.strip():
                        said = [*said[1 - TOLD_ERRORS :], text.strip()]
            except BaseException:
                gdb.kill()
                raise
        if not count:
            raise NoAnswer(f"GDB has ended early{': ' if said else ''}{'; '.join(map(one_line, said))}")


def _options(name: str, values: tuple[str, ...]) -> list[str]:
    return [word for one in values for word in (name, one)]


def opened(core: Path, program: Path | None) -> Opened:
    """A core file with its program: that which it names, if no other is given. Raises `NoAnswer`, OSError."""
    if program is None:
        try:
            named = core_file.read(core).program
        except NoCore as error:
            raise NoAnswer(str(error)) from None
        if named is None:
            how = f"`beamgdb BEAM {core}`, or `--program BEAM` for a report or pack"
            raise NoAnswer(f"{core} does not tell which program wrote it: give the beam.smp, {how}")
        program = Path(named)
    if not program.is_file():
        raise NoAnswer(f"{program}: no such program: give the beam.smp that wrote the core file with --program")
    return Opened(core, program)
