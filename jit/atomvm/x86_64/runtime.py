"""AtomVM on x86-64."""

from __future__ import annotations

from typing import Final

from jit.atomvm.runtime import OnProcessor
from jit.atomvm.x86_64.conventions import CALLED, CALLED_TWICE, CONTEXT, INSIDE, STATE
from jit.atomvm.x86_64.disassembly import X86Disassembly, X86Reader
from jit.atomvm.x86_64.macros import X86Macros
from jit.x86_64.processor import X86_64

ON_X86_64: Final = OnProcessor(
    X86_64, X86Macros, CONTEXT, STATE, (CALLED, CALLED_TWICE, INSIDE), X86Disassembly, X86Reader()
)
