"""Names of the C functions that frames are of."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import gdb_text
from beamgdb.gdbext.unwinder import is_innermost
from beamgdb.node import Node


def name(node: Node, frame: gdb.Frame) -> str:
    """The name of a frame's C function, empty where it is not known.

    GDB takes the last symbol before for the function, where that has no size: `_start` has not.
    """
    if node.roots is not None:
        found = node.roots.function_name(frame.pc() if is_innermost(frame) else frame.pc() - 1)
        if found is not None:
            return found
    return gdb_text.frame_name(frame)
