"""A gdbserver: a process of this machine as if it were on another."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tests.harness.patience import PATIENCE

#: What it says when GDB may connect.
LISTENS = re.compile(r"Listening on port (\d+)")


@contextmanager
def attached(pid: int) -> Iterator[tuple[int, str]]:
    """A gdbserver that is attached to a process: its own, and where GDB finds it.

    Not at the end of a pipe (`target remote | gdbserver ...`): for each character that comes from there GDB looks
    whether there is an error to tell, which is two million system calls until it has read the code of a node."""
    command = ("gdbserver", "--once", "--attach", "127.0.0.1:0", str(pid))
    # Into a file: a pipe that nobody reads is full some time, of what it says on a processor with more registers than
    # it knows whenever GDB resumes the target, and then it waits for ever.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=said) as server,
    ):
        try:
            yield server.pid, f"127.0.0.1:{_port(server, said)}"
        finally:
            server.kill()


def _port(server: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    """Where it listens, once it does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        text = os.pread(said.fileno(), 1 << 16, 0).decode(errors="replace")
        if found := LISTENS.search(text):
            return found[1]
        assert server.poll() is None, f"gdbserver has ended; it said {text!r}"
        assert time.monotonic() < deadline, f"gdbserver does not listen; it said {text!r}"
        time.sleep(0.02)
