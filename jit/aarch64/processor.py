"""What describes 64-bit ARM code to object files and debuggers."""

from __future__ import annotations

from typing import Final

from jit.aarch64.operands import LR, SP
from jit.codegen.processor import Processor
from jit.object.elf_constants import EM
from jit.object.target import Target

#: DWARF for the Arm 64-bit Architecture, 4.1: x0 to x30 are 0 to 30, sp is 31.
AARCH64: Final = Processor(
    name="aarch64",
    file=Target(8, machine=EM.AARCH64),
    instruction=4,
    stack_pointer=SP.number,
    return_address=LR.number,
)
