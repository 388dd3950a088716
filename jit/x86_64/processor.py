"""What describes x86-64 code to object files and debuggers."""

from __future__ import annotations

from typing import Final

from jit.codegen.processor import Processor
from jit.object.elf_constants import EM
from jit.object.target import Target
from jit.x86_64.operands import RETURN_ADDRESS, RSP

X86_64: Final = Processor(
    name="x86_64",
    file=Target(8, machine=EM.X86_64),
    instruction=1,
    stack_pointer=RSP.number,
    return_address=RETURN_ADDRESS,
)
