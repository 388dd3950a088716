"""The listing of native code that a file for AtomVM carries, whichever compiler has made it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set

from jit.atomvm.chunk import decode_native
from jit.atomvm.disassembly import CodeReader
from jit.beam.chunks import Chunk
from jit.beam.tables import decode_atoms, decode_entries
from jit.codegen.describe import symbol
from jit.commands.errors import CommandError
from jit.commands.targets import READERS
from jit.system.command_line import one_line


def list_carried(file: str, chunk: Chunk, chunks: Sequence[Chunk], wanted: str | None) -> Iterator[str]:
    """The lines; *wanted* is a function as on the command line. Raises BeamError, and CommandError for no function."""
    native = decode_native(chunk)
    names = _names(chunks)
    shown = {name for name in names.values() if wanted is not None and _is(name, wanted)}
    if wanted is not None and not shown:
        raise CommandError(f"{file}: there is no function {wanted}")
    yield f"% {one_line(file)}: format {native.version}, {native.labels} labels" + (
        ", with debugging information" if native.elf else ""
    )
    for code in native.codes:
        yield ""
        instructions = native.instructions(code)
        yield f"% {code.target}: {len(instructions)} bytes"
        if reader := READERS.get(code.target):
            yield from _listed(reader, instructions, native.labels, names, shown)
        else:
            yield f"% instructions of {code.target} are not known here"


def _names(chunks: Sequence[Chunk]) -> dict[int, str]:
    """Functions by the labels of their entries."""
    found = {chunk.name: chunk for chunk in chunks}
    atoms_chunk = found.get("AtU8")
    if atoms_chunk is None:
        return {}
    atoms = decode_atoms(atoms_chunk)
    rows = [row for name in ("ExpT", "LocT") if name in found for row in decode_entries(found[name], atoms)]
    return {row.label: symbol(atoms[0], row.function, row.arity) for row in rows}


def _is(name: str, wanted: str) -> bool:
    """Whether ``m:f/a`` is what ``M:F/A``, ``F/A`` or ``F`` means."""
    return wanted in (name, name.partition(":")[2], re.sub(r"/\d+$", "", name.partition(":")[2]))


def _listed(reader: CodeReader, code: bytes, labels: int, names: Mapping[int, str], wanted: Set[str]) -> Iterator[str]:
    """All instructions, or those of functions that are wanted."""
    places: dict[int, str] = {}
    for label in range(labels, 0, -1):
        place = reader.entered(code, label)
        if place is not None:
            places[place] = names.get(label, f"L{label}")
    functions, shown = set(names.values()), not wanted
    for one in reader.instructions(code, places):
        name = places.get(one.offset)
        if name in functions:
            shown = not wanted or name in wanted
        if not shown:
            continue
        if name is not None:
            yield from ("", f"{name}:") if name in functions else (f"  {name}:",)
        yield f"    {one.offset:04x}  {one.code}  {one.text}"
