"""Run by stock GDB: stop at each operation of native code, and write down what its debugging information says.

Environment: STEPS_PLAN is a JSON file, see ``Walk``; the answer goes to STEPS_ANSWER.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gdb

#: Elements of a list or tuple, how deep terms are read, and how many frames.
MOST = 100


class Walk:
    """A walk from the function of the plan to the offset ``end``, with stops at all ``operations``.

    ``once`` are offsets to stop at once, and ``called`` is a C function to stop in when native code calls it. All
    offsets are in the module's code, in which ``offset`` is that of the function. The answer is a list of the stops in
    order: place, names of the frames up to process_main, and the variables of the innermost Erlang function.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.base = address(plan["function"]) - plan["offset"]
        self.stops: list[dict[str, Any]] = []
        self.memory = gdb.selected_inferior()

    def run(self) -> None:
        gdb.execute(f"break *&'{self.plan['called']}'", to_string=True)
        for kind, offsets in (("tbreak", self.plan["once"]), ("break", self.plan["operations"])):
            for offset in offsets:
                gdb.execute(f"{kind} *{self.base + offset}", to_string=True)
        offset = self.plan["offset"]
        while len(self.stops) < self.plan["most"]:
            if self.is_native(offset) or self.is_native(self.register("lr") - self.base):
                self.note(offset)
            if offset == self.plan["end"]:
                break
            gdb.execute("continue", to_string=True)
            offset = self.register("pc") - self.base

    def is_native(self, offset: int) -> bool:
        return 0 <= offset < int(self.plan["size"])

    def note(self, offset: int) -> None:
        chain = frames()
        names = [frame.name() or "?" for frame in chain]
        own = next((frame for frame in chain if (frame.name() or "").startswith(self.plan["module"])), None)
        told = variables(self, own) if own is not None and own.function() is not None else {}
        self.stops.append({"at": offset, "frames": names, "variables": told})

    def register(self, name: str) -> int:
        return int(gdb.newest_frame().read_register(name)) & 0xFFFF_FFFF

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
    plan = json.loads(Path(os.environ["STEPS_PLAN"]).read_text(encoding="utf-8"))
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
    answer = json.dumps({"stops": walk.stops, "error": error})
    Path(os.environ["STEPS_ANSWER"]).write_text(answer, encoding="utf-8")


main()
