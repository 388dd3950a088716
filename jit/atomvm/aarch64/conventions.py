"""Which registers are what in native code for AtomVM on 64-bit ARM, and its frame on the C stack.

The VM enters with context, state and primitives in x0 to x2, as it calls any C function. The rest is the compiler's own
affair: each entry pushes the address to return to, and calls code that keeps and fills the registers below.
"""

from __future__ import annotations

from typing import Final

from jit.aarch64.operands import LR, X0, X1, X2, X3, X4, X5, X16, X17, X19, X20, X21, X22, X23, X24, X25, X26, X29
from jit.codegen.unwinding import Frame

WORD: Final = 8
CONTEXT: Final = X19
STATE: Final = X20
PRIMITIVES: Final = X21
#: The module's index, where a return address has it.
INDEX: Final = X22
#: Where the code begins.
CODE: Final = X23
#: C functions have arguments here (AAPCS64, 6.8.2), and their result in the first.
C_ARGS: Final = (X0, X1, X2, X3, X4, X5)
ARGS: Final = C_ARGS[:4]
SAVED: Final = (X24, X25, X26)
#: Macro operations use them up.
SCRATCH: Final = X16
SCRATCH_2: Final = X17

#: What an entry pushes, and what is kept above that, by pairs.
PUSHED: Final = (X29, LR)
KEPT: Final = ((X19, X20), (X21, X22), (X23, X24), (X25, X26))
FRAME_SIZE: Final = 2 * WORD * (1 + len(KEPT))
#: Bytes of an entry: the push, and the call.
ENTRY: Final = 8


def _places(*registers: int) -> dict[int, int]:
    return {one: WORD * at - FRAME_SIZE for at, one in enumerate(registers)}


#: Before anything is pushed, in an entry behind the push, and behind an entry.
CALLED: Final = Frame(0, {})
ENTERED: Final = Frame(FRAME_SIZE, _places(*(one.number for one in PUSHED)))
INSIDE: Final = Frame(FRAME_SIZE, _places(*(one.number for pair in (PUSHED, *KEPT) for one in pair)))
