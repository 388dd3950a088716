"""Which registers are what in native code for AtomVM in Thumb code, and its frame on the C stack.

The VM enters with context, state and primitives in r0 to r2, and wants the six registers below pushed at every entry of
its table of labels. All else between two entries is the compiler's own affair: each entry calls code that keeps more
below that. Most instructions know eight registers, so state, primitives and the module's index stay on the stack.
"""

from __future__ import annotations

from typing import Final

from jit.arm32.registers import LR, R0, R1, R2, R3, R4, R5, R6, R7, R8, R12, SP
from jit.codegen.unwinding import Frame

WORD: Final = 4
CONTEXT: Final = R4
ARGS: Final = (R0, R1, R2, R3)
#: The last one, which few instructions know, is used least.
SAVED: Final = (R5, R6, R8)
#: Macro operations use it up, and the other one as well, to keep a register that they borrow.
SCRATCH: Final = R7
SPARE: Final = R12
STACK: Final = SP
#: Ways in and out use it up.
WAY: Final = R3

PUSHED: Final = (R1, R4, R5, R6, R7, LR)
#: What is kept below that: the VM's r8, state, primitives, and the module's index where a return address has it.
KEPT: Final = (R0, R1, R2, R3)
KEPT_R8, STATE_AT, PRIMITIVES_AT, INDEX_AT = (WORD * at for at in range(len(KEPT)))
PUSHED_SIZE: Final = WORD * len(PUSHED)
FRAME_SIZE: Final = PUSHED_SIZE + WORD * len(KEPT)
RETURN_AT: Final = FRAME_SIZE - WORD
#: Bytes of an entry: the push, and the call.
ENTRY: Final = 6

_PLACES: Final = {one.number: WORD * at - PUSHED_SIZE for at, one in enumerate(PUSHED) if at}
#: Before anything is pushed, in an entry behind the push, and behind an entry.
CALLED: Final = Frame(0, {})
ENTERED: Final = Frame(PUSHED_SIZE, _PLACES)
INSIDE: Final = Frame(FRAME_SIZE, {**_PLACES, R8.number: KEPT_R8 - FRAME_SIZE})
