"""Run by GDB at a C function of a node: single-step, and print the stack pointers that `process_main` and the outermost
frames were found with. They are the same at all steps, as these frames wait for the function."""

from __future__ import annotations

import gdb

STEPS = 150
OUTERMOST = 3


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
    for _ in range(STEPS):
        now = frames()
        main_frame = next((frame for frame in now if frame[0] == "process_main"), None)
        print("step", now[0][0], main_frame, now[-OUTERMOST:])
        gdb.execute("stepi", to_string=True)


main()
