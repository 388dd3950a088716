"""What the interpreter is made of: its operations, their handlers in `process_main`, and single words of its code."""

from __future__ import annotations

from collections.abc import Sequence

from beamgdb.code.special_code import VARIABLES
from beamgdb.roots import references
from beamgdb.roots.snapshot import Snapshot
from jit.image.image import Image, Recovered
from jit.image.operations import Operations

OPERATIONS, HANDLERS, MAIN = "opc", "beam_ops", "process_main"

NAMES = (OPERATIONS, HANDLERS, MAIN, *VARIABLES)

MAX_WORDS = 64
"""Words of an instruction at most."""

CONTINUE_EXIT = "continue_exit"
"""The operation that ends a process."""

OPERATION_OF = {
    "beam_run_process": "i_apply_only",
    "beam_normal_exit": "normal_exit",
    "beam_exit": "error_action_code",
    "beam_continue_exit": "continue_exit",
    "beam_return_to_trace": "i_return_to_trace",
    "beam_return_trace": "return_trace",
    "beam_exception_trace": "return_trace",
    "beam_return_time_trace": "i_return_time_trace",
    "beam_call_trace_return": "i_call_trace_return",
    "beam_i_line_breakpoint_cleanup": "i_line_breakpoint_cleanup",
}
"""By variable of `special_code.VARIABLES`: the operation in the word that it points to (emu/beam_emu.c)."""

RETURN_TRACE, EXCEPTION_TRACE = "beam_return_trace", "beam_exception_trace"
"""The two that have the same operation."""


def variables(image: Image, data: Snapshot, known: Operations, words: Sequence[int]) -> dict[str, Recovered | str]:
    """Each of `NAMES`, or why it is not found. `words` are the handlers."""
    pointers = [place for place in data.places(known.handlers) if image.is_writable(place)]
    found: dict[str, Recovered | str] = {
        OPERATIONS: Recovered(OPERATIONS, known.table, "by the names in it"),
        HANDLERS: "no variable points to the handlers",
        MAIN: "no table tells of its start",
    }
    if known.main is not None:
        found[MAIN] = Recovered(MAIN, known.main, "the function in which all operations have their handlers")
    if pointers:
        # None of them is ever changed: any will do.
        how = "it points to as many places in one function as opc has names"
        found[HANDLERS] = Recovered(HANDLERS, pointers[0], how)
    for variable in VARIABLES:
        # Each release has its own of them.
        if OPERATION_OF[variable] in known.names:
            places = _places(data, known, words, variable)
            if variable in (RETURN_TRACE, EXCEPTION_TRACE):
                found[variable] = _of_trace(image, variable, places)
            elif len(places) == 1:
                found[variable] = Recovered(variable, places[0], "the only pointer to the word with its operation")
            else:
                found[variable] = f"{len(places) or 'no'} variables point to a word that is {OPERATION_OF[variable]}"
    return found


def _places(data: Snapshot, known: Operations, words: Sequence[int], variable: str) -> list[int]:
    """Where pointers stand to a word with the operation of a variable."""
    handler = words[known.names.index(OPERATION_OF[variable])]
    return [place for word in data.places(handler) for place in data.places(word)]


def _of_trace(image: Image, variable: str, places: list[int]) -> Recovered | str:
    """One of two pointers to words with the same operation. Functions that use one use both; only what looks for who
    catches an exception asks, besides, whether a word is the second (`next_catch` of beam_common.c)."""
    if len(places) != 2:
        return f"{len(places) or 'no'} variables point to a word that is {OPERATION_OF[variable]}, not two"
    users = {place: set(references.users(image, place, place + image.word_size)) for place in places}
    of_return, of_exception = sorted(places, key=lambda place: len(users[place]))
    if not users[of_return] < users[of_exception] or len(users[of_exception] - users[of_return]) != 1:
        return "what uses the two variables with its operation does not tell them apart"
    if not users[of_return]:
        return "nothing is seen to use it"
    address = of_return if variable == RETURN_TRACE else of_exception
    return Recovered(variable, address, "one of two pointers to its operation, by the function that uses but the other")
