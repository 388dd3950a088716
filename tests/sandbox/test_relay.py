"""The relay between GDB and a stub: what passes, what it counts, how it ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jit.sandbox.errors import SandboxError
from jit.sandbox.relay import LOOPBACK, PacketReader, Relay
from tests.harness.patience import PATIENCE

#: Requests as GDB sends them, and the kinds of packets in them. The second holds an escaped #, the last one is binary.
REQUESTS = (
    (b"+$qSupported:multiprocess+;xmlRegisters=i386#c9", "qSupported"),
    (b"$X1000,2:\x7d\x03\x03#d0", "X"),
    (b"+$qXfer:features:read:target.xml:0,ffb#79", "qXfer:features:read"),
    (b"$vCont;c:p1.-1#0f", "vCont"),
    (b"+$m4000,40#7d", "m"),
    (b"$?#3f", "?"),
    (b"$g#67", "g"),
)
STREAM = b"".join(request for request, _ in REQUESTS)


@given(st.sets(st.integers(1, len(STREAM) - 1)))
def test_reader_counts_however_the_stream_is_cut(cuts: set[int]) -> None:
    reader, places = PacketReader(), [0, *sorted(cuts), len(STREAM)]
    answers = [reader.feed(STREAM[start:end]) for start, end in zip(places, places[1:])]
    assert b"".join(passed for passed, _ in answers) == STREAM
    assert not any(interrupted for _, interrupted in answers), "3 within a packet is data"
    assert reader.counts == {kind: 1 for _, kind in REQUESTS}


def test_reader_takes_ctrl_c_out() -> None:
    reader = PacketReader()
    assert reader.feed(b"$vCont;c#a8") == (b"$vCont;c#a8", False)
    assert reader.feed(b"\x03") == (b"", True)
    assert reader.feed(b"+\x03$g#67") == (b"+$g#67", True)


@pytest.fixture
def stub() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of the connection to a stub: the relay's, and the stub's own."""
    ends = socket.socketpair()
    ends[1].settimeout(PATIENCE)
    yield ends
    for end in ends:
        end.close()


def no_interrupt() -> None:
    raise AssertionError("nobody pressed Ctrl-C")


def connect(relay: Relay) -> socket.socket:
    return socket.create_connection((LOOPBACK, relay.port), timeout=PATIENCE)


def test_passes_both_ways_and_counts(stub: tuple[socket.socket, socket.socket]) -> None:
    with closing(Relay(stub[0], no_interrupt)) as relay, connect(relay) as gdb:
        gdb.sendall(b"$g#67")
        assert stub[1].recv(100) == b"$g#67"
        stub[1].sendall(b"+$\x03\x00#03")
        assert gdb.recv(100) == b"+$\x03\x00#03"
        assert relay.counts == {"g": 1}


def test_interrupts(stub: tuple[socket.socket, socket.socket]) -> None:
    pressed = threading.Event()
    with closing(Relay(stub[0], pressed.set)) as relay, connect(relay) as gdb:
        gdb.sendall(b"\x03")
        assert pressed.wait(20)


def test_ends_with_gdb(stub: tuple[socket.socket, socket.socket]) -> None:
    with closing(Relay(stub[0], no_interrupt)) as relay:
        with connect(relay) as gdb:
            gdb.sendall(b"$D#44")
        assert stub[1].recv(100) == b"$D#44"
        assert stub[1].recv(100) == b""


def test_ends_with_the_stub(stub: tuple[socket.socket, socket.socket]) -> None:
    with closing(Relay(stub[0], no_interrupt)) as relay, connect(relay) as gdb:
        stub[1].sendall(b"$W00#b7")
        stub[1].close()
        assert gdb.recv(100) == b"$W00#b7"
        assert gdb.recv(100) == b""


def test_takes_one_connection_on_the_loopback_interface_only(stub: tuple[socket.socket, socket.socket]) -> None:
    with closing(Relay(stub[0], no_interrupt)) as relay:
        # All of 127.0.0.0/8 is this machine: a listener on all interfaces would answer at 127.0.0.2.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", relay.port), timeout=PATIENCE)
        with connect(relay) as gdb:
            gdb.sendall(b"+")
            assert stub[1].recv(100) == b"+"
            with pytest.raises(ConnectionRefusedError):
                connect(relay)


def test_can_be_closed_before_gdb_comes(stub: tuple[socket.socket, socket.socket]) -> None:
    relay = Relay(stub[0], no_interrupt)
    relay.close()
    with pytest.raises(ConnectionRefusedError):
        connect(relay)


def test_port_is_taken(stub: tuple[socket.socket, socket.socket]) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SandboxError, match=f"port {port} of {LOOPBACK} is taken: choose another"):
            Relay(stub[0], no_interrupt, port)
