"""Fragments of heaps: terms of a process outside of its heap, its own and those of messages (erl_message.h)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from beamgdb.records.chain import chain
from beamgdb.records.record import Record
from beamgdb.vm import signals
from jit.otp.tags import HEADER_MASK, SIGNAL_HEADER

MAX_FRAGMENTS: Final = 1 << 20
"""Fragments in one list that are followed."""

COMBINED: Final = 1
"""Where a message has its fragment of a heap in itself (`ERTS_MSG_COMBINED_HFRAG`)."""


class Fragment(NamedTuple):
    """An `ErlHeapFragment`. `message`: the message that waits with it, counted from 1 on in the order of
    `signals.everywhere`; 0 for one that has been received, whose terms are in use until the next collection; None for
    what is of no message."""

    record: Record
    message: int | None = None


def of_process(process: Record, non_value: int) -> Iterator[Fragment]:
    """All fragments of a process. Raises `Unreadable` where they lead to nowhere, or in a circle; KeyError where the
    layout lacks what leads to them; so with the others. `non_value`: that of the tag scheme."""
    for record in own(process) if process["mbuf"] else ():
        yield Fragment(record)
    number = 0
    for address, tag in signals.everywhere(process):
        if tag & HEADER_MASK != SIGNAL_HEADER:
            number += 1
            for record in of_message(process, address, non_value):
                yield Fragment(record, number)
    for address in received(process) if process["msg_frag"] else ():
        for record in of_message(process, address, non_value):
            yield Fragment(record, 0)


def own(process: Record) -> Iterator[Record]:
    """The fragments that a process has itself."""
    return _chain(process, process["mbuf"])


def received(process: Record) -> Iterator[int]:
    """Addresses of messages that have been received, and whose terms are in use until the next collection."""
    following = process.layout.offset("ErtsMessageRef", "next")
    return chain(process.memory, process["msg_frag"], following, MAX_FRAGMENTS)


def of_message(owner: Record, address: int, non_value: int) -> Iterator[Record]:
    """The fragments of the message at an address; none of one that another node has sent, which is not decoded yet."""
    memory, offset = owner.memory, owner.layout.offset
    attached = memory.word(address + offset("ErtsMessage", "data.attached"))
    if attached == COMBINED:
        return _chain(owner, address + offset("ErtsMessage", "hfrag"))
    is_decoded = attached and memory.word(address + offset("ErtsMessage", "m")) != non_value
    return _chain(owner, attached if is_decoded else 0)


def _chain(owner: Record, first: int) -> Iterator[Record]:
    following = owner.layout.offset("ErlHeapFragment", "next")
    for at in chain(owner.memory, first, following, MAX_FRAGMENTS):
        yield Record(owner.memory, owner.layout, "ErlHeapFragment", at)
