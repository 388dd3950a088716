"""The line table in an ELF object of native code."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from elftools.elf.elffile import ELFFile

from beamgdb.code.module import Line
from beamgdb.terms.quoting import bare


def rows(file: BytesIO) -> list[Line]:
    """The rows by address, each valid until the next one; none where they cannot be read. Names of files are as the
    table has them, without folders."""
    try:
        dwarf = ELFFile(file).get_dwarf_info(relocate_dwarf_sections=False)
        found = [row for unit in dwarf.iter_CUs() for row in _of_unit(dwarf.line_program_for_CU(unit))]
    except Exception:  # what is damaged leads pyelftools anywhere
        return []
    return sorted(set(found))


def _of_unit(program: Any) -> list[Line]:
    if program is None:
        return []
    names = [bare(entry.name.decode("utf-8", "replace")) for entry in program["file_entry"]]
    states = (entry.state for entry in program.get_entries() if entry.state is not None)
    statements = (state for state in states if state.is_stmt and not state.end_sequence)
    return [(state.address, names[state.file].rpartition("/")[2], state.line) for state in statements]
