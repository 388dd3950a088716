"""One VM: its memory, what is known of it, and the parts of the model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from beamgdb.beamasm import registrations
from beamgdb.beamasm.machines import Machine, machine_of
from beamgdb.beamasm.registrations import CorruptRegistration, Emulator, Entry, FrameLayout, Module
from beamgdb.beamasm.symbol_file import Describing
from beamgdb.interpreter import special_code
from beamgdb.interpreter.code import Code
from beamgdb.interpreter.machines import MACHINES as INTERPRETER_MACHINES
from beamgdb.interpreter.process_main import Build, ProcessMain
from beamgdb.layouts.identity import Identity
from beamgdb.layouts.layout import Layout
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.native import objects
from beamgdb.native.code import NativeCode
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
from beamgdb.vm.statics import Recovered, code_index

DESCRIPTOR = "__jit_debug_descriptor"
"""GDB's JIT interface: where registered code is told of. The interpreter has none, but what runs native code in it."""


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
        build: Build | None = None,
    ) -> None:
        self.memory = memory
        self.symbol = symbol
        self.identity = identity
        self.no_layout = no_layout
        self.machine: Machine | None = machine_of(identity.arch, identity.flavour, layout)
        self.build = build
        self.code = CodeIndex()
        self.native = NativeCode(memory)
        self.emulator: Emulator | None = None
        self._layout = layout
        self._registered: dict[Entry, Module] = {}
        self._loaded_modules: list[Module] = []
        self._ranges: CodeRanges | None = None
        self._ranges_seen: tuple[int | None, tuple[int, ...] | None] = (None, None)
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
    def is_interpreter(self) -> bool:
        """Whether Erlang code is interpreted in this VM, not compiled."""
        return self.identity.flavour == "emu"

    @cached_property
    def process_main(self) -> ProcessMain:
        """The interpreter; raises `Unavailable`."""
        return ProcessMain(self.memory, self.layout, self.symbol, self.identity.arch or "", self.build or Build())

    @property
    def description(self) -> Describing | None:
        """What symbol files must know of the machine, None where that is not known."""
        return INTERPRETER_MACHINES.get(self.identity.arch or "") if self.is_interpreter else self.machine

    @property
    def normal_exit(self) -> int | None:
        """The address to which the first function of a process returns."""
        if self.is_interpreter:
            return special_code.pointer(self.memory, self.symbol, special_code.NORMAL_EXIT)
        return self.emulator.normal_exit if self.emulator else None

    def top_of(self, stop: int) -> int:
        """Where y0 of the innermost frame is, from the Erlang stack pointer.

        In the interpreter that points to the place of the return address, which is below the frame of the function that
        runs, and free as long as it does not call (`AH` in emu/macros.tab).
        """
        if not self.is_interpreter or self.stack().is_return_address(self.memory.word(stop)):
            return stop
        return stop + self.memory.word_size

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
        """Whether code that `update_code` has found is still loaded. Quick. Of new code BeamAsm tells a debugger; that
        of the interpreter is noticed here too."""
        if self.is_interpreter and self._range_table() is None:
            return not self.has_layout
        return self._ranges is None or self._range_state(self._ranges) == self._ranges_seen

    def update_code(self) -> bool:
        """Read what code is loaded; whether anything has changed since the last time."""
        loaded = self._interpreted_modules() if self.is_interpreter else self._registered_modules()
        native = self._native_code() if self.is_interpreter else NativeCode(self.memory)
        if loaded == self._loaded_modules and native == self.native:
            return False
        self._loaded_modules, self.native = loaded, native
        self.code = CodeIndex(loaded, native if len(native) else None)
        return True

    def _native_code(self) -> NativeCode:
        """The native code that is registered. An object that was known stays the same one."""
        descriptor = self.symbol(DESCRIPTOR)
        registered = registrations.entries(self.memory, descriptor) if descriptor is not None else ()
        before = {(one.entry, one.headers): one for one in self.native.objects}
        found = (objects.find(self.memory, entry) for entry in registered)
        return NativeCode(self.memory, (before.get((one.entry, one.headers), one) for one in found if one is not None))

    def _registered_modules(self) -> list[Module]:
        """Code that BeamAsm has registered, as far as it is loaded."""
        descriptor = self.symbol(DESCRIPTOR)
        if descriptor is None:
            return []
        before, registered = self._registered, registrations.entries(self.memory, descriptor)
        modules = {entry: before.get(entry) or self._parsed(entry) for entry in registered}
        self._registered = {entry: module for entry, module in modules.items() if module is not None}
        return self._loaded(list(self._registered.values()))

    def _interpreted_modules(self) -> list[Module]:
        """Code in the VM's table of ranges, and what is in no module."""
        loaded = self._loaded_ranges()
        if loaded is None:
            return []
        special = special_code.module(self.memory, self.symbol)
        return [*self._interpreted_code.modules(dict.fromkeys(loaded)), *([special] if special else ())]

    def recovered(self) -> tuple[Recovered, ...]:
        """Variables of the VM that have no symbol, as far as they have been found."""
        found = (self._range_table(), self._catches)
        return tuple(variable for table in found if table is not None for variable in table.recovered())

    @cached_property
    def _interpreted_code(self) -> Code:
        return Code(self.memory, self.layout, self.atoms)

    def _range_state(self, table: CodeRanges) -> tuple[int | None, tuple[int, ...] | None]:
        """The ranges, and which of the VM's tables is in use: that changes with each load, also where code that was
        purged meanwhile has left its place to other code of the same size."""
        return code_index(self.memory, self.symbol, "active"), table.words()

    def _loaded_ranges(self) -> tuple[tuple[int, int], ...] | None:
        """Start and end of the code of each module that is loaded, None where that cannot be told."""
        table = self._range_table()
        if table is None:
            return None
        self._ranges_seen = self._range_state(table)
        words = self._ranges_seen[1]
        return table.loaded(words) if words is not None else None

    def _range_table(self) -> CodeRanges | None:
        if self._ranges is None and self._layout is not None:
            self._ranges = ranges.find(self.memory, self._layout, self.symbol, self.identity.arch or "")
        return self._ranges

    def in_registration(self) -> Module | None:
        """The module that BeamAsm is registering while it calls `__jit_debug_register_code`, None if it is no module.

        What was kept of its entry is forgotten: the VM uses the memory of entries that it has taken back again.
        """
        descriptor = self.symbol(DESCRIPTOR)
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
        loaded = self._loaded_ranges()
        if loaded is None:
            return modules
        bases = {start for start, _ in loaded}
        return [module for module in modules if module.base in bases or ranges.is_permanent(module)]
