"""Run by GDB: what is found of a VM without its symbols, beside what its symbols say; one line each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gdb

from beamgdb.gdbext import program_file, session, unnamed
from beamgdb.roots import finder, interpreter, schedulers
from jit.image.image_file import open_image

#: Of these the VM has more than one variable with the same value, which never changes.
POINTERS = {*schedulers.NAMES, interpreter.HANDLERS}


def compared() -> Iterator[str]:
    """For each root: its name and whether it is "right", "wrong" or "missed"; or "found", where no symbol tells."""
    node, path, address = session.require().node, program_file.name(), unnamed.anchor()
    assert path is not None
    assert address is not None
    memory = node.memory
    found = finder.Roots(memory, open_image(Path(path), unnamed.ANCHOR, address))
    found.layout = node.layout
    found.own_code = node.compiled
    for name in sorted(finder.NAMES):
        named, root = node.symbol(name), found(name)
        if named is None or node.roots is not None:
            verdict = "found" if root is not None else f"missed: {found.not_found().get(name)}"
        elif root is None:
            verdict = f"missed: {found.not_found().get(name)}"
        elif name in POINTERS:
            verdict = "right" if memory.word(root) == memory.word(named) else "wrong"
        else:
            verdict = "right" if root == named else "wrong"
        yield f"root {name} {verdict}"


gdb.write("".join(f"{line}\n" for line in compared()))
