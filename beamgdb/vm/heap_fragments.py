"""Terms of a process that are outside of its heap: in fragments, of its own or of messages (erl_message.h)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.records.chain import chain
from beamgdb.records.record import Record

MAX_FRAGMENTS: Final = 1 << 20
"""Fragments in one list that are followed."""

COMBINED: Final = 1
"""Where a message has its fragment of a heap in itself (`ERTS_MSG_COMBINED_HFRAG`)."""


def of_process(process: Record) -> Iterator[Record]:
    """The fragments that a process has itself. Whoever goes through them gets `Unreadable` where the list is damaged;
    so with the others."""
    return _chain(process, process["mbuf"])


def of_received(process: Record) -> Iterator[int]:
    """Addresses of messages that have been received, and whose terms are in use until the next collection."""
    following = process.layout.offset("ErtsMessageRef", "next")
    return chain(process.memory, process["msg_frag"], following, MAX_FRAGMENTS)


def of_message(owner: Record, address: int, non_value: int) -> Iterator[Record]:
    """The fragments of the message at an address; none of one that another node has sent, which is not decoded yet."""
    message = Record(owner.memory, owner.layout, "ErtsMessage", address)
    attached = message["data.attached"]
    if attached == COMBINED:
        return _chain(owner, message.field_address("hfrag"))
    is_decoded = attached and owner.memory.word(message.field_address("m")) != non_value
    return _chain(owner, attached if is_decoded else 0)


def _chain(owner: Record, first: int) -> Iterator[Record]:
    following = owner.layout.offset("ErlHeapFragment", "next")
    for at in chain(owner.memory, first, following, MAX_FRAGMENTS):
        yield Record(owner.memory, owner.layout, "ErlHeapFragment", at)
