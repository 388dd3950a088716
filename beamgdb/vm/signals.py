"""What waits in the signal queues of a process: messages and other signals (erl_message.h, erl_proc_sig_queue.h).

A process reads its messages from the inner queue. Signals come in at the outer one, or, where many send to it at once,
in buffers beside that; it fetches them to the middle queue, and handles them there. In each queue one `next` leads to
the other. What is no message has a tag like the header word of an external pid.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from beamgdb.records.chain import chain
from beamgdb.records.record import Record
from jit.otp.tags import ARITY_SHIFT, HEADER_MASK, SIGNAL_HEADER
from jit.otp.vm_flags import ERTS_SIG_Q_OP_MASK

INNER: Final = "sig_qs.first"
MIDDLE: Final = "sig_qs.cont"
OUTER: Final = "sig_inq.first"
QUEUES: Final = (INNER, MIDDLE, OUTER)
BUFFERED: Final = "sig_inq_buffers"

MAX_SIGNALS: Final = 1 << 27
"""Signals of a queue that are followed: a bound on damage. Queues of tens of millions have been seen."""

BUFFERS: Final = 64
"""Buffers for signals that come at once (`ERTS_PROC_SIG_INQ_BUFFERED_NR_OF_BUFFERS`)."""


class Signal(NamedTuple):
    """A signal: an `ErtsMessage` or an `ErtsNonMsgSignal`, with the word that tells which it is: of a message that has
    been decoded the message itself."""

    address: int
    tag: int

    @property
    def is_message(self) -> bool:
        return self.tag & HEADER_MASK != SIGNAL_HEADER

    @property
    def operation(self) -> int:
        """Of what is no message: see `vm_flags.signal_name`."""
        return self.tag >> ARITY_SHIFT & ERTS_SIG_Q_OP_MASK


def queue(process: Record, name: str) -> Iterator[Signal]:
    """The signals in one of `QUEUES`, first ones first. Raises `Unreadable` where it leads to nowhere, or in a circle;
    KeyError where the layout lacks what leads to them."""
    return _chain(process, process[name])


def buffered(process: Record) -> Iterator[Signal]:
    """Those in buffers, which go before all that comes later."""
    for first in buffers(process):
        yield from _chain(process, first)


def buffers(process: Record) -> Iterator[int]:
    """With what the queues in buffers begin, 0 for an empty one."""
    array = process[BUFFERED]
    if array:
        layout, memory = process.layout, process.memory
        start = Record(memory, layout, "ErtsSignalInQueueBufferArray", array).field_address("slots")
        for number in range(BUFFERS):
            at = start + number * layout.size("ErtsSignalInQueueBuffer")
            yield Record(memory, layout, "ErtsSignalInQueueBuffer", at)["b.queue.first"]


def everywhere(process: Record) -> Iterator[Signal]:
    """The signals of all queues, and those in buffers."""
    for name in QUEUES:
        if process[name]:
            yield from queue(process, name)
    if process[BUFFERED]:
        yield from buffered(process)


def unhandled(process: Record) -> Iterator[Signal]:
    """Those among which are some that are no messages."""
    for name in (MIDDLE, OUTER):
        yield from queue(process, name)
    yield from buffered(process)


def messages(process: Record, name: str) -> int:
    """How many messages are in one of `QUEUES`."""
    return sum(1 for signal in queue(process, name) if signal.is_message)


def _chain(process: Record, address: int) -> Iterator[Signal]:
    memory, layout = process.memory, process.layout
    following = layout.offset("ErtsMessageRef", "next")
    tag = layout.offset("ErtsMessageRef", "m")
    for at in chain(memory, address, following, MAX_SIGNALS):
        yield Signal(at, memory.word(at + tag))
