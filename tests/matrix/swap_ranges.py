"""Run by GDB: `swap()` exchanges the first two entries of the table of ranges that is staged, as while modules are
loaded; a second time, back. Each time it prints whether the tables are found where they are."""

from __future__ import annotations

from pathlib import Path

import gdb

from beamgdb.code.code_ix import CODE_INDICES
from beamgdb.gdbext import program_file, session, unnamed
from beamgdb.records.record import Record
from beamgdb.roots import code, finder
from beamgdb.roots.image_file import open_image


def swap() -> None:
    node, path, anchor = session.require().node, program_file.name(), unnamed.anchor()
    assert path is not None
    assert anchor is not None
    assert node.roots is not None
    first, active = node.symbol(code.RANGES), node.symbol(code.ACTIVE)
    assert first is not None
    assert active is not None
    staged = Record(node.memory, node.layout, "ranges", first).element((node.memory.u32(active) + 1) % CODE_INDICES)
    assert staged["n"] > 1
    inferior, size = gdb.selected_inferior(), node.layout.size("Range")
    entries = inferior.read_memory(staged["modules"], 2 * size).tobytes()
    inferior.write_memory(staged["modules"], entries[size:] + entries[:size])
    node.memory.forget()
    found = finder.Roots(node.memory, open_image(Path(path), unnamed.ANCHOR, anchor))
    found.layout = node.layout
    print(found(code.RANGES) == first)
