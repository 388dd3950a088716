"""Run by GDB on a node: decode all functions, and follow the flow through one of so many.

Environment: RESULT, a JSON file for the outcome.
"""

import json
import os
import traceback
from pathlib import Path

from beamgdb.gdbext import session
from beamgdb.interpreter import effects, flow, instructions
from beamgdb.interpreter.bytecode import decode
from beamgdb.interpreter.operations import Unsupported

EVERY = 8


def walk() -> dict[str, object]:
    node = session.require().node
    known, unreadable, unknown = node.process_main.operations, list[str](), list[str]()
    functions = count = 0
    for module in node.code:
        for code in module.ranges if not module.of_vm else ():
            if code.arity is None:
                continue
            functions += 1
            try:
                made = instructions.of_function(node.memory, known, code.start, code.stop)
                decoded = [decode(each) for each in made]
            except Unsupported as error:
                unreadable.append(f"{code.name}: {error}")
                continue
            count += len(made)
            unknown += [f"{code.name}: {one.name}" for one in decoded if one.name != "padding" and not effects.of(one)]
            if functions % EVERY == 0 and not flow.analyse(made, code.start, code.arity, node.catch_handler).states:
                unknown.append(code.name)
    return {"functions": functions, "instructions": count, "unreadable": unreadable, "unknown": unknown}


try:
    outcome = walk()
except Exception:
    outcome = {"error": traceback.format_exc()}
Path(os.environ["RESULT"]).write_text(json.dumps(outcome))
