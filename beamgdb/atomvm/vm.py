"""One AtomVM, whole: what `node.Node` is for Erlang/OTP's VM."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from beamgdb.atomvm.atoms import AtomTable
from beamgdb.atomvm.contexts import Context, Contexts
from beamgdb.atomvm.frames import Position, Stacks
from beamgdb.atomvm.modules import Broken, ModuleFile, ModuleTable
from beamgdb.atomvm.terms import PRIMARY, Terms, catch_of
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.terms.elixir_text import elixir_text
from beamgdb.terms.parts import Part
from beamgdb.terms.source import Limits
from beamgdb.terms.text import Style, term_text
from beamgdb.terms.values import Atom, Value
from jit.otp.layouts.layout import Layout

SYMBOLS: Final = ("globalcontext_new", "context_execute_loop")
"""Functions that every AtomVM has and nothing else."""

_BOXED: Final = 2


class AtomVm:
    """An AtomVM under the debugger. `address` is that of its `GlobalContext`; `arch` as in `jit.otp.layouts`."""

    def __init__(self, memory: CachedMemory, layout: Layout, arch: str, address: int, float_size: int) -> None:
        self.memory = memory
        self.layout = layout
        self.arch = arch
        self.record = Record(memory, layout, "GlobalContext", address)
        self.contexts = Contexts(self.record)
        self.float_size = float_size
        self._terms = Terms(memory, layout, self, float_size)
        self._files: dict[tuple[int, int, bool], ModuleFile | Broken] = {}
        self._places: dict[int, str | None] = {}
        self._atoms: AtomTable | None = None
        self.forget()

    def forget(self) -> None:
        """The target has run, or its memory was written: files of modules and atoms stay as they are."""
        self.memory.forget()
        self.modules = ModuleTable(self.record, self.memory, self.arch, self._files)
        self.stacks = Stacks(self.modules)
        self._places.clear()

    @cached_property
    def atoms(self) -> AtomTable:
        return AtomTable(Record(self.memory, self.layout, "AtomTable", self.record["atom_table"]))

    # -- what terms ask (`terms.Names`) --------------------------------------------------------------------------------

    def atom(self, index: int) -> str | None:
        return self.atoms.name(index)

    def place(self, word: int) -> str | None:
        try:
            position = self.stacks.returning(word)
            return position.text if position is not None else None
        except Unreadable:
            return None

    def handler(self, word: int) -> str | None:
        found = catch_of(word)
        if found is None:
            return None
        try:
            position = self.label(*found)
        except (Broken, Unreadable):
            return None
        return position.text if position is not None else None

    def fun(self, module: int, index: int) -> tuple[Atom, int, int, int] | None:
        try:
            found = self.modules.by_address(module)
            table = found.file.lambdas if found is not None else []
            if found is None or index >= len(table):
                return None
            one = table[index]
            return Atom(-1, found.name), one.index, one.old_uniq, one.arity - one.free
        except (Broken, Unreadable):
            return None

    # -- terms as text (as `node.Node` has them) -----------------------------------------------------------------------

    def value(self, word: int, limits: Limits | None = None) -> Value:
        """The term that a word is. Never raises."""
        return self._terms.decode(word, limits or Limits())

    def term(self, word: int, limits: Limits | None = None, *, elixir: bool = False) -> str:
        """The text of a term, in Erlang syntax or that of Elixir. Never raises."""
        return self.text(self.value(word, limits), elixir)

    def boxed(self, address: int, limits: Limits | None = None, *, elixir: bool = False) -> str:
        """The text of the heap object whose header word is at `address`. Never raises."""
        return self.term(address & ~PRIMARY | _BOXED, limits, elixir=elixir)

    def parts(self, word: int, most: int) -> list[Part]:
        """The parts of a list, tuple or map as words, at most so many. Never raises."""
        return self._terms.parts(word, most)

    def text(self, value: Value, elixir: bool) -> str:
        """A value as text, in Erlang syntax or that of Elixir."""
        return elixir_text(value) if elixir else term_text(value, Style())

    # -- code and processes --------------------------------------------------------------------------------------------

    def label(self, index: int, label: int) -> Position | None:
        """Where the label of a module is. Raises `Broken`, `Unreadable`."""
        module = self.modules.by_index(index)
        if module is None:
            return None
        if module.native:
            offset = module.file.label_offset(label)
            return Position(module, offset) if offset is not None else None
        size = self.memory.word_size
        pointer = self.memory.word(module.record["labels"] + label * size)
        return Position(module, pointer - module.bytecode)

    def process(self, number: int) -> Context | None:
        """The process or port of a number. Raises `Unreadable`."""
        return next((one for one in self.contexts if one.number == number), None)

    def name(self, context: Context, names: dict[int, int]) -> str | None:
        """The name that a process is registered under, as an atom's text."""
        index = names.get(context.number)
        return self.text(self._terms.atom(index), elixir=False) if index is not None else None

    def is_sound(self) -> bool:
        """Whether there is a VM where it should be: processes lead back to it."""
        try:
            first = next(iter(self.contexts), None)
            return (
                first is None
                and self.record["last_process_id"] == 0
                or (first is not None and first.record["global"] == self.record.address)
            )
        except Unreadable:
            return False
