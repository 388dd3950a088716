"""What every VM has, however it runs its code: its memory, what is known of it, and the parts of the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property

from beamgdb.code import catches
from beamgdb.code.catches import Catches
from beamgdb.code.loaded import LoadedCode
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.records.statics import Symbol
from beamgdb.terms.decode import DEFAULT_LIMITS, TermDecoder
from beamgdb.terms.elixir_text import elixir_text
from beamgdb.terms.packed import PackedTerm
from beamgdb.terms.parts import Part
from beamgdb.terms.slots import SlotOrder
from beamgdb.terms.source import Limits
from beamgdb.terms.text import Style, term_text
from beamgdb.terms.values import Atom, Reference, Value
from beamgdb.vm.atoms import AtomTable
from beamgdb.vm.id_table import IdTable
from beamgdb.vm.processes import ProcessTable
from beamgdb.vm.schedulers import Schedulers
from beamgdb.vm.stack import FrameForm, StackReader
from jit.otp.layouts.identity import Identity
from jit.otp.layouts.layout import Layout
from jit.otp.tags import ATOM, IMMED1_MASK, IMMED2_MASK, RELEASES, SMALL, TagScheme, common_scheme, tag_scheme

MAX_TEXTS = 1 << 14
"""Atoms and small integers whose text is kept."""


class Unavailable(Exception):
    """Something of this VM cannot be shown; the text is one line that says what and why."""


class _NothingKnown:
    """Stands for the C structures and the atoms of a VM of which no layout is known."""

    def offset(self, struct: str, field: str, /) -> int:
        raise KeyError(struct, field)

    def size(self, struct: str, /) -> int:
        raise KeyError(struct)

    def name(self, index: int, /) -> str | None:
        return None


_NOTHING_KNOWN = _NothingKnown()


class Vm(ABC):
    """A VM under the debugger.

    `symbol` gives the address of a C symbol, or None. `layout` is None, and `no_layout` says why, when the release is
    not known: then names, lines, registers and some terms still work, processes raise `Unavailable`.
    """

    def __init__(
        self, memory: CachedMemory, symbol: Symbol, identity: Identity, layout: Layout | None, no_layout: str = ""
    ) -> None:
        self.memory = memory
        self.symbol = symbol
        self.identity = identity
        self.no_layout = no_layout
        self._layout = layout
        self._catches: Catches | None = None
        self._stacks: StackReader | None = None
        self._texts: dict[tuple[int, bool], str] = {}

    @property
    @abstractmethod
    def code(self) -> LoadedCode:
        """The code that is loaded, as far as it has been read."""

    @property
    @abstractmethod
    def frame_form(self) -> FrameForm:
        """How it has frames on its stacks."""

    def code_headers(self) -> tuple[int, ...]:
        """Where the code of modules begins that are loaded, each with a `BeamCodeHeader`; none where that cannot be
        told."""
        return ()

    def lost_processes(self) -> Iterable[int]:
        """Where processes lie of which the table does not tell any more, as far as that can be found otherwise."""
        return ()

    @property
    def layout(self) -> Layout:
        """Where fields lie; raises `Unavailable`."""
        if self._layout is None:
            raise Unavailable(self.no_layout or "the layout of this VM is not known")
        return self._layout

    @property
    def has_layout(self) -> bool:
        return self._layout is not None

    def record(self, struct: str, address: int) -> Record:
        """The `struct` at `address`; raises `Unavailable`."""
        return Record(self.memory, self.layout, struct, address)

    def _global(self, name: str) -> int:
        address = self.symbol(name)
        if address is None and not self.has_layout and self.no_layout:
            raise Unavailable(self.no_layout)
        if address is None:
            raise Unavailable(f"this beam.smp exports no symbol {name}")
        return address

    @cached_property
    def tags(self) -> TagScheme:
        """The tag scheme; raises `Unavailable` for a release whose terms are not known: see `term_tags`."""
        if self._layout is not None and self._layout.tags is not None:
            return self._layout.tags
        release = self.identity.otp_release or "unknown"
        try:
            return tag_scheme(
                int(release.partition("-")[0]), self.memory.word_size, debug=self.identity.build == "debug"
            )
        except (LookupError, ValueError):
            raise Unavailable(f"the format of terms in OTP {release} is not known") from None

    @cached_property
    def term_tags(self) -> TagScheme:
        """The tag scheme by which terms are shown: of an unknown release, what is common to the known ones."""
        try:
            return self.tags
        except Unavailable:
            return common_scheme(self.memory.word_size)

    @property
    def terms_of(self) -> str:
        """The releases whose terms look as they are shown here: "OTP 25", or those that an unknown one may be like."""
        tags = self.term_tags
        return f"OTP {tags.release}" if tags.is_whole else f"OTP {RELEASES[0]} to {RELEASES[-1]}"

    @cached_property
    def atoms(self) -> AtomTable:
        """The atom table; raises `Unavailable`."""
        return AtomTable(self.record("IndexTable", self._global("erts_atom_table")))

    @cached_property
    def processes(self) -> ProcessTable:
        """The process table; raises `Unavailable`."""
        return ProcessTable(self.record("ErtsPTab", self._global("erts_proc")), self.tags, self.lost_processes)

    @cached_property
    def ports(self) -> IdTable:
        """The port table; raises `Unavailable`."""
        return IdTable(self.record("ErtsPTab", self._global("erts_port")), "Port")

    @cached_property
    def schedulers(self) -> Schedulers:
        """The scheduler threads; raises `Unavailable`."""
        return Schedulers(self.record, self.symbol)

    def stack(self) -> StackReader:
        """A reader of Erlang stacks, for the code that is loaded now."""
        if self._stacks is None or self._stacks.code is not self.code:
            self._stacks = StackReader(self.memory, self.code, self.frame_form)
        return self._stacks

    @cached_property
    def _decoder(self) -> TermDecoder:
        try:
            atoms: AtomTable | _NothingKnown = self.atoms
        except Unavailable:
            atoms = _NOTHING_KNOWN
        return TermDecoder(
            self.memory, self.term_tags, self._layout or _NOTHING_KNOWN, atoms, self, self.catch_handler,
            process_slots=self._slots("erts_proc"), port_slots=self._slots("erts_port"),
        )  # fmt: skip

    def _slots(self, table: str) -> SlotOrder | None:
        """How the words of local pids or ports lead to their slots in a table, None where that is not known."""
        if not self.term_tags.is_whole:
            return None
        try:
            return SlotOrder.of(self.record("ErtsPTab", self._global(table)).__getitem__)
        except (Unavailable, Unreadable, KeyError):
            return None

    def describe(self, address: int) -> str | None:
        """`module:function/arity+offset` of an address inside Erlang code."""
        return self.code.describe(address)

    def value(self, word: int, limits: Limits | None = None) -> Value:
        """The term that a word is; what is not known of the VM shows as such. Never raises."""
        return self._decoder.decode(word, limits or DEFAULT_LIMITS)

    def term(self, word: int, limits: Limits | None = None, *, elixir: bool = False) -> str:
        """The text of a term, in Erlang syntax or that of Elixir; what is not known of the VM shows as such. Never
        raises."""
        if word & IMMED2_MASK == ATOM or word & IMMED1_MASK == SMALL:
            # Which atom it is stays the same for good.
            known = self._texts.get((word, elixir))
            if known is None:
                value = self.value(word, limits)
                known = self.text(value, elixir)
                if isinstance(value, (Atom, int)):
                    if len(self._texts) >= MAX_TEXTS:
                        self._texts.clear()
                    self._texts[word, elixir] = known
            return known
        return self.text(self._decoder.decode(word, limits or DEFAULT_LIMITS), elixir)

    def reference(self, numbers: int) -> str:
        """The text of a reference of this node whose three numbers lie at an address. Raises `Unreadable`."""
        return self.text(Reference(tuple(self.memory.u32(numbers + 4 * at) for at in range(3))), elixir=False)

    def parts(self, word: int, most: int) -> list[Part]:
        """The parts of a list, tuple or map as words, at most so many. Never raises."""
        return self._decoder.parts(word, most)

    def boxed(self, address: int, limits: Limits | None = None, *, elixir: bool = False) -> str:
        """The text of the heap object whose header word is at `address`. Never raises."""
        return self.text(self._decoder.boxed_at(address, limits or Limits()), elixir)

    def packed(self, address: int, end: int, limits: Limits | None = None) -> Value:
        """The term that is packed in a compressed table, from an address on and before `end`. Never raises."""
        return self._decoder.packed_at(address, end, limits or Limits())

    def packed_terms(self, address: int, end: int) -> Iterator[PackedTerm]:
        """That term and all that are in it: see `terms.packed.everything`. Raises `Unreadable`."""
        return self._decoder.everything_packed(address, end)

    def text(self, value: Value, elixir: bool) -> str:
        """A value as text, in Erlang syntax or that of Elixir."""
        return elixir_text(value) if elixir else term_text(value, self._style)

    @cached_property
    def _style(self) -> Style:
        return Style(self.term_tags.release)

    def catch_handler(self, index: int) -> int | None:
        """The address where the catch with this index goes on, None where that is not known."""
        if self._catches is None and self._layout is not None:
            self._catches = catches.find(
                self.memory, self._layout, self.symbol, self.identity.arch or "", self._is_code
            )
        return self._catches.handler(index) if self._catches else None

    def _is_code(self, address: int) -> bool:
        return self.code.find(address) is not None
