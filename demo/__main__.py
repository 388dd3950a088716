"""Compiles the shop, runs the session that shows it, and sees to it that the session ends and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

DEMO = Path(__file__).resolve().parent
GDBS = ("gdb-multiarch", "gdb")
PATIENCE = 60.0
"""Seconds. The session takes a few; something is wrong if it takes so many."""


def main() -> int:
    """Exit status: 0 when every step was shown."""
    gdb = next(filter(None, map(shutil.which, GDBS)), None)
    missing = [program for program in ("erl", "erlc") if shutil.which(program) is None]
    missing += [] if gdb else [" or ".join(GDBS)]
    if gdb is None or missing:
        return _fail(f"not installed: {', '.join(missing)} (`make demo` installs what is needed)")
    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="beamgdb-demo-") as ebin:
        print("==> erlc demo/shop.erl", flush=True)
        if subprocess.run(["erlc", "+debug_info", "-o", ebin, DEMO / "shop.erl"], timeout=PATIENCE).returncode:
            return _fail("demo/shop.erl could not be compiled")
        with _own_process_group([sys.executable, "-m", "demo.session", gdb, ebin]) as session:
            try:
                return session.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                return _fail(f"stopped: not finished after {PATIENCE:.0f} seconds")


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
    print(f"demo: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
