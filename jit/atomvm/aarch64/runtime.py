"""AtomVM on 64-bit ARM."""

from __future__ import annotations

from typing import Final

from jit.aarch64.processor import AARCH64
from jit.atomvm.aarch64.conventions import CALLED, CONTEXT, ENTERED, INSIDE, STATE
from jit.atomvm.aarch64.disassembly import Aarch64Disassembly, Aarch64Reader
from jit.atomvm.aarch64.macros import Aarch64Macros
from jit.atomvm.runtime import OnProcessor

ON_AARCH64: Final = OnProcessor(
    AARCH64, Aarch64Macros, CONTEXT, STATE, (CALLED, ENTERED, INSIDE), Aarch64Disassembly, Aarch64Reader()
)
