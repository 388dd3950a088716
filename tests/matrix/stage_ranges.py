"""Run by GDB: `stage()` has the table of ranges that is staged be as while modules are loaded: new, not sorted, with
the number and the middle of the one before. It prints whether the tables are found where they are, and puts it back."""

from __future__ import annotations

from pathlib import Path

import gdb

from beamgdb.code.code_ix import CODE_INDICES
from beamgdb.gdbext import program_file, session, unnamed
from beamgdb.records.record import Record
from beamgdb.roots import code, finder
from jit.image.image_file import open_image


def stage() -> None:
    node, path, anchor = session.require().node, program_file.name(), unnamed.anchor()
    assert path is not None
    assert anchor is not None
    first, active = node.symbol(code.RANGES), node.symbol(code.ACTIVE)
    assert first is not None
    assert active is not None
    staged = Record(node.memory, node.layout, "ranges", first).element((node.memory.u32(active) + 1) % CODE_INDICES)
    assert staged["n"] > 1
    inferior, size, word = gdb.selected_inferior(), node.layout.size("Range"), node.memory.word_size
    entries = inferior.read_memory(staged["modules"], 2 * size).tobytes()
    changes = {
        staged["modules"]: entries[size:] + entries[:size],
        staged.field_address("n"): (staged["allocated"] + 1).to_bytes(word, node.memory.byteorder),
        staged.field_address("mid"): (staged["modules"] - size).to_bytes(word, node.memory.byteorder),
    }
    before = {address: inferior.read_memory(address, len(content)).tobytes() for address, content in changes.items()}
    for address, content in changes.items():
        inferior.write_memory(address, content)
    node.memory.forget()
    found = finder.Roots(node.memory, open_image(Path(path), unnamed.ANCHOR, anchor))
    found.layout = node.layout
    print(found(code.RANGES) == first)
    for address, content in before.items():
        inferior.write_memory(address, content)
    node.memory.forget()
