"""AtomVM on 32-bit ARM."""

from __future__ import annotations

from typing import Final

from jit.arm32.processor import ARM32
from jit.atomvm.arm32.conventions import CALLED, CONTEXT, INSIDE, STATE
from jit.atomvm.arm32.disassembly import Arm32Disassembly, Arm32Reader
from jit.atomvm.arm32.macros import Arm32Macros
from jit.atomvm.runtime import OnProcessor

ON_ARM32: Final = OnProcessor(ARM32, Arm32Macros, CONTEXT, STATE, (CALLED, INSIDE), Arm32Disassembly, Arm32Reader())
