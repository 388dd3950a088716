"""The operations of one build of the interpreter: their names, operands and handlers.

Which operations there are, and their numbers, depends on the release and the width of a word (`beam_makeops` generates
them), so they are read from the VM itself: `opc` describes them, and `beam_ops` points to their handlers, which are
places in `process_main`. Both are exported.
"""

from __future__ import annotations

import re

from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.records.statics import Symbol
from beamgdb.terms.quoting import bare
from jit.otp.layouts.layout import Layout

MAX_OPERATIONS = 10_000
"""Operations of a build at most; releases have about 500."""

MAX_NAME = 128

NAME = re.compile(rb"[A-Za-z_]\w*\?*")
"""A name of an operation."""


@dataclass(frozen=True)
class Operation:
    """An operation as the loader emits it.

    `name` ends with the signature, as in `move_xy`. `signature` has a letter for each operand (beam_makeops tells
    which), `words` is the size of the instruction, its operation included. `adjust` is the word in it that labels are
    relative to. `pack` is the program that put the operands into words. `handler` is the address of the code, without
    the Thumb bit.
    """

    number: int
    name: str
    signature: str
    words: int
    adjust: int
    pack: str
    handler: int


class Unsupported(Exception):
    """This build of the interpreter cannot be read; the text says why, in one line."""


def read(memory: CachedMemory, layout: Layout, symbol: Symbol) -> tuple[Operation, ...]:
    """All operations, by number. Raises `Unsupported`, `Unreadable`, KeyError."""
    count_at, table, handlers_at = (symbol(name) for name in ("num_instructions", "opc", "beam_ops"))
    if table is None or handlers_at is None:
        raise Unsupported("this beam.smp has no opc or beam_ops that is known: its operations are not known")
    count = memory.u32(count_at) if count_at is not None else _counted(memory, layout, table)
    if not 0 < count <= MAX_OPERATIONS:
        raise Unsupported(f"num_instructions is {count}: the VM is not initialised, or its memory is corrupt")
    handlers = memory.words(memory.word(handlers_at), count)
    # Of architectures with 32 bits only ARM is known, whose addresses of Thumb code are odd.
    mask = ~1 if memory.word_size == 4 else ~0
    step = layout.size("OpEntry")
    memory.read(table, count * step)
    entries = (Record(memory, layout, "OpEntry", table + n * step) for n in range(count))
    return tuple(_operation(entry, n, handlers[n] & mask) for n, entry in enumerate(entries))


def _counted(memory: CachedMemory, layout: Layout, table: int) -> int:
    """How many entries of a table name operations: its number of them is no variable that a release must have."""
    entry = Record(memory, layout, "OpEntry", table)
    for number in range(MAX_OPERATIONS):
        try:
            if not NAME.fullmatch(memory.cstring(entry.element(number)["name"], MAX_NAME)):
                return number
        except Unreadable:
            return number
    return MAX_OPERATIONS


def _operation(entry: Record, number: int, handler: int) -> Operation:
    texts = (entry.memory.cstring(entry[field], MAX_NAME) for field in ("name", "sign", "pack"))
    name, signature, pack = (bare(text.decode("ascii", "replace")) for text in texts)
    return Operation(number, name, signature, entry["sz"], entry["adjust"], pack, handler)
