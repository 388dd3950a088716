"""What describes Thumb code to object files and debuggers."""

from __future__ import annotations

from typing import Final

from jit.arm32.registers import LR, SP
from jit.codegen.processor import Processor
from jit.object.elf_constants import EF_ARM_EABI_VER5, EM
from jit.object.target import Target

#: DWARF for the Arm Architecture, 4.1: r0 to r15 are 0 to 15.
ARMV6M: Final = Processor(
    name="armv6m",
    file=Target(4, machine=EM.ARM, flags=EF_ARM_EABI_VER5),
    instruction=2,
    stack_pointer=SP.number,
    return_address=LR.number,
)
