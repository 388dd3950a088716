"""Who holds a term, as `beam-refs` shows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.terms import elixir_quoting, maps
from beamgdb.terms.source import Limits
from beamgdb.views import process_named
from beamgdb.views.listing import Column, damaged_lines
from beamgdb.views.typed import brief
from beamgdb.vm.heap_walk import Found
from beamgdb.vm.holders import Holders, Levels, Reference
from beamgdb.vm.model import Unavailable
from jit.otp.features import BITS_NOT_BYTES
from jit.otp.tags import ATOM, IMMED2_BITS, Kind
from jit.otp.things import ErlFunThing25, ErlFunThing27, ErlSubBin, ErlSubBits, FlatMap

BRIEF = Limits(depth=2, width=6, bytes=40, nodes=20)
"""How much is shown of a term that holds another one."""

_ATOM = re.compile(r"'.*'|:.+|(?![xy][0-9]+$)[a-z][A-Za-z0-9_@]*|[A-Z]\w*(?:\.[A-Z]\w*)*", re.DOTALL)
"""What is taken for an atom: no expression, and no name of a register."""


def may_be_atom(text: str) -> bool:
    """Whether a user may mean an atom, of this VM or not."""
    return _ATOM.fullmatch(text) is not None


def word_of(node: Node, text: str, evaluate: Callable[[str], int]) -> int:
    """The term that a user means: a pid, an atom, or the value of an expression, which may be the address of a thing on
    a heap or of a binary. Raises `Unavailable`."""
    if process_named.is_pid(text):
        return process_named.word_of_pid(node, text)
    if may_be_atom(text):
        for name in elixir_quoting.typed_atoms(text):
            index = node.atoms.find(name)
            if index is not None:
                return index << IMMED2_BITS | ATOM
        if text.startswith(("'", ":")):
            raise Unavailable(f"there is no atom {brief(text)}")
    return evaluate(text) & node.memory.address_mask


class ReferenceColumns:
    """What is shown of each place that holds a term."""

    def __init__(self, node: Node, word: int, levels: Levels, advance: Callable[[], None]) -> None:
        """`advance` is called for each piece of memory."""
        self._node = node
        self._holders = Holders(node, word, levels, advance)

    def items(self) -> Iterator[Reference]:
        """All places."""
        for found in self._holders.everywhere():
            yield from found

    @property
    def columns(self) -> Sequence[Column[Reference]]:
        return (
            Column("owner", str, lambda one: one.owner.text, "OWNER", names=True),
            Column("in", str, lambda one: one.area, "IN"),
            Column("place", str, self._place, "PLACE"),
            Column("term", str, self._term, "OF"),
            Column("at", str, lambda one: hex(one.inside.address) if one.inside else None, "AT", names=True),
            Column("size", int, self._size),
            Column("address", int, lambda one: one.address),
        )

    def notes(self) -> Iterator[str]:
        """What is said of what cannot be read, or is not looked through."""
        yield from (f"({text})" for text in self._holders.left_out)
        yield from damaged_lines(self._holders.damaged)

    def _place(self, reference: Reference) -> str | None:
        found, place = reference.inside, reference.place
        if reference.packed is not None:
            return f"element {reference.packed.element}"
        if found is None:
            return None
        if found.form is None:
            return "tail" if place else "head"
        kind = found.form.kind
        if kind in (Kind.TUPLE, Kind.RECORD):
            return f"element {place}"
        if kind is Kind.MAP:
            return self._in_map(found, place)
        if kind is Kind.FUN:
            behind = ErlFunThing27.ENV if BITS_NOT_BYTES.of(self._node.tags.release) else ErlFunThing25.ENV
            return f"variable {place - behind + 1}" if place >= behind else "creator"
        if kind in (Kind.SUB_BIN, Kind.SUB_BITS, Kind.MATCH_STATE):
            return "part"
        return "object" if kind is Kind.REF else "binary"

    def _in_map(self, found: Found, place: int) -> str:
        memory = self._node.memory
        try:
            header, _, keys = memory.words(found.address, FlatMap.VALUES)
            if not maps.is_flat(header):
                return "node"
            if place == FlatMap.KEYS:
                return "keys"
            first = (keys & ~(memory.word_size - 1)) + memory.word_size
            key = memory.word(first + (place - FlatMap.VALUES) * memory.word_size)
            return f"value of {self._node.term(key, BRIEF)}"
        except Unreadable:
            return "value"

    def _term(self, reference: Reference) -> str | None:
        found, packed = reference.inside, reference.packed
        if packed is not None:
            return self._node.text(packed.table.value(packed.object, BRIEF), elixir=False)
        if found is None:
            return None
        if found.form is None:
            return self._node.term(found.word, BRIEF)
        size = self._size(reference)
        if size is not None:
            return f"{found.form.kind.value} of {size} bytes"
        return self._node.boxed(found.address, BRIEF)

    def _size(self, reference: Reference) -> int | None:
        """Bytes of a binary, or of a part of one."""
        found = reference.inside
        if reference.packed is not None:
            return reference.packed.size
        if found is None or found.form is None:
            return None
        node, kind, word = self._node, found.form.kind, self._node.memory.word_size
        try:
            if kind in (Kind.SUB_BIN, Kind.PROC_BIN):
                # (To OTP 26 each thing for a binary may be for a part of it.)
                return node.memory.word(found.address + ErlSubBin.SIZE * word)
            if kind is Kind.SUB_BITS:
                start, end = (node.memory.word(found.address + at * word) for at in (ErlSubBits.START, ErlSubBits.END))
                return max(0, end - start + 7) // 8
            if kind is Kind.BIN_REF:
                return node.record("Binary", node.record("BinRef", found.address)["val"])["orig_size"]
        except Unreadable:
            pass
        return None
