"""The modules that BeamAsm has registered, as far as their code is loaded now."""

from __future__ import annotations

from dataclasses import replace

from beamgdb.code import jit_interface, registrations
from beamgdb.code.jit_interface import DESCRIPTOR, CodeEntry
from beamgdb.code.module import Module
from beamgdb.code.ranges import LoadedNow, is_permanent
from beamgdb.code.registrations import CorruptRegistration, Emulator
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.statics import Symbol

NO_ROOM = "more code is registered than any VM has, and this is the oldest"
"""Why what does not fit is left out."""


class RegisteredModules:
    """The modules of one VM. What has been read of the registrations is kept.

    `prologue`: size in bytes of what comes first in each function (see `registrations.with_prologues`).
    """

    def __init__(self, memory: CachedMemory, symbol: Symbol, prologue: int, loaded: LoadedNow) -> None:
        self._memory = memory
        self._symbol = symbol
        self._prologue = prologue
        self._loaded = loaded
        self._registered: dict[CodeEntry, Module | str | None] = {}
        """What was registered: a module, why that is left out, or None for what is no module."""
        self.emulator: Emulator | None = None
        self.left_out: dict[int, str] = {}
        """Why code is not shown that is registered: by the address of its entry."""

    def modules(self) -> list[Module]:
        """All that are loaded, newest first."""
        descriptor = self._symbol(DESCRIPTOR)
        if descriptor is None:
            return []
        listed = list(jit_interface.entries(self._memory, descriptor))
        if self.emulator is None and any(map(self._is_emulator, reversed(listed))):
            # It comes after the VM's own code, of which it tells the entry points.
            self._registered = {}
        before, self._registered, self.left_out = self._registered, {}, {}
        modules: dict[CodeEntry, Module] = {}
        room = registrations.Room()
        for entry in registrations.own_first(listed):
            found: Module | str | None = f"that registered at {entry.address:#x}: {NO_ROOM}"
            if room.has_bytes(entry):
                found = self._registered[entry] = before[entry] if entry in before else self._parsed(entry)
            if isinstance(found, Module) and room.has_records(found):
                modules[entry] = found
            elif found is not None:
                self.left_out[entry.address] = found if isinstance(found, str) else f"{found.name}: {NO_ROOM}"
        return self._not_purged([modules[entry] for entry in listed if entry in modules])

    def is_current(self) -> bool:
        """Whether nothing was purged since; of new code BeamAsm tells a debugger."""
        return self._loaded.is_as_seen()

    def in_registration(self) -> Module | None:
        """The module that BeamAsm is registering while it calls `__jit_debug_register_code`, None if it is no module.

        What was kept of its entry is forgotten: the VM uses the memory of entries that it has taken back again.
        """
        descriptor = self._symbol(DESCRIPTOR)
        entry = jit_interface.relevant(self._memory, descriptor) if descriptor is not None else None
        if entry is None:
            return None
        self._registered.pop(entry, None)
        found = self._parsed(entry)
        return found if isinstance(found, Module) else None

    def _is_emulator(self, entry: CodeEntry) -> bool:
        """Whether a registration is that of the emulator, which is kept."""
        registered = self._registration(entry) if entry.size == registrations.HEAD_SIZE else None
        if isinstance(registered, Emulator):
            self.emulator = registered
        return isinstance(registered, Emulator)

    def _parsed(self, entry: CodeEntry) -> Module | str | None:
        """The module that was registered, why it is left out, or None for what is no module."""
        registered = self._registration(entry)
        if not isinstance(registered, Module):
            return registered if isinstance(registered, str) else None
        own = self.emulator is not None and registered.base <= self.emulator.normal_exit < registered.stop
        return registrations.with_prologues(replace(registered, of_vm=own), self._prologue)

    def _registration(self, entry: CodeEntry) -> Emulator | Module | str:
        """What was registered, or why that cannot be told."""
        try:
            raw = self._memory.memory.read(entry.symfile, entry.size)
            return registrations.parse(raw, self._memory.word_size, self._memory.byteorder)
        except (Unreadable, CorruptRegistration) as error:
            return str(error)

    def _not_purged(self, modules: list[Module]) -> list[Module]:
        """Those of `modules` whose code has not been purged; all, where that cannot be told."""
        loaded = self._loaded.bounds()
        if loaded is None:
            return modules
        bases = {start for start, _ in loaded}
        return [module for module in modules if module.base in bases or is_permanent(module)]
