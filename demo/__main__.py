"""Compiles the shop, runs the session that shows it, and sees to it that the session ends and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from demo.session import GDB_OPTIONS, GDB_SETTINGS, NODE
from jit.system.command_line import Parser, complain, complete

DEMO = Path(__file__).resolve().parent
GDBS = ("gdb-multiarch", "gdb")
SANDBOX = (sys.executable, "-m", "beamgdb.sandbox")
PATIENCE = 300
"""A session is hung that takes so many times as long as the compiler did: usually it is 10, for ARM 40."""

ARM32 = ("--arch", "armhf", "--otp", "27")
"""The sandbox of `make demo-arm32`."""


def main() -> int:
    """Exit status: 0 when every step was shown."""
    return complete("demo", _act)


def _act() -> int:
    parser = Parser(prog="python -m demo", description=__doc__)
    parser.add_argument("--arm32", action="store_true", help="an Erlang for 32-bit ARM, under qemu")
    arm32 = parser.parse_args().arm32
    gdb = next(filter(None, map(shutil.which, GDBS)), None)
    missing = [program for program in ("erl", "erlc") if shutil.which(program) is None]
    missing += [] if gdb else [" or ".join(GDBS)]
    if gdb is None or missing:
        return _fail(f"not installed: {', '.join(missing)} (`make demo` installs what is needed)")
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="beamgdb-demo-") as ebin:
        print("==> erlc demo/shop.erl", flush=True)
        start = time.monotonic()
        if subprocess.run(["erlc", "+debug_info", "-o", ebin, DEMO / "shop.erl"]).returncode:
            return _fail("demo/shop.erl could not be compiled")
        limit = PATIENCE * (time.monotonic() - start)
        if arm32 and subprocess.run([*SANDBOX, "fetch", *ARM32], cwd=DEMO.parent, stdout=subprocess.DEVNULL).returncode:
            return 1
        command = arm32_session(gdb, ebin) if arm32 else [sys.executable, "-m", "demo.session", gdb, ebin]
        with _own_process_group(command) as session:
            try:
                return session.wait(limit)
            except subprocess.TimeoutExpired:
                return _fail(f"stopped: not finished after {limit:.0f} seconds")


def arm32_session(gdb: str, ebin: str) -> list[str]:
    """The command that shows a node for ARM."""
    settings = [f"--gdb-arg={word}" for setting in GDB_SETTINGS for word in ("-iex", setting)]
    options = [f"--gdb-arg={word}" for word in (*GDB_OPTIONS, "-x", str(DEMO / "tour_arm32.py"))]
    node = ["--", *NODE[1:], "-pa", ebin]
    print(f"==> {shlex.join(['python', *SANDBOX[1:], 'gdb', *ARM32, *node])}\n", flush=True)
    return [*SANDBOX, "gdb", *ARM32, "--gdb", gdb, *settings, *options, *node]


@contextmanager
def _own_process_group(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that all its descendants share a group with, which ends at the end of the block."""
    # What GDB's own Python needs is installed where this one runs.
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, cwd=DEMO.parent, env=environment, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _fail(problem: str) -> int:
    return complain("demo", problem)


if __name__ == "__main__":
    sys.exit(main())
