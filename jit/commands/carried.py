"""The listing of native code that a file for AtomVM carries, whichever compiler has made it."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence, Set

from jit.arm32.text import text
from jit.atomvm.chunk import decode_native
from jit.atomvm.formats import F1
from jit.beam.chunks import Chunk
from jit.beam.tables import decode_atoms, decode_entries
from jit.codegen.describe import symbol
from jit.commands.errors import CommandError
from jit.system.command_line import one_line

#: A branch, which the second word of an entry of the table of labels is (B, A1).
_BRANCH, _BRANCH_MASK = 0xEA00_0000, 0xFF00_0000
_PC_AHEAD = 8
_WORD = 4


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
        if code.target == "arm32":
            yield from _arm32(instructions, native.labels, names, shown)
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


def _arm32(code: bytes, labels: int, names: Mapping[int, str], wanted: Set[str]) -> Iterator[str]:
    """All instructions, or those of functions that are wanted."""
    words = [word for (word,) in struct.iter_unpack("<I", code[: len(code) // _WORD * _WORD])]
    places: dict[int, str] = {}
    for label in range(labels, 0, -1):
        place = _target(words, F1.targets["arm32"].entry * label + _WORD)
        if place is not None:
            places[place] = names.get(label, f"L{label}")
    functions, shown = set(names.values()), not wanted
    for at, word in enumerate(words):
        offset = _WORD * at
        name = places.get(offset)
        if name in functions:
            shown = not wanted or name in wanted
        if not shown:
            continue
        if name is not None:
            yield from ("", f"{name}:") if name in functions else (f"  {name}:",)
        yield f"    {offset:04x}  {word:08x}  {text(word, offset, places)}"


def _target(words: Sequence[int], offset: int) -> int | None:
    """Where an entry leads to; by way of a call and a branch in code that is made here."""
    place = _branch(words, offset)
    if place is None:
        return None
    behind = _branch(words, place + _WORD)
    is_call = place // _WORD < len(words) and words[place // _WORD] & _BRANCH_MASK == _BRANCH | 1 << 24
    return behind if is_call and behind is not None else place


def _branch(words: Sequence[int], offset: int) -> int | None:
    if not 0 <= offset // _WORD < len(words) or words[offset // _WORD] & _BRANCH_MASK != _BRANCH:
        return None
    distance = (words[offset // _WORD] & 0xFF_FFFF) << 2
    return offset + _PC_AHEAD + (distance - (1 << 26) if distance >> 25 else distance)
