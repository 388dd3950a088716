"""A line to a remote stub on which each packet takes its time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from jit.sandbox.relay import LOOPBACK

CHUNK = 1 << 16


class SlowLine:
    """Takes one connection on the loopback interface, and passes it on to a port there."""

    def __init__(self, to: int) -> None:
        self.delay = 0.0
        """Seconds that what GDB sends is under way."""
        self._to = to
        self._listener = socket.create_server((LOOPBACK, 0))
        self._sockets = [self._listener]
        self.address = f"{LOOPBACK}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            gdb, _ = self._listener.accept()
            stub = socket.create_connection((LOOPBACK, self._to))
            for one in (gdb, stub):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [gdb, stub]
            threading.Thread(target=self._pass_on, args=(stub, gdb, False), daemon=True).start()
            self._pass_on(gdb, stub, True)

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_slow: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if is_slow and data != b"+":
                    time.sleep(self.delay)
                sink.sendall(data)
        self.close()

    def close(self) -> None:
        """End both connections."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextlib.contextmanager
def slow_line(to: int) -> Iterator[SlowLine]:
    """One that ends with the block."""
    line = SlowLine(to)
    try:
        yield line
    finally:
        line.close()
