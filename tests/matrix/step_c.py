"""Run by GDB at a C function of a node, or in `process_main`, which then calls one: single-step, and print the stack
pointers that `process_main` and the outermost frames were found with. They are the same at all steps in such functions,
as these frames wait for them."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import session

STEPS = 150
OUTERMOST = 3
MOST = 20_000


def frames() -> list[tuple[str, int, int]]:
    """Name, pc and stack pointer of all frames, innermost first."""
    found: list[tuple[str, int, int]] = []
    frame: gdb.Frame | None = gdb.newest_frame()
    while frame is not None and len(found) < 200:
        found.append((frame.name() or "?", frame.pc(), int(frame.read_register("sp"))))
        frame = frame.older()
    return found


def main() -> None:
    """Print a line for each step."""
    gdb.execute("set scheduler-locking on")
    process_main = session.require().node.process_main
    steps = 0
    for _ in range(MOST):
        if gdb.newest_frame().pc() not in process_main:
            now = frames()
            # Where it has no symbol, it may have the name of another function.
            main_sp = next((sp for _, pc, sp in now if pc in process_main), None)
            print("step", now[0][0], "process_main" if main_sp is not None else None, main_sp, now[-OUTERMOST:])
            steps += 1
        if steps == STEPS:
            break
        gdb.execute("stepi", to_string=True)


main()
