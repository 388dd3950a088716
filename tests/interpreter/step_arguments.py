"""Run by GDB on a node with a module of `chains`: single-step `process_main`, and compare the arguments of the
innermost Erlang frames at each step with what they must be.

Environment: STEP_COUNT; STEP_EXPECTED, a JSON file with the texts of arguments by function; RESULT, one for the
outcome. The selected thread runs the module.
"""

import collections
import json
import os
import traceback
from pathlib import Path

import gdb

from beamgdb.gdbext import session
from beamgdb.gdbext.current_frame import Selected, outwards
from beamgdb.gdbext.unwinder import erlang_frame

FRAMES = 3
"""Erlang frames that are looked at."""


def check(expected: dict[str, list[str]], count: "collections.Counter[str]", wrong: list[str]) -> None:
    node, left = session.require().node, FRAMES
    for frame in outwards(gdb.newest_frame()):
        erlang = erlang_frame(frame)
        name = erlang.place.code.name if erlang else ""
        if erlang is None or left == 0:
            if left < FRAMES:
                return
            continue
        left -= 1
        which = "current" if erlang.x_registers is not None else "outer"
        for number, word in enumerate(Selected(node, frame, erlang).arguments() if name in expected else ()):
            if word is None:
                count[f"{which} unknown"] += 1
            elif (text := node.term(word)) == expected[name][number]:
                count[f"{which} right"] += 1
            else:
                wrong.append(f"{gdb.newest_frame().pc():#x}: {name} at {erlang.pc:#x} ({which}): x{number}={text}")


def main() -> None:
    outcome: dict[str, object] = {}
    count: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    try:
        expected = json.loads(Path(os.environ["STEP_EXPECTED"]).read_text())
        gdb.execute("set scheduler-locking on")
        for _ in range(int(os.environ["STEP_COUNT"])):
            gdb.execute("stepi", to_string=True)
            check(expected, count, wrong)
    except Exception:
        outcome["error"] = traceback.format_exc()
    Path(os.environ["RESULT"]).write_text(json.dumps(outcome | {"count": count, "wrong": wrong}))


main()
