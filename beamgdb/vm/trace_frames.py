"""Frames that the VM itself puts onto the stack of a process: for tracing, and for the line breakpoints of Erlang.

Those of tracing are between a traced function and its caller (beam_bp.c).

The return address of the traced function is then one of the VM's own entry points, which tells the tracer. Above it, as
the y registers of a frame, is what to tell; and above that the caller's return address. One of these words can look
like a return address: a pointer to the `ErtsCodeMFA` or to the first instruction of a function.

A line breakpoint (`erl_debugger`, new in OTP 28) has a function call `erts_internal:breakpoint/4`, and keeps its own
live x registers in a frame between (`erts_line_breakpoint_hit__prepare_call`).
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

LINE_BREAKPOINT = "line breakpoint"
"""A frame of another kind: it holds the x registers of the function below it, as many as are live there."""

_BREAKPOINT_CODE = ("erts_interpreter:i_line_breakpoint_cleanup/0", "global::i_line_breakpoint_trampoline_shared")
"""Where the debugger's function returns to: the interpreter's word (emu/instrs.tab), BeamAsm's fragment."""


def kind(place: Place | None) -> str | None:
    """Which of `SLOTS` a frame of this code is, or a `LINE_BREAKPOINT`; None for any other."""
    if place is None:
        return None
    if place.code.name in _BREAKPOINT_CODE and (place.is_internal or place.is_fragment):
        return LINE_BREAKPOINT
    if not place.is_internal:
        return None
    name = place.code.name.rpartition(":")[2].partition("/")[0]
    return name if name in SLOTS else None


def is_entered_by_return(place: Place | None) -> bool:
    """Whether nothing calls the code of such a frame: its address is only put onto stacks."""
    return place is not None and place.is_internal and kind(place) is not None


def begins_with_function(place: Place | None) -> bool:
    """Whether y0 of a frame of this code may be the address of a function's first instruction."""
    return describes_function(kind(place) or "") == "caller"


def describes_function(name: str) -> str | None:
    """Which function y0 of a frame tells: "mfa" or "caller" as in `SLOTS`; None if none."""
    first = SLOTS.get(name, ("",))[0]
    return first if first in ("mfa", "caller") else None


def terms(name: str, words: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """What the frame of an entry point holds besides the function: names and terms."""
    if name == LINE_BREAKPOINT:
        return ((f"x{number}", word) for number, word in enumerate(words))
    return ((slot, word) for slot, word in zip(SLOTS[name], words) if slot not in ("mfa", "caller"))
