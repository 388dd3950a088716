"""What the code of the interpreter's `process_main` names of structures on x86-64, as text by capstone."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Final

from beamgdb.machine_code.text import Instruction, instructions
from beamgdb.machine_code.x86_64 import whole_register

NEAR = 10
"""Instructions within which what belongs together stands."""

_PLACE: Final = r"\[(\w+) \+ (0x[0-9a-f]+|\d+)\]"
_STORE: Final = re.compile(rf"mov (qword|dword|word|byte) ptr {_PLACE}, ([a-z]\w*)")
_NAME: Final = re.compile(r"lea (\w+), \[\w+ - 0x18\]")
_MOVED: Final = re.compile(r"(?:lea (\w+), \[(\w+) \+ (0x[0-9a-f]+|\d+)\]|add (\w+), (0x[0-9a-f]+|\d+))")
_ARGUMENT: Final = re.compile(r"mov (\w+), qword ptr \[rdi\]")
_ARITY: Final = re.compile(r"movz?x? (\w+), (?:qword|dword|byte) ptr \[\w+ (?:- 8|\+ 0x[0-9a-f]+)\]")
_WIDTHS: Final = {"qword": 8, "dword": 4, "word": 2, "byte": 1}


def noted(code: bytes, start: int) -> set[int]:
    """Distances at which the address of a function's name, which lies before the operation, is stored, until something
    is called."""
    names: set[str] = set()
    places: set[int] = set()
    for instruction in _before_calls(code, start):
        name, store = _NAME.fullmatch(instruction.text), _STORE.fullmatch(instruction.text)
        if store is not None:
            if store[1] == "qword" and store[4] in names and store[2] != "rsp":
                places.add(int(store[3], 0))
        elif name is not None:
            names.add(name[1])
        else:
            names.discard(_written(instruction))
    return places


def taken(code: bytes, start: int) -> set[int]:
    """Distances of what is added to the word that the argument points to, until something is called."""
    holders: set[str] = set()
    distances: set[int] = set()
    for instruction in _before_calls(code, start):
        argument, moved = _ARGUMENT.fullmatch(instruction.text), _MOVED.fullmatch(instruction.text)
        if moved is not None and (moved[2] or moved[4]) in holders:
            distances.add(int(moved[3] or moved[5], 0))
        if argument is not None:
            holders.add(argument[1])
        else:
            holders.discard(_written(instruction))
    return distances


def arities(code: bytes, start: int, at_current: int) -> set[tuple[int, int]]:
    """Where, and how wide, the arity of a function, the word before its first instruction, is stored beside the place
    where the function is noted."""
    found = set()
    text = [one.text for one in instructions("x86_64", code, start)]
    for number, one in enumerate(text):
        store = _STORE.fullmatch(one)
        if store is None or store[2] == "rsp" or int(store[3], 0) == at_current:
            continue
        before, around = text[max(0, number - NEAR) : number], text[max(0, number - NEAR) : number + NEAR]
        last = next((load for load in reversed(before) if _written_by(load) == whole_register(store[4])), "")
        stores = (other for line in around if (other := _STORE.fullmatch(line)) is not None)
        beside = {(other[1], other[2], int(other[3], 0)) for other in stores}
        if _ARITY.fullmatch(last) and ("qword", store[2], at_current) in beside:
            found.add((int(store[3], 0), _WIDTHS[store[1]]))
    return found


def _before_calls(code: bytes, start: int) -> list[Instruction]:
    """Instructions up to the first that calls or ends."""
    every = instructions("x86_64", code, start)
    return list(takewhile(lambda one: not (one.ends or one.is_data or one.text.startswith("call")), every))


def _written(instruction: Instruction) -> str:
    return _written_by(instruction.text)


def _written_by(text: str) -> str:
    """The whole register that an instruction writes, as far as its first operand tells."""
    stem, _, operands = text.partition(" ")
    first = operands.partition(",")[0]
    return whole_register(first) if first.isalnum() and stem not in ("cmp", "test", "push") else ""
