"""Functions, as text, that processes were spawned with, or that frames of tracing are for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from beamgdb.memory import Unreadable
from beamgdb.vm import trace_frames
from beamgdb.vm.model import Vm
from beamgdb.vm.processes import Process
from jit.otp.tags import HEADER, PRIMARY_MASK

MAX_KNOWN: Final = 1 << 14
"""First functions of processes whose names are kept."""

_Answer = TypeVar("_Answer")

Named = Callable[[str], str]
"""From the name of a function's symbol to that by which users know it."""


def mfa(node: Vm, module: int, function: int, arity: int) -> str:
    """`module:function/arity` of atoms and a number."""
    return f"{node.term(module)}:{node.term(function)}/{arity}"


def at(node: Vm, address: int) -> str:
    """The function of the `ErtsCodeMFA` at an address. May raise `Unreadable`."""
    noted = node.record("ErtsCodeMFA", address)
    return mfa(node, noted["module"], noted["function"], noted["arity"])


def spawned_as(
    node: Vm,
    process: Process,
    named: Named = str,
    known: dict[tuple[int, ...], str] | None = None,
    *,
    registered_as: Named = str,
) -> str:
    """The process and its first function, which an exiting process no longer knows (`Process.u` is a union). Who asks
    of very many keeps the names that are `known`, of few functions. `named` and `registered_as` tell how functions and
    registered names are written."""
    name, call = _readable(process.registered_name), _readable(process.initial_call)
    registered = f" {registered_as(node.term(name))}" if name else ""
    if call is None:
        return f"process {node.term(process.id)}{registered}"
    function = known.get(call) if known is not None else None
    if function is None:
        function = named(mfa(node, *call))
        if known is not None and len(known) < MAX_KNOWN:
            known[call] = function
    return f"process {node.term(process.id)}{registered}, spawned as {function}"


def _readable(question: Callable[[], _Answer | None]) -> _Answer | None:
    try:
        return question()
    except Unreadable:
        return None


def trace_note(node: Vm, kind: str, words: tuple[int, ...], named: Named = str) -> str:
    """What a frame of tracing is for; `kind` and its words are as in `trace_frames`. May raise `Unreadable`."""
    slot = trace_frames.describes_function(kind)
    if not words or slot is None or words[0] & PRIMARY_MASK != HEADER:
        return kind
    if slot == "caller":
        return f"{kind}, called from {named(node.describe(words[0]) or hex(words[0]))}"
    return f"{kind} of {named(at(node, words[0]))}"
