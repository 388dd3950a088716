"""The index of loaded code, kept up to date from its sources: one that tells of modules, `beamasm_modules` or the
interpreter's `module_table`; and `native_code`, of native code in the interpreter."""

from __future__ import annotations

from typing import Protocol

from beamgdb.code import native_code
from beamgdb.code.loaded import LoadedCode
from beamgdb.code.module import Module
from beamgdb.code.native_code import NativeCode
from beamgdb.memory import CachedMemory
from beamgdb.records.statics import Symbol


class ModuleSource(Protocol):
    """What tells which modules are loaded."""

    @property
    def left_out(self) -> dict[int, str]:
        """Why code is not shown that the VM tells of: by the address of that."""

    def modules(self) -> list[Module]:
        """Modules that are loaded; where they may overlap, newest first."""

    def is_current(self) -> bool:
        """Whether those that were read last are still the ones that are loaded. Quick."""


class CodeReader:
    """Reads what code is loaded; without a source there is none."""

    def __init__(self, memory: CachedMemory, symbol: Symbol, source: ModuleSource | None, has_native: bool) -> None:
        """`has_native`: there may be native code besides that of the source."""
        self._memory = memory
        self._symbol = symbol
        self._source = source
        self._has_native = has_native
        self._modules: list[Module] = []
        self._newest = 0
        self.native = NativeCode(memory)
        self.loaded = LoadedCode()

    @property
    def left_out(self) -> dict[int, str]:
        """Why code is not shown that the VM tells of: by the address of that."""
        return self._source.left_out if self._source else {}

    def is_current(self) -> bool:
        """Whether code that `update` has found is still loaded. Quick.

        Native code may be new where no module is: GDB may learn of the library that runs it later than of the VM."""
        if self._has_native and native_code.newest(self._memory, self._symbol) != self._newest:
            return False
        return self._source is None or self._source.is_current()

    def update(self) -> bool:
        """Read what code is loaded; whether anything has changed since the last time."""
        modules = self._source.modules() if self._source else []
        native = self.native
        if self._has_native:
            self._newest = native_code.newest(self._memory, self._symbol)
            native = native_code.registered(self._memory, self._symbol, self.native)
        if modules == self._modules and native == self.native:
            return False
        self._modules, self.native = modules, native
        self.loaded = LoadedCode(modules, native if len(native) else None)
        return True
