"""Runs in GDB: single steps through native code, and looks at all frames each time."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import session
from beamgdb.gdbext.unwinder import erlang_frame

OUTERMOST = "erts_interpreter:normal_exit/0"


def _names() -> list[str] | None:
    """The Erlang functions and fragments, from the innermost to the first of the process."""
    frame: gdb.Frame | None = gdb.newest_frame()
    found: list[str] = []
    while frame is not None:
        erlang = erlang_frame(frame)
        if erlang is not None and erlang.place.code.name == OUTERMOST:
            return found
        if erlang is not None:
            found.append(erlang.place.code.name.removesuffix(" entry"))
        frame = frame.older()
    return None


def _functions(names: list[str] | None) -> list[str]:
    return [name for name in names or () if not name.startswith("native::")]


def _is_native(pc: int) -> bool:
    return session.require().node.code.native_at(pc) is not None


def _leave_c() -> bool:
    """Run until native code goes on, if a step has come to C; whether the interpreter has run meanwhile."""
    interpreted = False
    while not _is_native(gdb.newest_frame().pc()):
        caller = gdb.newest_frame().older()
        place = caller.pc() if caller is not None and _is_native(caller.pc() - 1) else None
        interpreted = interpreted or place is None
        gdb.execute(f"tbreak *{place:#x}" if place else "tbreak native::enter", to_string=True)
        gdb.execute("continue", to_string=True)
    return interpreted


def _is_one_step(before: list[str], after: list[str]) -> bool:
    """Whether the innermost function was called, has returned, or has been replaced, or nothing has changed."""
    return before[1:] == after[1:] or after[1:] == before or before[1:] == after


def step_frames(count: int) -> None:
    """Take so many steps; print what is wrong with the frames."""
    outside = _functions(_names())[1:]
    assert outside, "no function has called this one"
    before: list[str] | None = None
    for _ in range(count):
        names = _names()
        functions = _functions(names)
        pc = gdb.newest_frame().pc()
        if names is None or functions[-len(outside) :] != outside:
            print(f"wrong at {pc:#x}: {names}")
        elif before is not None and not _is_one_step(before, functions):
            print(f"wrong step to {pc:#x}: from {before} to {names}")
        gdb.execute("stepi", to_string=True)
        before = None if _leave_c() else functions
    print(f"{count} steps")
