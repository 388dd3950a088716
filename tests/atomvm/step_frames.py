"""Runs in GDB: steps through native code in the small machine, and looks at all frames before each instruction.

Says what is wrong with those of a place, and at the end in which functions it has been. ``ELF`` describes the code.
"""

from __future__ import annotations

import gdb

STEPS = 140
FUNCTIONS = ("start/0", "lists/0", "funs/0", "wide/2", "caught/1", "again/20", "kept/2")
ELF = gdb.parse_and_eval("$elf").string()


def frames() -> list[gdb.Frame]:
    """The innermost one first."""
    found: list[gdb.Frame] = []
    frame: gdb.Frame | None = gdb.newest_frame()
    while frame is not None and len(found) < 50:
        found.append(frame)
        frame = frame.older()
    return found


def quietly(command: str) -> None:
    gdb.execute(command, to_string=True)


def step() -> None:
    """To the next instruction of native code, or in the machine's own main function."""
    chain = frames()
    names = [one.name() or f"{one.pc():#x}" for one in chain]
    inside = [one for one in chain if begin <= one.pc() < end]
    if names[-1] != "main" or len(inside) > 2 or any(one.name() is None for one in inside):
        print(f"wrong at {names[0]} {chain[0].pc():#x}: {names}")
    if chain[0] in inside:
        visited[names[0]] = None
        if len(chain) > len(inside) + 1:
            print(f"wrong at {names[0]} {chain[0].pc():#x}: {names}")
    quietly("stepi" if chain[0] in inside or len(chain) == 1 else "finish")


quietly("tbreak map_code")
quietly("continue")
quietly("finish")
begin = int(gdb.parse_and_eval("BASE"))
end = begin + int(gdb.parse_and_eval("sizeof code"))
quietly(f"add-symbol-file {ELF} -s .text {begin:#x}")
visited: dict[str, None] = {}
for function in FUNCTIONS:
    quietly(f"tbreak *('in_host:{function}')")
    quietly("continue")
    for _ in range(STEPS):
        step()
print("visited", *visited)
