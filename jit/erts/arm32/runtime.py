"""Native code in stock Erlang/OTP on 32-bit ARM: what the code generator asks of a runtime (jit/codegen/runtime.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jit.arm32.cpus import ARMV7_A, Cpu
from jit.arm32.processor import ARM32
from jit.beam.module import Module
from jit.beam.operands import X, Y
from jit.beam.operations import Function, Operation
from jit.codegen.cache import Keeps
from jit.codegen.runtime import Emitter
from jit.codegen.unwinding import Frame, Stretch
from jit.erts.arm32 import (  # noqa: F401 - the import of a family declares its emitters and fragments
    apply,
    arith,
    bif,
    bif_call,
    bs,
    bs_append,
    bs_create,
    bs_init,
    bs_integer,
    bs_match,
    bs_utf,
    call,
    catch,
    common,
    comparisons,
    crossing,
    float,
    fun,
    map,
    msg,
    numbers,
    receive,
    record,
    select,
    type_tests,
)
from jit.erts.arm32.call import never_returns
from jit.erts.arm32.conventions import REGISTERS, WORD, X_ARRAY, E
from jit.erts.arm32.disassembly import StockDisassembly
from jit.erts.arm32.elf_file import elf_file
from jit.erts.arm32.emitters import EMITTERS, KEEPS
from jit.erts.arm32.frames import CALLED, INSIDE, stretches
from jit.erts.arm32.module_emission import StockModule
from jit.erts.arm32.native import MixedNative
from jit.erts.arm32.rewrite import rewrite
from jit.erts.arm32.vm_types import VmTypes
from jit.erts.boot import NAME
from jit.erts.layout import load
from jit.object import dwarf_expression as expression


class StockErts:
    """Debian's armhf build of a release. Native code is in mixed mode with the interpreter."""

    processor = ARM32
    emitters: Mapping[str, Emitter] = EMITTERS
    keeps: Mapping[str, Keeps] = KEEPS
    frames: Sequence[Frame] = (CALLED, INSIDE)

    def __init__(self, otp: int, cpu: Cpu = ARMV7_A) -> None:
        """Raises KeyError for a release that there is no layout of."""
        self.layout = load(otp)
        self.cpu = cpu
        if self.layout["ErtsSchedulerRegisters.x_reg_array"] != X_ARRAY:
            raise ValueError(f"x registers are not at {X_ARRAY} in erts-{self.layout.erts}")

    def refuses(self, module: Module) -> str:
        """The glue's own: until it has begun, nothing that is native works."""
        return "the module of the glue" if module.name == NAME else ""

    def never_returns(self, operation: Operation) -> bool:
        """Whether native code never goes on behind it."""
        return never_returns(operation)

    def begin(self, module: Module, functions: Sequence[Function], *, stress: bool = False) -> StockModule:
        """Begin the code of a module."""
        return StockModule(module, self.layout, functions, self.cpu, stress=stress)

    def stretches(self, native: MixedNative) -> Iterator[Stretch]:
        """All code of a module by the frames with which it begins."""
        return stretches(native)

    def place(self, register: X | Y) -> bytes:
        """x registers are in the scheduler's array, y registers on the Erlang stack."""
        if isinstance(register, X):
            return expression.breg(REGISTERS.number, X_ARRAY + WORD * register.number)
        return expression.breg(E.number, WORD * (register.number + 1))

    def types(self) -> VmTypes:
        """The VM's types."""
        return VmTypes(self.layout)

    def disassemble(self, native: MixedNative) -> StockDisassembly:
        """The code as text."""
        return StockDisassembly(native)

    def elf_file(self, native: MixedNative) -> bytes:
        """The native object."""
        return elf_file(native, self, self.cpu)

    def beam_file(self, native: MixedNative) -> bytes:
        """Native object and bytecode in one file."""
        return rewrite(native, self.elf_file(native))
