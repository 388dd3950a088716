"""What decoding a term draws on: memory, the tag scheme, and the VM's tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Optional, Protocol

from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory
from beamgdb.terms.slots import SlotOrder
from beamgdb.terms.values import Atom, Moved, UnknownBoxed, Value
from jit.otp.tags import (
    ARITY_SHIFT,
    ATOM,
    BOXED,
    IMMED2_BITS,
    IMMED2_MASK,
    PRIMARY_MASK,
    Kind,
    TagScheme,
)

#: Atoms have at most this many characters (atom.h, MAX_ATOM_CHARACTERS); a longer name comes from a corrupt table.
MAX_ATOM_CHARACTERS = 255


class FieldOffsets(Protocol):
    """Where fields of C structures lie. Both raise KeyError for what is not known."""

    def offset(self, struct: str, field: str, /) -> int: ...

    def size(self, struct: str, /) -> int: ...


class Atoms(Protocol):
    """The atom table."""

    def name(self, index: int, /) -> str | None: ...


class CodeNames(Protocol):
    """Loaded code: `describe` gives `module:function/arity+offset` of an address inside Erlang code."""

    def describe(self, address: int, /) -> str | None: ...


#: The code address that a catch tag's index stands for, when the catch table can be read.
CatchTable = Callable[[int], Optional[int]]


class Malformed(Exception):
    """An object is not what it must be; `value` is what to show instead."""

    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


@dataclass(frozen=True)
class Limits:
    """How much of a term to follow. Whatever is left out shows as `...`.

    `depth`: levels of containers, at most `MAX_DEPTH`; `width`: elements of one container; `bytes`: bytes of one
    binary and characters of one string; `nodes`: terms in all, which also ends cyclic garbage.
    """

    depth: int = 30
    width: int = 100
    bytes: int = 1024
    nodes: int = 20_000


#: Decoding and printing recurse, and Python's own stack is shared with GDB's.
MAX_DEPTH = 100


class Source:
    """Memory and tables, with the few questions that every kind of boxed object asks."""

    def __init__(
        self,
        memory: CachedMemory,
        tags: TagScheme,
        layout: FieldOffsets,
        atoms: Atoms,
        code: CodeNames | None,
        catches: CatchTable | None,
        process_slots: SlotOrder | None,
        port_slots: SlotOrder | None,
    ) -> None:
        self.memory = memory
        self.tags = tags
        self.layout = layout
        self.code = code
        self.catches = catches
        self.process_slots = process_slots
        self.port_slots = port_slots
        self._atoms = atoms
        self._known_atoms: dict[int, Atom] = {}
        self._pointer_strip = ~(PRIMARY_MASK | tags.literal_bit)
        self._misaligned = tags.word_size - 1

    @cached_property
    def fun_entry(self) -> tuple[int, int, int] | None:
        """Where module, index and uniq lie in a fun's entry, None where that is not known."""
        try:
            module, index, uniq = (
                self.layout.offset("ErlFunEntry", one) for one in ("module", "old_index", "old_uniq")
            )
        except KeyError:
            return None
        return module, index, uniq

    @cached_property
    def fun_code(self) -> int | None:
        """Where a fun's entry has the addresses of its code, None where that is not known."""
        try:
            return self.layout.offset("ErlFunEntry", "dispatch.addresses")
        except KeyError:
            return None

    def atom(self, index: int) -> Atom:
        known = self._known_atoms.get(index)
        if known is None:
            name = self._atoms.name(index)
            if name is not None and len(name) > MAX_ATOM_CHARACTERS:
                name = None
            known = Atom(index, name)
            if name is not None:
                self._known_atoms[index] = known
        return known

    def atom_of(self, word: int) -> Atom | None:
        """The atom that `word` is; None when it is another term."""
        return self.atom(word >> IMMED2_BITS) if word & IMMED2_MASK == ATOM else None

    def address(self, word: int) -> int:
        """Where a list or boxed pointer points; raises Malformed when it is no aligned address."""
        address = word & self._pointer_strip
        if address & self._misaligned:
            raise Malformed(UnknownBoxed(address, 0, "misaligned"))
        return address

    def header(self, address: int) -> int:
        """The header word of the boxed object at `address`; raises Malformed when it is none."""
        header = self.memory.word(address)
        primary = header & PRIMARY_MASK
        if primary == BOXED:
            raise Malformed(Moved(address, header))
        if primary:
            raise Malformed(UnknownBoxed(address, header, "no header word"))
        return header

    def boxed(self, word: int, *kinds: Kind) -> tuple[int, int]:
        """Address and header word of a boxed term that must be one of `kinds`; raises Malformed when it is not."""
        if word & PRIMARY_MASK != BOXED:
            raise Malformed(UnknownBoxed(word, 0, f"no pointer to a {kinds[0].value}"))
        address = self.address(word)
        header = self.header(address)
        if self.tags.kind(header) not in kinds:
            raise Malformed(UnknownBoxed(address, header, f"no {kinds[0].value}"))
        return address, header

    def expect_arity(self, address: int, header: int, *arities: int) -> None:
        """Raises Malformed when the header's size is none of those that its kind can have."""
        if header >> ARITY_SHIFT not in arities:
            raise Malformed(UnknownBoxed(address, header, "impossible size"))
