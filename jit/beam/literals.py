"""The LitT chunk: the terms that operations name by index (beam_dict.erl, beam_file.c).

The size of the table in bytes, then the table, compressed by zlib; or, from OTP 28 on, zero, then the table as it is.
The table: a count, then of each term its size in bytes and the term in the external format.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from jit.beam.chunks import Chunk, unfold_exactly
from jit.beam.external import decode_term, encode_term
from jit.beam.operands import Literal
from jit.beam.terms import Term


@dataclass
class LiteralTable:
    """``literals`` by index, and the same in the external format.

    ``encoded`` is the data of the chunk that was read, until a literal is added.
    """

    literals: list[Literal] = field(default_factory=list)
    external: list[bytes] = field(default_factory=list)
    compressed: bool = True
    encoded: bytes = b""

    def add(self, value: Term) -> Literal:
        """A new literal."""
        literal = Literal(len(self.literals), value)
        self.external.append(encode_term(value))
        self.literals.append(literal)
        self.encoded = b""
        return literal


def decode_literals(chunk: Chunk) -> LiteralTable:
    """The terms of a LitT chunk. Raises BeamError; offsets in it are those of the table."""
    if len(chunk.data) < 4:
        raise chunk.error(0, "a size of 32 bits expected")
    size = int.from_bytes(chunk.data[:4], "big")
    table = Chunk(chunk.file, "LitT (unfolded)", _unfolded(chunk, size), chunk.room) if size else chunk
    data, at = table.data, 0 if size else 4
    count, at = int.from_bytes(data[at : at + 4], "big"), at + 4
    table.check_count(at - 4, count, "literals")
    literals: list[Literal] = []
    external: list[bytes] = []
    while len(literals) < count:
        start = at + 4
        end = start + int.from_bytes(data[at:start], "big")
        if end > len(data) or start > len(data):
            raise table.error(at, f"literal {len(literals)} of {count} expected, with its size, but the data ends")
        term = data[start:end]
        literals.append(Literal(len(literals), decode_term(table, term, what=f"literal {len(literals)}")))
        external.append(term)
        at = end
    if at != len(data):
        raise table.error(at, f"the end after {count} literals expected, {len(data) - at} bytes are left")
    return LiteralTable(literals, external, bool(size), chunk.data)


def _unfolded(chunk: Chunk, size: int) -> bytes:
    try:
        return unfold_exactly(chunk.data[4:], size, chunk.room)
    except ValueError as error:
        raise chunk.error(0, f"a compressed table, but {error}") from None


def encode_literals(table: LiteralTable) -> bytes:
    """The data of a LitT chunk."""
    if table.encoded:
        return table.encoded
    parts = [len(table.external).to_bytes(4, "big")]
    for term in table.external:
        parts += len(term).to_bytes(4, "big"), term
    data = b"".join(parts)
    if table.compressed:
        return len(data).to_bytes(4, "big") + zlib.compress(data)
    return bytes(4) + data
