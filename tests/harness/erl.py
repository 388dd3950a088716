"""Stock Erlang nodes that run the modules of `tests/erl`, and only as long as they are wanted."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
READY = "node is ready"
#: Seconds. A machine may be slow, or run many other things.
PATIENCE = 60.0

_NO_FLAGS = {"ERL_FLAGS": "", "ERL_AFLAGS": "", "ERL_ZFLAGS": ""}
#: No crash dump, nobody's own flags, and not 64 MiB that the C library reserves per thread: GDB writes them to a core.
_SETTINGS = {"ERL_CRASH_DUMP": "/dev/null", "MALLOC_ARENA_MAX": "1", **_NO_FLAGS}


@dataclass(frozen=True)
class Release:
    """An installed Erlang/OTP."""

    root: Path
    erts: str

    @property
    def bindir(self) -> Path:
        return self.root / f"erts-{self.erts}" / "bin"

    @property
    def beam(self) -> Path:
        """The emulator."""
        return self.bindir / "beam.smp"

    def environment(self) -> dict[str, str]:
        """What `beam` needs in its environment when it is started without `erl`."""
        own = {"ROOTDIR": str(self.root), "BINDIR": str(self.bindir), "EMU": "beam", "PROGNAME": "erl"}
        return {**os.environ, **_SETTINGS, **own}

    def arguments(self, ebin: Path, expression: str, *flags: str) -> list[str]:
        """The arguments of `beam`, as `erl -noinput -pa EBIN -eval EXPRESSION` gives them; `flags` as `-S 2:2`."""
        system = ["-root", str(self.root), "-bindir", str(self.bindir), "-progname", "erl", "--", "-home", "/", "--"]
        return [*flags, "--", *system, "-noinput", "-pa", str(ebin), "-eval", expression]


@dataclass(frozen=True)
class Node:
    """A running node: `pid` is the process id of its emulator, `said` what it printed before it was ready."""

    pid: int
    release: Release
    ebin: Path
    said: str = ""


@cache
def installed_release() -> Release:
    """The release that `erl` runs."""
    ask = 'io:format("~ts~n~ts~n", [code:root_dir(), erlang:system_info(version)]), halt().'
    answer = subprocess.run(["erl", "-noinput", "-eval", ask], capture_output=True, text=True, timeout=PATIENCE)
    root, erts = answer.stdout.splitlines()
    return Release(Path(root), erts)


def compile_modules(ebin: Path) -> None:
    """Compile `tests/erl` and `tests/nif` into the folder `ebin`."""
    _succeed(["erlc", "-o", str(ebin), *map(str, sorted((TESTS / "erl").glob("*.erl")))])
    include = installed_release().root / "usr" / "include"
    for source in sorted((TESTS / "nif").glob("*.c")):
        library = ebin / f"{source.stem}.so"
        _succeed(["gcc", "-shared", "-fPIC", "-O1", "-g", f"-I{include}", str(source), "-o", str(library)])


@contextmanager
def running_node(ebin: Path, expression: str, *flags: str) -> Iterator[Node]:
    """A node that has evaluated `expression` (such as "busy:start()"); it is killed on the way out.

    `flags` are those of `erl`, such as `"+S", "2"`.
    """
    ready = f'{expression}, io:format("{READY}~n").'
    command = ["erl", "-noinput", "+S", "2", "-pa", str(ebin), *flags, "-eval", ready]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | _SETTINGS
    ) as process:
        try:
            said = _await_ready(process)
            # `erl` and `erlexec` have become the emulator by exec: the process is still the one started here.
            yield Node(process.pid, installed_release(), ebin, said)
        finally:
            process.kill()


def _await_ready(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    text, deadline = b"", time.monotonic() + PATIENCE
    while READY.encode() not in text:
        readable, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(process.stdout.fileno(), 4096) if readable else b""
        if not chunk:
            raise RuntimeError(f"the node ended or was not ready in {PATIENCE} s; it said: {text.decode()!r}")
        text += chunk
    return text.decode().partition(READY)[0]


def _succeed(command: Sequence[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")


def missing_programs() -> list[str]:
    """Programs that are needed to run nodes and are not installed."""
    return [program for program in ("erl", "erlc", "gcc") if shutil.which(program) is None]
