"""A relay between GDB and a remote stub, which makes up for what the stub of qemu-user 7.2 lacks.

That stub listens on all interfaces, or on a Unix socket: the relay listens on the loopback interface only. And the stub
reads nothing while the program runs, so that it never sees Ctrl-C: the relay takes it, and interrupts the program.
Besides, it counts packets. The protocol: GDB manual, appendix "GDB Remote Serial Protocol".
"""

from __future__ import annotations

import contextlib
import errno
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable

from jit.sandbox.errors import SandboxError

LOOPBACK = "127.0.0.1"
_CHUNK = 1 << 16


class PacketReader:
    """Reads along in what GDB sends: counts packets by kind, which is `m`, `g`, `vCont`, `qXfer:features:read`, ..."""

    _NAME = re.compile(rb"qXfer:[^:]*:[^:]*|[qQv][A-Za-z0-9.]*|.", re.DOTALL)
    _INTERRUPT = b"\3"

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._packet: bytearray | None = None

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Take the next bytes of the stream: those to pass on, and whether Ctrl-C was among them (it is not passed)."""
        passed, interrupted = b"", False
        while data:
            if self._packet is None:
                # Outside packets are acknowledgements and check sums.
                outside, dollar, data = data.partition(b"$")
                interrupted |= self._INTERRUPT in outside
                passed += outside.replace(self._INTERRUPT, b"") + dollar
                self._packet = bytearray() if dollar else None
            else:
                # Within a packet $ and # are escaped.
                inside, end, data = data.partition(b"#")
                passed += inside + end
                self._packet += inside
                if end:
                    self._count(bytes(self._packet))
                    self._packet = None
        return passed, interrupted

    def _count(self, packet: bytes) -> None:
        if name := self._NAME.match(packet):
            self.counts[name[0].decode(errors="replace")] += 1


class Relay:
    """Takes one connection on a port of the loopback interface, and passes bytes on to and from `stub`.

    For Ctrl-C it calls `interrupt`. It ends when either side does, and closes both. Raises SandboxError if the port is
    taken; port 0 is any free one.
    """

    def __init__(self, stub: socket.socket, interrupt: Callable[[], None], port: int = 0) -> None:
        self._stub = stub
        self._interrupt = interrupt
        self._reader = PacketReader()
        self._listener = socket.socket()
        self._gdb: socket.socket | None = None
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((LOOPBACK, port))
            self._listener.listen(1)
        except OSError as error:
            self._listener.close()
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise SandboxError(f"port {port} of {LOOPBACK} {reason}: choose another, or none for a free one") from None
        #: The port that it listens on.
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def counts(self) -> Counter[str]:
        """How many packets of each kind GDB has sent so far."""
        return self._reader.counts.copy()

    def close(self) -> None:
        """End it now. May be called again."""
        for end in (self._listener, self._gdb, self._stub):
            _end(end)
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._gdb, _ = self._listener.accept()
        except OSError:
            return
        finally:
            self._listener.close()
        self._gdb.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._pass_on, args=(self._stub, self._gdb), daemon=True)
        back.start()
        self._pass_on(self._gdb, self._stub, self._look)
        back.join()
        self._gdb.close()
        self._stub.close()

    def _look(self, data: bytes) -> bytes:
        passed, interrupted = self._reader.feed(data)
        if interrupted:
            self._interrupt()
        return passed

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket, look: Callable[[bytes], bytes] = bytes) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                sink.sendall(look(data))
        _end(source)
        _end(sink)


def _end(end: socket.socket | None) -> None:
    """Make pending and later calls on a socket return."""
    if end is not None:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
