"""One VM: its memory, what is known of it, and the parts of the model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from beamgdb.beamasm import registrations
from beamgdb.beamasm.machines import MACHINES, Machine
from beamgdb.beamasm.registrations import CorruptRegistration, Emulator, Entry, FrameLayout, Module
from beamgdb.layouts.identity import Identity
from beamgdb.layouts.layout import Layout
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.terms.decode import TermDecoder
from beamgdb.terms.slots import SlotOrder
from beamgdb.terms.source import Limits
from beamgdb.terms.tags import TagScheme, tag_scheme
from beamgdb.terms.text import Style, term_text
from beamgdb.vm import catches, ranges
from beamgdb.vm.atoms import AtomTable
from beamgdb.vm.catches import Catches
from beamgdb.vm.code import CodeIndex
from beamgdb.vm.processes import ProcessTable
from beamgdb.vm.ranges import CodeRanges
from beamgdb.vm.record import Record
from beamgdb.vm.schedulers import Schedulers
from beamgdb.vm.stack import StackReader


class Unavailable(Exception):
    """Something of this VM cannot be shown; the text is one line that says what and why."""


class Node:
    """A VM under the debugger.

    `symbol` gives the address of a C symbol, or None. `layout` is None, and `no_layout` says why, when the release is
    not known: then names, lines and raw registers still work, terms and processes raise `Unavailable`.
    """

    def __init__(
        self,
        memory: CachedMemory,
        symbol: Callable[[str], int | None],
        identity: Identity,
        layout: Layout | None,
        no_layout: str = "",
    ) -> None:
        self.memory = memory
        self.symbol = symbol
        self.identity = identity
        self.no_layout = no_layout
        self.machine: Machine | None = MACHINES.get(identity.arch or "")
        self.code = CodeIndex()
        self.emulator: Emulator | None = None
        self._layout = layout
        self._registered: dict[Entry, Module] = {}
        self._loaded_modules: list[Module] = []
        self._ranges: CodeRanges | None = None
        self._range_words: tuple[int, ...] | None = None
        self._catches: Catches | None = None

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
        if address is None:
            raise Unavailable(f"this beam.smp exports no symbol {name}")
        return address

    @cached_property
    def tags(self) -> TagScheme:
        """The tag scheme; raises `Unavailable` for a release whose terms are not known."""
        release = self.identity.otp_release or "unknown"
        try:
            return tag_scheme(
                int(release.partition("-")[0]), self.memory.word_size, debug=self.identity.build == "debug"
            )
        except (LookupError, ValueError):
            raise Unavailable(f"the format of terms in OTP {release} is not known") from None

    @cached_property
    def atoms(self) -> AtomTable:
        """The atom table; raises `Unavailable`."""
        return AtomTable(self.record("IndexTable", self._global("erts_atom_table")))

    @cached_property
    def processes(self) -> ProcessTable:
        """The process table; raises `Unavailable`."""
        return ProcessTable(self.record("ErtsPTab", self._global("erts_proc")), self.tags)

    @cached_property
    def schedulers(self) -> Schedulers:
        """The scheduler threads; raises `Unavailable`."""
        return Schedulers(self.record, self.symbol)

    @property
    def frame_layout(self) -> FrameLayout:
        """What frames on Erlang stacks look like."""
        return self.emulator.frame_layout if self.emulator else FrameLayout.RETURN_ADDRESS

    def stack(self) -> StackReader:
        """A reader of Erlang stacks, for the code that is loaded now."""
        return StackReader(self.memory, self.code, self.frame_layout)

    @cached_property
    def _decoder(self) -> TermDecoder:
        return TermDecoder(
            self.memory, self.tags, self.layout, self.atoms, self, self.catch_handler,
            process_slots=self._slots("erts_proc"), port_slots=self._slots("erts_port"),
        )  # fmt: skip

    def _slots(self, table: str) -> SlotOrder | None:
        """How the words of local pids or ports lead to their slots in a table."""
        return SlotOrder.of(self.record("ErtsPTab", self._global(table)).__getitem__)

    def describe(self, address: int) -> str | None:
        """`module:function/arity+offset` of an address inside Erlang code."""
        return self.code.describe(address)

    def term(self, word: int, limits: Limits | None = None) -> str:
        """The text of a term, in Erlang syntax. Raises `Unavailable`, never anything else."""
        value = self._decoder.decode(word, limits or Limits())
        return term_text(value, Style(self.tags.release))

    def boxed(self, address: int, limits: Limits | None = None) -> str:
        """The text of the heap object whose header word is at `address`. Raises `Unavailable`, never anything else."""
        value = self._decoder.boxed_at(address, limits or Limits())
        return term_text(value, Style(self.tags.release))

    def catch_handler(self, index: int) -> int | None:
        """The address where the catch with this index goes on, None where that is not known."""
        if self._catches is None and self._layout is not None:
            self._catches = catches.find(
                self.memory, self._layout, self.symbol, self.identity.arch or "", self._is_code
            )
        return self._catches.handler(index) if self._catches else None

    def _is_code(self, address: int) -> bool:
        return self.code.find(address) is not None

    def is_code_current(self) -> bool:
        """Whether code that `update_code` has found is still loaded. Quick; of new code, BeamAsm tells a debugger."""
        return self._ranges is None or self._ranges.words() == self._range_words

    def update_code(self) -> bool:
        """Read BeamAsm's registrations again; whether anything has changed since the last time."""
        descriptor = self.symbol("__jit_debug_descriptor")
        if descriptor is None:
            return False
        before, registered = self._registered, registrations.entries(self.memory, descriptor)
        modules = {entry: before.get(entry) or self._parsed(entry) for entry in registered}
        self._registered = {entry: module for entry, module in modules.items() if module is not None}
        loaded = self._loaded(list(self._registered.values()))
        if loaded == self._loaded_modules:
            return False
        self._loaded_modules = loaded
        self.code = CodeIndex(loaded)
        return True

    def in_registration(self) -> Module | None:
        """The module that BeamAsm is registering while it calls `__jit_debug_register_code`, None if it is no module.

        What was kept of its entry is forgotten: the VM uses the memory of entries that it has taken back again.
        """
        descriptor = self.symbol("__jit_debug_descriptor")
        entry = registrations.relevant(self.memory, descriptor) if descriptor is not None else None
        if entry is None:
            return None
        self._registered.pop(entry, None)
        return self._parsed(entry)

    def _parsed(self, entry: Entry) -> Module | None:
        """The module that was registered, None for what is no module."""
        try:
            raw = self.memory.memory.read(entry.symfile, min(entry.size, registrations.MAX_REGISTRATION_SIZE))
            parsed = registrations.parse(raw, self.memory.word_size, self.memory.byteorder)
        except (Unreadable, CorruptRegistration):
            return None
        if isinstance(parsed, Module):
            return registrations.with_prologues(parsed, self.machine.prologue if self.machine else 0)
        self.emulator = parsed
        return None

    def _loaded(self, modules: list[Module]) -> list[Module]:
        """Those of `modules` whose code has not been purged; all, where that cannot be told."""
        if self._ranges is None and self._layout is not None:
            bases = {module.base for module in modules}
            self._ranges = ranges.find(self.memory, self._layout, self.symbol, self.identity.arch or "", bases)
        if self._ranges is None:
            return modules
        self._range_words = self._ranges.words()
        if self._range_words is None:
            return modules
        loaded = self._ranges.bases(self._range_words)
        return [module for module in modules if module.base in loaded or ranges.is_permanent(module)]
