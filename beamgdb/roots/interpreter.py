"""What the interpreter is made of: its operations, their handlers in `process_main`, and single words of its code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from beamgdb.code.special_code import VARIABLES
from beamgdb.records.statics import Recovered
from beamgdb.roots import references
from beamgdb.roots.image import Function, Image
from beamgdb.roots.snapshot import Snapshot
from jit.otp.layouts.layout import Layout

OPERATIONS, HANDLERS, MAIN = "opc", "beam_ops", "process_main"

NAMES = (OPERATIONS, HANDLERS, MAIN, *VARIABLES)

FIRST_NAME = b"label_L\0"
"""The name of an operation that is in every release (ops.tab)."""

NAME = re.compile(rb"[A-Za-z_]\w*\?*\0")
"""A name of an operation."""

TEXT = re.compile(rb"[\x20-\x7e]*\0")
"""A signature, or the program that packs operands."""

MAX_NAME = 128

MAX_OPERATIONS = 10_000
"""Operations of a build at most; releases have about 500."""

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


@dataclass(frozen=True)
class Operations:
    """The table `opc`: its address, the names of operations by number, and the table of their handlers."""

    table: int
    names: tuple[str, ...]
    handlers: int
    main: int | None
    """Where `process_main` starts, None where nothing tells."""


def operations(image: Image, layout: Layout) -> Operations | str:
    """What the program's file tells of the operations, or why it does not."""
    places = image.pointers
    size = layout.size("OpEntry")
    named = {part.start + at for part in image.fixed for at in _all(part.content, FIRST_NAME)}
    found = []
    for place, to in places.items():
        entry = place - layout.offset("OpEntry", "name")
        if to not in named or _name(image, layout, places, entry) is None:
            continue
        first = entry
        while _name(image, layout, places, first - size) is not None:
            first -= size
        names: list[str] = []
        while len(names) < MAX_OPERATIONS and (name := _name(image, layout, places, first + len(names) * size)):
            names.append(name)
        found.append((first, tuple(names)))
    if len(found) != 1:
        return f"{len(found) or 'no'} tables name operations"
    table, names_of = found[0]
    handlers = _handlers(image, places, len(names_of))
    if len(handlers) != 1:
        return f"{len(handlers) or 'no'} tables have {len(names_of)} places in one function"
    start = handlers[0]
    main = image.function_at(places[start] & ~1)
    return Operations(table, names_of, start, main.start if main is not None else None)


def _all(content: bytes, text: bytes) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(text), content)]


def _name(image: Image, layout: Layout, places: Mapping[int, int], entry: int) -> str | None:
    """The name of the operation that this `OpEntry` describes, None where it is none."""
    name, signature, pack = (places.get(entry + layout.offset("OpEntry", field)) for field in ("name", "sign", "pack"))
    if name is None or signature is None or pack is None:
        return None
    text = NAME.match(_text(image, name))
    if text is None or not TEXT.match(_text(image, signature)) or not TEXT.match(_text(image, pack)):
        return None
    return text[0][:-1].decode()


def _text(image: Image, address: int) -> bytes:
    return image.read(address, MAX_NAME) or b""


def _handlers(image: Image, places: Mapping[int, int], count: int) -> list[int]:
    """Tables of so many places in one function, one behind the other, and no more."""
    word = image.word_size
    found: list[int] = []
    run: list[int] = []
    function: Function | None = None
    for place in (*sorted(places), 0):
        to = places.get(place, 0)
        inside = image.function_at(to & ~1)
        if run and (place != run[-1] + word or not image.is_code(to) or inside is not function):
            if len(run) == count:
                found.append(run[0])
            run = []
        if image.is_code(to):
            run.append(place)
        function = inside
    return found


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
