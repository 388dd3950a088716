"""Run by stock GDB: stop at each operation of native code, and write down what its debugging information says.

Environment: STEPS_PLAN is a JSON file, see ``Walk``; the answer goes to STEPS_ANSWER.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import gdb

#: Elements of a list or tuple, how deep terms are read, and how many frames.
MOST = 100


class Walk:
    """A walk from the function of the plan to the offset ``end``, with stops at all ``operations``.

    ``once`` are offsets to stop at once, and ``calls`` names of C functions. All offsets are in the module's code,
    in which ``offset`` is that of the function. The answer is a list of the stops in order: place, names of the frames
    up to process_main, and the variables of the innermost Erlang function.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.base = address(plan["function"]) - plan["offset"]
        self.stops: list[dict[str, Any]] = []
        self.memory = gdb.selected_inferior()

    def run(self) -> None:
        for name in self.plan["calls"]:
            gdb.execute(f"tbreak *&'{name}'", to_string=True)
        for kind, offsets in (("tbreak", self.plan["once"]), ("break", self.plan["operations"])):
            for offset in offsets:
                gdb.execute(f"{kind} *{self.base + offset}", to_string=True)
        operations = set(self.plan["operations"])
        offset = self.plan["offset"]
        while offset != self.plan["end"] and len(self.stops) < self.plan["most"]:
            chain = frames()
            names = [frame.name() or "?" for frame in chain]
            own = next((frame for frame, name in zip(chain, names) if name.startswith(self.plan["module"])), None)
            told = variables(self, own) if own is not None and (offset in operations or own is not chain[0]) else {}
            self.stops.append({"at": offset, "frames": names, "variables": told})
            gdb.execute("continue", to_string=True)
            offset = int(gdb.selected_frame().pc()) - self.base

    def word(self, place: int) -> int:
        return int.from_bytes(self.memory.read_memory(place, 4).tobytes(), "little")


def frames() -> Sequence[gdb.Frame]:
    """The frames from the innermost up to process_main."""
    found = [gdb.newest_frame()]
    while found[-1].name() != "process_main" and len(found) < MOST:
        older = found[-1].older()
        if older is None:
            break
        found.append(older)
    return found


def address(symbol: str) -> int:
    return int(gdb.parse_and_eval(f"(unsigned long)&'{symbol}'"))


def variables(walk: Walk, frame: gdb.Frame) -> dict[str, Any]:
    """The variables of a frame's function by name: None is "optimized out"."""
    told = {}
    frame.select()
    for symbol in frame.block():
        if symbol.is_argument or symbol.is_variable:
            value = symbol.value(frame)
            gone = value.is_optimized_out
            if str(symbol.type) == "Eterm":
                told[symbol.name] = None if gone else term(walk, int(value))
            else:
                told[symbol.name] = int(value) & 0xFFFF_FFFF
    return told


def term(walk: Walk, word: int, depth: int = 0) -> Any:
    """A term as JSON: erts/emulator/beam/erl_term.h."""
    if word & 0xF == 0xF:
        return word >> 4 if word < 1 << 31 else (word >> 4) - (1 << 28)
    if word & 0x3F == 0x0B:
        return {"atom": word >> 6}
    if word == 0x3B:
        return []
    if depth > MOST:
        return {"deep": word}
    if word & 3 == 1:
        head, tail = (term(walk, walk.word(word - 1 + at), depth + 1) for at in (0, 4))
        return {"head": head, "tail": tail}
    if word & 3 == 2:
        header = walk.word(word - 2)
        if header & 0x3F == 0 and header >> 6 < MOST:
            return {"tuple": [term(walk, walk.word(word + 2 + 4 * at), depth + 1) for at in range(header >> 6)]}
    return {"other": word}


def main() -> None:
    with open(os.environ["STEPS_PLAN"], encoding="utf-8") as file:
        plan = json.load(file)
    gdb.execute("set breakpoint pending on")
    gdb.execute("set breakpoint always-inserted on")
    gdb.execute(f"tbreak -function {plan['function']}", to_string=True)
    gdb.execute("continue", to_string=True)
    walk = Walk(plan)
    error = ""
    try:
        walk.run()
    except Exception as raised:  # also of GDB: what has been seen so far tells where
        error = repr(raised)
    with open(os.environ["STEPS_ANSWER"], "w", encoding="utf-8") as file:
        json.dump({"stops": walk.stops, "error": error}, file)


main()
