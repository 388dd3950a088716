"""Signal queues, as they lie in memory."""

from __future__ import annotations

import pytest

from beamgdb.memory import Unreadable
from beamgdb.vm import signals
from beamgdb.vm.signals import INNER, OUTER
from jit.otp.tags import ARITY_SHIFT, SIGNAL_HEADER
from tests.vm.image import LAYOUT, Image

MONITOR = SIGNAL_HEADER | 3 << ARITY_SHIFT
"""The tag of a signal that is no message (`ERTS_SIG_Q_OP_MONITOR`)."""


def chain(image: Image, *tags: int) -> list[int]:
    """Signals with these tags, one behind the other; their addresses."""
    at = [image.block(LAYOUT.size("ErtsMessageRef")) for _ in tags]
    for address, following, tag in zip(at, [*at[1:], 0], tags):
        image.poke(address + LAYOUT.offset("ErtsMessageRef", "next"), following)
        image.poke(address + LAYOUT.offset("ErtsMessageRef", "m"), tag)
    return at


def test_messages_and_others() -> None:
    image = Image()
    at = chain(image, 31, MONITOR, 47, 0)
    process = image.struct("Process", {OUTER: at[0]})
    found = list(signals.queue(process, OUTER))
    assert [(one.address, one.is_message) for one in found] == list(zip(at, [True, False, True, True]))
    assert signals.messages(process, OUTER) == 3
    assert list(signals.queue(process, INNER)) == []


@pytest.mark.parametrize("back_to", range(5))
def test_a_circle_ends(back_to: int) -> None:
    image = Image()
    at = chain(image, *[31] * 5)
    image.poke(at[-1] + LAYOUT.offset("ErtsMessageRef", "next"), at[back_to])
    process = image.struct("Process", {INNER: at[0]})
    walk = signals.queue(process, INNER)
    assert [next(walk).address for _ in at] == at
    with pytest.raises(Unreadable):
        list(walk)


def test_buffers_of_many_senders() -> None:
    image = Image()
    size = LAYOUT.size("ErtsSignalInQueueBuffer")
    array = image.block(LAYOUT.offset("ErtsSignalInQueueBufferArray", "slots") + signals.BUFFERS * size)
    slots = array + LAYOUT.offset("ErtsSignalInQueueBufferArray", "slots")
    first, last = chain(image, 31, 47), chain(image, 63)
    for number, at in ((3, first[0]), (signals.BUFFERS - 1, last[0])):
        image.poke(slots + number * size + LAYOUT.offset("ErtsSignalInQueueBuffer", "b.queue.first"), at)
    process = image.struct("Process", {"sig_inq_buffers": array})
    assert [one.address for one in signals.buffered(process)] == [*first, *last]
    assert list(signals.buffered(image.struct("Process", {}))) == []
