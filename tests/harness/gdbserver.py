"""A gdbserver: a process of this machine as if it were on another."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

#: What it says when GDB may connect.
LISTENS = re.compile(r"Listening on port (\d+)")


@contextmanager
def attached(pid: int) -> Iterator[tuple[int, str]]:
    """A gdbserver that is attached to a process: its own, and where GDB finds it.

    Not at the end of a pipe (`target remote | gdbserver ...`): for each character that comes from there GDB looks
    whether there is an error to tell, which is two million system calls until it has read the code of a node."""
    command = ("gdbserver", "--once", "--attach", "127.0.0.1:0", str(pid))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            ports = (LISTENS.match(line) for line in server.stderr)
            yield server.pid, f"127.0.0.1:{next(found for found in ports if found)[1]}"
        finally:
            server.kill()
