"""AtomVM on processors with Thumb code alone."""

from __future__ import annotations

from typing import Final

from jit.atomvm.armv6m.conventions import CALLED, CONTEXT, ENTERED, INSIDE, PUSHED_SIZE
from jit.atomvm.armv6m.disassembly import Armv6mDisassembly, Armv6mReader
from jit.atomvm.armv6m.macros import Armv6mMacros
from jit.atomvm.runtime import OnProcessor
from jit.object import dwarf_expression as expression
from jit.object.dwarf_constants import DW_OP
from jit.thumb.processor import ARMV6M

#: The first of what every entry pushes is the JIT state.
_STATE: Final = expression.call_frame_cfa() + expression.const(-PUSHED_SIZE) + expression.op(DW_OP.plus)

ON_ARMV6M: Final = OnProcessor(
    ARMV6M, Armv6mMacros, CONTEXT, _STATE, (CALLED, ENTERED, INSIDE), Armv6mDisassembly, Armv6mReader()
)
