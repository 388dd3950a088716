"""What describes RISC-V code to object files and debuggers."""

from __future__ import annotations

from typing import Final

from jit.codegen.processor import Processor
from jit.object.elf_constants import EF_RISCV_FLOAT_ABI_DOUBLE, EF_RISCV_RVC, EM
from jit.object.target import Target
from jit.riscv.operands import RA, SP

#: DWARF for RISC-V (RISC-V ELF psABI, "DWARF Register Numbers"): x0 to x31 are 0 to 31. C code of 32 bits is taken to
#: pass floats in integer registers, that of 64 bits in float registers, as on Linux; native code has none.
RISCV32: Final = Processor(
    name="riscv32",
    file=Target(4, machine=EM.RISCV, flags=EF_RISCV_RVC),
    instruction=2,
    stack_pointer=SP.number,
    return_address=RA.number,
)
RISCV64: Final = Processor(
    name="riscv64",
    file=Target(8, machine=EM.RISCV, flags=EF_RISCV_RVC | EF_RISCV_FLOAT_ABI_DOUBLE),
    instruction=2,
    stack_pointer=SP.number,
    return_address=RA.number,
)
