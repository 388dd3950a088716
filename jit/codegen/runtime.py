"""What a runtime gives to the code generator: emitters, and how native code lives in it.

A ``Runtime`` is one runtime on one processor. It begins a ``ModuleEmission`` for the code of a module, and that an
emission for each of its functions, on which the emitters work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from jit.beam.module import Module
from jit.beam.operands import X, Y
from jit.beam.operations import Function, Operation
from jit.codegen.cache import Keeps
from jit.codegen.disassembly import Disassembly
from jit.codegen.emission import Analysis, EmissionT
from jit.codegen.native import NativeFunction, NativeT, NativeT_co
from jit.codegen.processor import Processor
from jit.codegen.unwinding import Frame, Stretch
from jit.object.dwarf_info import Die

#: Takes the emission and the operands of the operation, and appends its code. Raises Unsupported.
Emitter = Callable[..., None]


class ModuleEmission(Protocol[EmissionT, NativeT_co]):
    """The code of one module under construction. What stands before its functions is there already."""

    def emission(self, analysis: Analysis, keeps: Sequence[Keeps]) -> EmissionT:
        """What emitters of a function work on; *keeps* is for its cache."""
        ...

    def enter(self, e: EmissionT) -> int:
        """Append what native callers of a function come to, and give the offset of its body, where everyone does."""
        ...

    def finish(
        self,
        functions: list[NativeFunction[EmissionT]],
        interpreted: dict[tuple[str, int], str],
        broken: frozenset[tuple[str, int]],
    ) -> NativeT_co:
        """Append what the functions share; the whole. For the others it is told what they lack (``Native``)."""
        ...


class DebugTypes(Protocol):
    """The types of a module's variables in DWARF. ``dies`` are all, in the order in which they are to be added."""

    @property
    def dies(self) -> Sequence[Die]:
        """Entries of the types."""
        ...

    @property
    def eterm(self) -> Die:
        """The type of a term."""
        ...

    def machine_variables(self) -> Sequence[Die]:
        """Variables of what CPU registers hold in all functions."""
        ...


class Runtime(Protocol[EmissionT, NativeT]):
    """A runtime on a processor."""

    @property
    def processor(self) -> Processor:
        """The processor."""
        ...

    @property
    def emitters(self) -> Mapping[str, Emitter]:
        """By names of operations."""
        ...

    @property
    def keeps(self) -> Mapping[str, Keeps]:
        """What these emitters leave in the cache of x registers; nothing if they are not told of."""
        ...

    def refuses(self, module: Module) -> str:
        """Why nothing of a module can be native; empty if it may be."""
        ...

    def never_returns(self, operation: Operation) -> bool:
        """Whether control never comes back from a call, so that nothing need stand behind it."""
        ...

    def begin(
        self, module: Module, functions: Sequence[Function], *, stress: bool = False
    ) -> ModuleEmission[EmissionT, NativeT]:
        """Begin the code of a module in which these functions are native.

        With *stress*, code that collects garbage at every heap test and yields at every call.
        """
        ...

    # For debuggers and readers

    @property
    def frames(self) -> Sequence[Frame]:
        """The frames that stretches of code begin with."""
        ...

    def stretches(self, native: NativeT) -> Iterable[Stretch]:
        """All code of a module, in stretches that control enters with a known frame."""
        ...

    def place(self, register: X | Y) -> bytes:
        """Where memory has a BEAM register while a function runs, as a location expression of DWARF."""
        ...

    def types(self) -> DebugTypes:
        """Types of variables."""
        ...

    def disassemble(self, native: NativeT) -> Disassembly:
        """The code of a module as text."""
        ...

    # Files

    def elf_file(self, native: NativeT) -> bytes:
        """The native code of a module as an ELF file, with symbols and DWARF."""
        ...

    def beam_file(self, native: NativeT) -> bytes:
        """A .beam file that carries the native code of its module. The module is changed."""
        ...
