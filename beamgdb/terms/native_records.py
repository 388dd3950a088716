"""Native records (erl_record.h of OTP 29).

A record holds its values, and a pointer to its definition, a literal that has the names of its fields. Both have them
in the order of the VM's numbers of atoms; the definition tells also the order in which the source has them.
"""

from __future__ import annotations

from beamgdb.late import dataclass
from beamgdb.terms.source import Malformed, Source
from beamgdb.terms.values import Atom, UnknownBoxed
from jit.otp.tags import ARITY_SHIFT, IMMED1_BITS, IMMED1_MASK, MAX_TUPLE_ARITY, SMALL, Kind
from jit.otp.things import ErtsRecordDefinition, ErtsRecordInstance


@dataclass(frozen=True)
class Definition:
    """Of one record: `size` is its number of fields, `fields` the names of the first of them, in the order of the
    source, and the addresses of their values."""

    module: Atom
    name: Atom
    size: int
    fields: tuple[tuple[Atom, int], ...]


def definition(source: Source, address: int, header: int, limit: int) -> Definition:
    """What the record at `address` is, with at most `limit` of its fields. Raises Malformed or Unreadable."""
    step = source.tags.word_size
    size = (header >> ARITY_SHIFT) + 1 - ErtsRecordInstance.VALUES
    defined = source.memory.word(address + ErtsRecordInstance.DEFINITION * step)
    at, defining = source.boxed(defined, Kind.TUPLE)
    if not 0 <= size <= MAX_TUPLE_ARITY or (defining >> ARITY_SHIFT) + 1 - ErtsRecordDefinition.KEYS != size:
        raise Malformed(UnknownBoxed(address, header, "no definition of this record"))
    words = source.memory.words(at, ErtsRecordDefinition.KEYS)
    keys, values = at + ErtsRecordDefinition.KEYS * step, address + ErtsRecordInstance.VALUES * step
    order = _order(source, words[ErtsRecordDefinition.FIELD_ORDER], size, min(size, limit))
    return Definition(
        _atom(source, words[ErtsRecordDefinition.MODULE], at),
        _atom(source, words[ErtsRecordDefinition.NAME], at),
        size,
        tuple((_atom(source, source.memory.word(keys + step * n), at), values + step * n) for n in order),
    )


def _atom(source: Source, word: int, address: int) -> Atom:
    atom = source.atom_of(word)
    if atom is None:
        raise Malformed(UnknownBoxed(address, 0, "record without a name"))
    return atom


def _order(source: Source, word: int, size: int, count: int) -> list[int]:
    """Where the first `count` of `size` fields are."""
    address, header = source.boxed(word, Kind.TUPLE)
    if header >> ARITY_SHIFT == size:
        words = source.memory.words(address + source.tags.word_size, count)
        places = [word >> IMMED1_BITS for word in words if word & IMMED1_MASK == SMALL]
        if len(set(places)) == count and all(place < size for place in places):
            return places
    raise Malformed(UnknownBoxed(address, header, "no order of fields"))
