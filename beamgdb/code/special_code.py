"""Code of the interpreter that belongs to no module: single words that hold an operation (emu/beam_emu.c).

A process starts at one of them and returns to another; tracing puts others onto stacks as return addresses.
"""

from __future__ import annotations

from collections.abc import Callable

from beamgdb.code.module import Module, Range
from beamgdb.memory import CachedMemory, Unreadable

INTERPRETER = "erts_interpreter"
"""The name under which they are shown, as BeamAsm calls its own entry points `erts_beamasm`."""

NORMAL_EXIT = "beam_normal_exit"
"""The variable that points to the word to which a process's first function returns."""

VARIABLES = (
    "beam_run_process",
    NORMAL_EXIT,
    "beam_exit",
    "beam_continue_exit",
    "beam_return_trace",
    "beam_return_to_trace",
    "beam_exception_trace",
    "beam_return_time_trace",
    "beam_call_trace_return",
    "beam_i_line_breakpoint_cleanup",
)
"""Pointers to all such words. The last three are in some releases only: OTP 25, those from 27 on, those from 28 on."""


def module(memory: CachedMemory, symbol: Callable[[str], int | None]) -> Module | None:
    """The words, as functions of a module. None before the VM is initialised."""
    word = memory.word_size
    functions: dict[int, Range] = {}
    for variable in VARIABLES:
        address = pointer(memory, symbol, variable)
        if address:
            name = f"{INTERPRETER}:{variable.removeprefix('beam_')}/0"
            functions.setdefault(address, Range(address, address + word, name, ()))
    if not functions:
        return None
    ranges = tuple(functions[address] for address in sorted(functions))
    return Module(INTERPRETER, ranges[0].start, ranges[-1].stop - ranges[0].start, ranges, of_vm=True)


def pointer(memory: CachedMemory, symbol: Callable[[str], int | None], variable: str) -> int | None:
    """Where the variable points, None where that is not known."""
    address = symbol(variable)
    try:
        return memory.word(address) or None if address is not None else None
    except Unreadable:
        return None
