"""What beamgdb keeps in this GDB: one object, which all reach by `extension()`. What belongs to one VM is in its
`Session`."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from beamgdb.gdbext.breakpoints.requests import Requests
from beamgdb.gdbext.older_gdb import FirstFrames
from beamgdb.gdbext.parameters import Parameters
from beamgdb.gdbext.quiet import JitReader
from beamgdb.gdbext.read_only import ReadOnlyMemory
from beamgdb.gdbext.symbol_folder import SymbolFolder

Part = TypeVar("Part")


class Extension:
    """All of it, as it is before GDB debugs anything."""

    def __init__(self) -> None:
        self.is_installed = False
        self.parameters = Parameters()
        self.jit_reader = JitReader()

        self.relocates = False
        """Whether the program is just being moved: nothing can be read then."""
        self.symbol_folder = SymbolFolder()
        self.read_only = ReadOnlyMemory()
        self.first_frames = FirstFrames()

        self.requests = Requests()

        self.ctrl_c_depth = 0
        """How many times Ctrl-C is held."""
        self.takes_ctrl_c = False
        """Whether it is held for what is done just now alone."""
        self.interruptions = 0
        """How often Ctrl-C has ended what was done in the background."""
        self.was_interrupted = False
        """Whether the last stop is one by Ctrl-C that came while a breakpoint was asked. GDB takes it for a hit."""

        self._parts: dict[type[Any], Any] = {}

    def part(self, kind: type[Part]) -> Part:
        """The one object of a class of modules that reach the extension themselves, so that it does not know them; made
        when it is asked for first."""
        if kind not in self._parts:
            self._parts[kind] = kind()
        found: Part = self._parts[kind]
        return found


@cache
def extension() -> Extension:
    """The one of this GDB, made when it is asked for first."""
    return Extension()
