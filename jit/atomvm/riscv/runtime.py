"""AtomVM on RISC-V."""

from __future__ import annotations

from functools import partial
from typing import Final

from jit.atomvm.riscv.conventions import CALLED, CONTEXT, STATE, Stack
from jit.atomvm.riscv.disassembly import RiscvDisassembly, RiscvReader
from jit.atomvm.riscv.macros import RiscvMacros
from jit.atomvm.runtime import OnProcessor
from jit.codegen.processor import Processor
from jit.riscv.processor import RISCV32, RISCV64


def _on(processor: Processor) -> OnProcessor:
    frames = (CALLED, Stack(processor.file.address_size).inside)
    macros = partial(RiscvMacros, processor)
    return OnProcessor(processor, macros, CONTEXT, STATE, frames, RiscvDisassembly, RiscvReader(processor))


ON_RISCV32: Final = _on(RISCV32)
ON_RISCV64: Final = _on(RISCV64)
