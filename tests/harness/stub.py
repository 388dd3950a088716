"""As much of GDB as lets the program of a stub run until it is ready."""

from __future__ import annotations

import re
import select
import signal
import socket
import time
from collections.abc import Callable

from jit.sandbox.debuggee import interrupt
from tests.harness.patience import PATIENCE

#: A stop, with GDB's number of the signal: GDB manual, "Stop Reply Packets".
STOPPED = re.compile(rb"\$[ST]([0-9a-f]{2})[^#]*#..")


def run_until(ready: Callable[[], bool], stub: socket.socket, pid: int) -> None:
    """Have a program go on that has not begun yet, with the signals that it gets, and stop when it is ready.

    For GDB it would stop at each module that a VM with a JIT registers, and at each stop qemu forgets all code that it
    has translated: 9 seconds of a processor, instead of 3."""
    deadline, is_interrupted, said = time.monotonic() + 2 * PATIENCE, False, b""
    _send(stub, "c")
    while True:
        if select.select([stub], [], [], 0.05)[0]:
            chunk = stub.recv(1 << 12)
            assert chunk, "the node has ended"
            said += chunk
        if stop := STOPPED.search(said):
            stub.sendall(b"+")
            if is_interrupted and int(stop[1], 16) == signal.SIGINT:
                return
            said = said[stop.end() :]
            _send(stub, f"C{stop[1].decode()}")
        elif not is_interrupted and ready():
            is_interrupted = True
            interrupt(pid)
        assert time.monotonic() < deadline, "the node is not ready"


def _send(stub: socket.socket, packet: str) -> None:
    stub.sendall(f"${packet}#{sum(packet.encode()) % 256:02x}".encode())
