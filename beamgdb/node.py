"""One VM, whole: which flavour it is of, and so what tells of its code, runs it, and gives its stacks their form."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from beamgdb.beamasm.registers import BeamAsmRegisters, registers_of
from beamgdb.code import special_code
from beamgdb.code.beamasm_modules import RegisteredModules
from beamgdb.code.loaded import LoadedCode
from beamgdb.code.module import Module
from beamgdb.code.module_table import ModuleTable
from beamgdb.code.native_code import NativeCode
from beamgdb.code.ranges import LoadedNow
from beamgdb.code.reader import CodeReader, ModuleSource
from beamgdb.code.registrations import FrameLayout
from beamgdb.code.symbol_file import Describing
from beamgdb.interpreter.frame_registers import FRAME_REGISTERS
from beamgdb.interpreter.process_main import Build, ProcessMain
from beamgdb.memory import CachedMemory
from beamgdb.records.statics import Symbol
from beamgdb.vm import lost_processes
from beamgdb.vm.model import Vm
from beamgdb.vm.stack import FrameForm
from jit.image.image import Recovered
from jit.otp.layouts.identity import Identity
from jit.otp.layouts.layout import Layout

if TYPE_CHECKING:
    from beamgdb.roots.finder import Roots


class Node(Vm):
    """A VM of one of the two flavours. `build` is what the program's file tells of it, `roots` gives `symbol` what has
    none."""

    def __init__(
        self,
        memory: CachedMemory,
        symbol: Symbol,
        identity: Identity,
        layout: Layout | None,
        no_layout: str = "",
        build: Build | None = None,
        roots: Roots | None = None,
    ) -> None:
        super().__init__(memory, symbol, identity, layout, no_layout)
        self.build = build or Build()
        self.roots = roots
        if roots is not None:
            roots.own_code = self.compiled
        self.machine: BeamAsmRegisters | None = registers_of(identity.arch, identity.flavour, layout)
        self._loaded_now = LoadedNow(memory, layout, symbol, identity.arch or "")
        self._registered = RegisteredModules(
            memory, symbol, self.machine.prologue if self.machine else 0, self._loaded_now
        )
        self._reader = CodeReader(memory, symbol, self._source(), has_native=self.is_interpreter)

    @property
    def is_interpreter(self) -> bool:
        """Whether Erlang code is interpreted in this VM, not compiled."""
        return self.identity.flavour == "emu"

    # -- loaded code ---------------------------------------------------------------------------------------------------

    def _source(self) -> ModuleSource | None:
        """What tells of its code; None for the interpreter of a release that is not known."""
        if not self.is_interpreter:
            return self._registered
        if self._layout is None:
            return None
        return ModuleTable(
            self.memory, self._layout, self.symbol, lambda index: self.atoms.name(index), self._loaded_now
        )

    @property
    def code(self) -> LoadedCode:
        """The code that is loaded, as `update_code` has found it."""
        return self._reader.loaded

    @property
    def native(self) -> NativeCode:
        """The native code among it."""
        return self._reader.native

    @property
    def left_out(self) -> dict[int, str]:
        """Why code is not shown that the VM tells of: by the address of that."""
        return self._reader.left_out

    def compiled(self, name: str) -> tuple[int, int] | None:
        """Start and end of the code of a function of the module `erlang` or of the VM's own; None where there is none,
        or code is interpreted."""
        if self.is_interpreter:
            return None
        modules = (module for module in self.code if module.of_vm or module.name == "erlang")
        found = (code for module in modules for code in module.ranges if code.name == name)
        return next(((code.start, code.stop) for code in found), None)

    def is_code_current(self) -> bool:
        """Whether code that `update_code` has found is still loaded. Quick. Of new code BeamAsm tells a debugger; that
        of the interpreter is noticed here too."""
        return self._reader.is_current()

    def update_code(self) -> bool:
        """Read what code is loaded; whether anything has changed since the last time."""
        return self._reader.update()

    def in_registration(self) -> Module | None:
        """The module that BeamAsm is just registering, None if it is none: see `RegisteredModules`."""
        return self._registered.in_registration()

    def code_headers(self) -> tuple[int, ...]:
        table = self._loaded_now.table
        words = table.words() if table is not None else None
        return tuple(dict.fromkeys(start for start, _ in table.loaded(words))) if table and words else ()

    def lost_processes(self) -> Iterator[int]:
        return lost_processes.addresses(self)

    def coming(self) -> tuple[str, ...]:
        """Names of modules that are about to be taken into use, while `erts_commit_staging_code_ix` is called."""
        table = self._loaded_now.table
        names = []
        for start in table.coming() if table is not None else ():
            first = self.memory.word(self.record("BeamCodeHeader", start).field_address("functions"))
            names.append(self.term(self.record("ErtsCodeInfo", first)["mfa.module"]).strip("'"))
        return tuple(names)

    def recovered(self) -> tuple[Recovered, ...]:
        """Variables of the VM that have a symbol in no release, as far as they have been found."""
        found = (self._loaded_now.table, self._catches)
        return tuple(variable for table in found if table is not None for variable in table.recovered())

    # -- how it is run -------------------------------------------------------------------------------------------------

    @cached_property
    def process_main(self) -> ProcessMain:
        """The interpreter; raises `Unavailable`."""
        size_of = self.roots.size if self.roots is not None else None
        return ProcessMain(self.memory, self.layout, self.symbol, self.identity.arch or "", self.build, size_of)

    @property
    def description(self) -> Describing | None:
        """What symbol files must know of the machine, None where that is not known."""
        return FRAME_REGISTERS.get(self.identity.arch or "") if self.is_interpreter else self.machine

    @property
    def normal_exit(self) -> int | None:
        """The address to which the first function of a process returns."""
        if self.is_interpreter:
            return special_code.pointer(self.memory, self.symbol, special_code.NORMAL_EXIT)
        return self._registered.emulator.normal_exit if self._registered.emulator else None

    @property
    def frame_layout(self) -> FrameLayout:
        """What frames on Erlang stacks look like."""
        emulator = self._registered.emulator
        return emulator.frame_layout if emulator else FrameLayout.RETURN_ADDRESS

    @property
    def frame_form(self) -> FrameForm:
        """The same, for whoever reads stacks. In the interpreter there is room at the top (`AH` in emu/macros.tab)."""
        return FrameForm(self.frame_layout is FrameLayout.FRAME_POINTER, room_at_top=self.is_interpreter)
