"""The frames of native code on the C stack.

Erlang functions, and fragments that they branch to, run in the one frame that the fragment ``enter`` makes. A fragment
that is called is a frame of its own between the function and the C functions that it calls: it has no room on the
stack, and keeps its return address in the frame of ``enter``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jit.arm32.registers import LR
from jit.codegen.processor import Called
from jit.codegen.unwinding import Frame, Stretch, keeps_return_address
from jit.erts.arm32.conventions import FRAME_SIZE, SAVED, WORD
from jit.erts.arm32.native import MixedNative
from jit.otp.native_abi import ENTER

#: Before anything is saved: the caller goes on at lr.
CALLED: Final = Frame(0, {})
#: Between ``enter`` and ``leave``.
INSIDE: Final = Frame(FRAME_SIZE, {one.number: WORD * (at - len(SAVED)) for at, one in enumerate(SAVED)})


def stretches(native: MixedNative) -> Iterator[Stretch]:
    """All code of a module that has functions."""
    events = native.code.events
    yield Stretch(native.functions[0].start, native.ways_in[0], INSIDE)
    yield Stretch(*native.ways_in, CALLED)
    called = {event.target.offset for event in events if isinstance(event, Called) and event.target}
    for fragment in native.fragments:
        outside = Stretch(fragment.begin, fragment.end, CALLED)
        inside = Stretch(fragment.begin, fragment.end, INSIDE)
        is_called = fragment.name == ENTER or fragment.begin in called
        # One that loses its return address never returns: it is called for the data behind the call.
        yield outside if is_called and keeps_return_address(outside, events, LR.number) else inside
