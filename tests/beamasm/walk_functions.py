"""Run by GDB on a node, after step_beam.py: the analysis of functions that BeamAsm has made.

Environment: STEP_PATHS (for sys.path), WALK_EVERY (of each so many functions one is analysed), WALK_RESULT (file for
the outcome, JSON).
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path[:0] = os.environ["STEP_PATHS"].split(":")

from beamgdb.code.module import CODE_INFO  # noqa: E402
from beamgdb.gdbext import session, unwinder  # noqa: E402


def main() -> dict[str, Any]:
    node = session.require().node
    walker: Any = unwinder.unwinder_of(session.require())
    reached = known = 0
    unfinished: list[str] = []
    unknown: dict[str, int] = {}
    functions = [
        code for module in node.code if not module.of_vm for code in module.ranges
        if code.arity is not None and not code.name.endswith(CODE_INFO)
    ]  # fmt: skip
    for code in functions[:: int(os.environ["WALK_EVERY"])]:
        flow = walker.flow(code)
        if flow is None or not flow.finished:
            unfinished.append(code.name)
            continue
        for offset, state in flow.reached():
            reached += 1
            known += state.stack is not None and state.stack.returns is not None
            if state.stack is None or state.stack.returns is None:
                unknown.setdefault(code.name, offset)
    return {
        "functions": len(functions), "reached": reached, "known": known, "unfinished": unfinished,
        "unknown": list(unknown.items())[:50],
    }  # fmt: skip


try:
    outcome = main()
except Exception:
    outcome = {"failed": traceback.format_exc()}
Path(os.environ["WALK_RESULT"]).write_text(json.dumps(outcome))
