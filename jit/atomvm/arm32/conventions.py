"""Which registers are what in native code for AtomVM on 32-bit ARM, and its frame on the C stack.

The VM enters with context, state and primitives in r0 to r2, and wants the ten registers below pushed at every entry of
its table of labels. All else between two entries is the compiler's own affair.
"""

from __future__ import annotations

from typing import Final

from jit.arm32.registers import LR, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12
from jit.codegen.unwinding import Frame

WORD: Final = 4
CONTEXT: Final = R4
STATE: Final = R5
STACK: Final = R6
#: The module's index, where a return address has it.
INDEX: Final = R7
#: Where the code begins.
CODE: Final = R8
ARGS: Final = (R0, R1, R2, R3)
SAVED: Final = (R9, R10, R11)
#: Macro operations use them up.
SCRATCH: Final = R12
SCRATCH_2: Final = LR

PUSHED: Final = (R1, R4, R5, R6, R7, R8, R9, R10, R11, LR)
FRAME_SIZE: Final = WORD * len(PUSHED)
#: The address of the primitives takes the place of what is pushed first.
PRIMITIVES_AT: Final = 0

#: Before anything is pushed, and behind an entry.
CALLED: Final = Frame(0, {})
INSIDE: Final = Frame(FRAME_SIZE, {one.number: WORD * at - FRAME_SIZE for at, one in enumerate(PUSHED) if at})
