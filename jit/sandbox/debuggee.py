"""A foreign node that waits for GDB: under qemu-user's stub, behind a relay on the loopback interface."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from jit.sandbox.errors import SandboxError
from jit.sandbox.programs import STUB
from jit.sandbox.relay import LOOPBACK, Relay
from jit.sandbox.sandbox import Sandbox

#: Seconds until the stub listens. It takes a tenth of one on an idle machine.
PATIENCE = 60.0
_ONE_SCHEDULER = ("+S", "1:1", "+SDcpu", "1:1", "+SDio", "1")
_PR_SET_PDEATHSIG = 1
#: As OTP 27 and 25 name the threads of normal schedulers (erts/emulator/beam/erl_process.c).
_SCHEDULER = re.compile(r"erts_sched_\d+|\d+_scheduler")


@dataclass(frozen=True)
class Debuggee:
    """A node that has not yet run its first instruction. `process` is that of qemu."""

    sandbox: Sandbox
    process: subprocess.Popen[bytes]
    relay: Relay

    @property
    def address(self) -> str:
        """Where `target remote` finds it."""
        return f"{LOOPBACK}:{self.relay.port}"

    @property
    def packets(self) -> Counter[str]:
        """How many packets of each kind GDB has sent so far."""
        return self.relay.counts

    def gdb_arguments(self, *nifs: Path) -> list[str]:
        """Arguments of GDB that connect it, to be put behind those that load the extension; `nifs`: folders of NIFs."""
        return [*self.sandbox.gdb_settings(*nifs), str(self.sandbox.beam), "-ex", f"target remote {self.address}"]


@contextmanager
def debuggee(
    sandbox: Sandbox,
    arguments: Sequence[str],
    port: int = 0,
    *,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    first: Callable[[socket.socket, int], None] | None = None,
) -> Iterator[Debuggee]:
    """Start `erl ARGUMENTS` of a foreign sandbox so that it waits for GDB at `port`, 0 being any free one.

    It has one scheduler of each kind, unless ARGUMENTS say otherwise: the stub of qemu-user 7.2 stops only the thread
    that has something to report, and lets the others go on. Its standard input is empty but never ends. It is killed on
    the way out, and if this process dies. `first` has the stub for itself before GDB can be connected, with the process
    id of qemu. Raises SandboxError.
    """
    sandbox.check_runnable()
    # A socket that is connected needs its file no more.
    with tempfile.TemporaryDirectory(prefix="beamgdb-") as folder:
        stub = Path(folder) / "stub"
        node = subprocess.Popen(
            sandbox.command([*_ONE_SCHEDULER, *arguments]),
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **(environment or {}), STUB: str(stub)},
            start_new_session=True,  # Ctrl-C is for GDB
            preexec_fn=die_with_parent,
        )
        try:
            connection = _connect(stub, node)
        except BaseException:
            _kill(node)
            raise
    relay = None
    try:
        if first:
            first(connection, node.pid)
        relay = Relay(connection, partial(interrupt, node.pid), port)
        yield Debuggee(sandbox, node, relay)
    finally:
        _kill(node)
        if relay:
            relay.close()


def _connect(stub: Path, node: subprocess.Popen[bytes]) -> socket.socket:
    """A connection to the stub, as soon as it listens. Raises SandboxError."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(stub))
            return connection
        except OSError:
            connection.close()
        if node.poll() is not None:
            raise SandboxError(f"Erlang ended before GDB could be connected to it, with status {node.returncode}")
        time.sleep(0.02)
    raise SandboxError(f"qemu's stub did not listen within {PATIENCE:.0f} s")


def _kill(node: subprocess.Popen[bytes]) -> None:
    # qemu passes gentler signals on to a program that may never run.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)
    node.wait()
    for stream in (node.stdin, node.stdout, node.stderr):
        if stream:
            stream.close()


def interrupt(pid: int) -> None:
    """Let qemu report a SIGINT to GDB, which will not pass it on: of a scheduler, for only that thread stops."""
    schedulers = sorted(_schedulers(pid), key=lambda thread: thread.state != "R")
    _libc.tgkill(pid, schedulers[0].number if schedulers else pid, signal.SIGINT)


@dataclass(frozen=True)
class _Thread:
    number: int
    name: str
    state: str


def _schedulers(pid: int) -> Iterator[_Thread]:
    for folder in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):  # it may have ended
            # NUMBER (NAME) STATE ...: proc(5)
            number, _, rest = (folder / "stat").read_text().partition(" (")
            name, _, fields = rest.rpartition(") ")
            if _SCHEDULER.fullmatch(name):
                yield _Thread(int(number), name, fields[:1])


_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """In a new process: be killed when the one that has started it dies."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
