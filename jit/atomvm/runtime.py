"""Native code for AtomVM: what the code generator asks of a runtime (jit/codegen/runtime.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jit.atomvm import (  # noqa: F401 - the import of a family declares its emitters
    code_arith,
    code_bs,
    code_bs_create,
    code_call,
    code_common,
    code_map,
    code_receive,
    code_tests,
)
from jit.atomvm.chunk import CHUNK, encode_native, encode_with_elf
from jit.atomvm.code_call import never_returns
from jit.atomvm.disassembly import CodeReader
from jit.atomvm.elf_file import elf_file
from jit.atomvm.emitters import EMITTERS
from jit.atomvm.formats import CATCH_BITS, F1, OFFSET_BITS, Format, Target
from jit.atomvm.macros import Macros
from jit.atomvm.module_emission import AtomModule, AtomNative
from jit.atomvm.vm_types import VmTypes
from jit.beam.chunks import write_chunks
from jit.beam.errors import BeamError
from jit.beam.module import Module
from jit.beam.operands import X, Y
from jit.beam.operations import Function, Operation
from jit.codegen.cache import Keeps
from jit.codegen.disassembly import Disassembly
from jit.codegen.processor import Processor, Register
from jit.codegen.runtime import Emitter
from jit.codegen.unwinding import Frame, Stretch
from jit.object import dwarf_expression as expression
from jit.object.dwarf_constants import DW_OP

_MOST: Final = 0xFFFF


@dataclass(frozen=True)
class OnProcessor:
    """What a package for a processor gives: how macro operations are begun, which registers have context and JIT
    state, which may be elsewhere, by a location; and how code is listed, that which is made and that which a file
    carries."""

    processor: Processor
    macros: Callable[[Format, Target], Macros[Any]]
    context: Register
    state: Register | bytes
    frames: Sequence[Frame]
    disassemble: Callable[[AtomNative], Disassembly]
    reader: CodeReader


class AtomVm:
    """Code for one target. With *dwarf*, files carry debugging information as well."""

    emitters: Mapping[str, Emitter] = EMITTERS
    keeps: Mapping[str, Keeps] = {}

    def __init__(self, name: str, on: OnProcessor, *, dwarf: bool = False) -> None:
        self.name, self.dwarf = name, dwarf
        self.target = F1.targets[name]
        self.processor = on.processor
        self.frames = on.frames
        self._on = on

    def refuses(self, module: Module) -> str:
        """What has no room in the numbers of the format."""
        if module.code.label_count > min(_MOST, (1 << CATCH_BITS) - 1):
            return f"{module.code.label_count} labels, more than AtomVM has numbers for"
        return ""

    def never_returns(self, operation: Operation) -> bool:
        """Whether native code never goes on behind it."""
        return never_returns(operation)

    def begin(self, module: Module, functions: Sequence[Function], *, stress: bool = False) -> AtomModule:
        """Begin the code of a module."""
        return AtomModule(module, self._on.macros(F1, self.target), self.target, functions)

    def stretches(self, native: AtomNative) -> Iterator[Stretch]:
        """All code of a module by the frames with which it begins."""
        return native.macros.stretches()

    def place(self, register: X | Y) -> bytes:
        """x registers are in the context, y registers on the stack that it points to."""
        layout, context = self.target.layout, self._on.context.number
        if isinstance(register, X):
            return expression.breg(context, layout.x + layout.word * register.number)
        stack = expression.breg(context, layout.e) + expression.op(DW_OP.deref)
        return stack + expression.plus_uconst(layout.word * register.number)

    def types(self) -> VmTypes:
        """The VM's types."""
        state = self._on.state if isinstance(self._on.state, bytes) else expression.reg(self._on.state.number)
        return VmTypes(self.target.layout, expression.reg(self._on.context.number), state)

    def disassemble(self, native: AtomNative) -> Disassembly:
        """The code as text."""
        return self._on.disassemble(native)

    def elf_file(self, native: AtomNative) -> bytes:
        """The code as an ELF file, in which addresses count from the beginning of the code."""
        return elf_file(native, self).data

    def beam_file(self, native: AtomNative) -> bytes:
        """The module's chunks but its bytecode, and native code; as it was if not all of it is native.

        Raises BeamError for more code than return addresses can tell."""
        module = native.module
        if native.interpreted:
            return write_chunks((chunk.name, chunk.data) for chunk in module.chunks)
        code = native.code.data
        if len(code) >= 1 << OFFSET_BITS:
            raise BeamError(module.file, f"{len(code)} bytes of native code, more than AtomVM can have in a module")
        labels = module.code.label_count
        if self.dwarf:
            elf = elf_file(native, self)
            data = encode_with_elf(labels, self.name, elf.code, elf.data, elf.addresses)
        else:
            data = encode_native(labels, [(self.name, code)])
        kept = [(chunk.name, chunk.data) for chunk in module.chunks if chunk.name != "Code"]
        return write_chunks([*kept, (CHUNK, data)])
