"""Frames that tracing puts onto the stack of a process, between a traced function and its caller (beam_bp.c).

The return address of the traced function is then one of the VM's own entry points, which tells the tracer. Above it, as
the y registers of a frame, is what to tell; and above that the caller's return address. One of these words can look
like a return address: a pointer to the `ErtsCodeMFA` or to the first instruction of a function.
"""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.code.loaded import Place

SLOTS = {
    "return_trace": ("mfa", "tracer", "session"),
    "exception_trace": ("mfa", "tracer", "session"),
    "return_to_trace": ("session",),
    "return_time_trace": ("caller",),
    "call_trace_return": ("caller", "flags", "session"),
}
"""By entry point, what its frame holds, y0 first. Sessions are new in OTP 27, where `call_trace_return` stands for
`return_time_trace`. `mfa`: the traced function; `caller`: that to which call_time and call_memory count again, or
[]."""


def kind(place: Place | None) -> str | None:
    """Which of `SLOTS` a frame of this code is, None for any other."""
    if place is None or not place.is_internal:
        return None
    name = place.code.name.rpartition(":")[2].partition("/")[0]
    return name if name in SLOTS else None


def begins_with_function(place: Place | None) -> bool:
    """Whether y0 of a frame of this code may be the address of a function's first instruction."""
    return SLOTS.get(kind(place) or "", ("",))[0] == "caller"


def terms(name: str, words: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """What the frame of an entry point holds besides the function: names and terms."""
    return ((slot, word) for slot, word in zip(SLOTS[name], words) if slot not in ("mfa", "caller"))
