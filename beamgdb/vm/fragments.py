"""Fragments of heaps: terms of a process outside of its heap, its own and those of messages (erl_message.h)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from beamgdb.memory import CachedMemory
from beamgdb.records.chain import chain
from beamgdb.records.record import Record
from beamgdb.vm import signals
from jit.otp.layouts.layout import Layout

MAX_FRAGMENTS: Final = 1 << 20
COMBINED: Final = 1
"""Where a message has its fragment of a heap in itself (`ERTS_MSG_COMBINED_HFRAG`)."""


class Fragment(NamedTuple):
    """An `ErlHeapFragment` at `address`. `message`: the message that waits with it, counted from 1 on in the order of
    `signals.everywhere`; 0 for one that has been received, whose terms are in use until the next collection; None for
    what is of no message."""

    address: int
    message: int | None = None


def of_process(process: Record, non_value: int) -> Iterator[Fragment]:
    """All fragments of a process. Raises `Unreadable` where they lead to nowhere, or in a circle; KeyError where the
    layout lacks what leads to them. `non_value`: that of the tag scheme."""
    memory, layout = process.memory, process.layout
    for address in _chain(memory, layout, process["mbuf"]):
        yield Fragment(address)
    number = 0
    for signal in signals.everywhere(process):
        if signal.is_message:
            number += 1
            for address in _of_message(memory, layout, signal.address, non_value):
                yield Fragment(address, number)
    following = layout.offset("ErtsMessageRef", "next")
    for at in chain(memory, process["msg_frag"], following, MAX_FRAGMENTS):
        for address in _of_message(memory, layout, at, non_value):
            yield Fragment(address, 0)


def _of_message(memory: CachedMemory, layout: Layout, address: int, non_value: int) -> Iterator[int]:
    message = Record(memory, layout, "ErtsMessage", address)
    attached = message["data.attached"]
    if attached == COMBINED:
        yield from _chain(memory, layout, message.field_address("hfrag"))
    elif attached and memory.word(message.field_address("m")) != non_value:
        yield from _chain(memory, layout, attached)


def _chain(memory: CachedMemory, layout: Layout, address: int) -> Iterator[int]:
    return chain(memory, address, layout.offset("ErlHeapFragment", "next"), MAX_FRAGMENTS)
