"""Which registers are what in native code for AtomVM on x86-64, and its frame on the C stack.

The VM enters with context, state and primitives in rdi, rsi and rdx, as it calls any C function. The rest is the
compiler's own affair: each entry calls code that pushes what is to be kept, and fills the registers below.
"""

from __future__ import annotations

from typing import Final

from jit.codegen.unwinding import Frame
from jit.x86_64.operands import (
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RETURN_ADDRESS,
    RSI,
    RSP,
    at,
)

WORD: Final = 8
CONTEXT: Final = RBX
STATE: Final = R13
STACK: Final = RBP
#: C functions have arguments here (System V ABI, AMD64, 3.2.3), and their result in rax.
C_ARGS: Final = (RDI, RSI, RDX, RCX, R8, R9)
#: What emitters have for arguments: the register of results, and those that are in place as a call's second to fourth.
ARGS: Final = (RAX, RSI, RDX, RCX)
#: The last one is no good base of addresses.
SAVED: Final = (R14, R15, R12)
#: Macro operations use them up.
SCRATCH: Final = R11
SCRATCH_2: Final = R10

PUSHED: Final = (RBX, RBP, R12, R13, R14, R15)
#: Below that are a word without a meaning, the address of the primitives, and the module's index where a return address
#: has it.
BELOW: Final = 3 * WORD
PRIMITIVES_AT: Final = WORD
INDEX: Final = at(RSP)
FRAME_SIZE: Final = WORD * (1 + len(PUSHED)) + BELOW
#: Bytes of an entry, which is a call.
ENTRY: Final = 5

#: Where nothing is pushed but the return address, or that and another one, and behind an entry.
CALLED: Final = Frame(WORD, {RETURN_ADDRESS: -WORD})
CALLED_TWICE: Final = Frame(2 * WORD, CALLED.saved)
INSIDE: Final = Frame(FRAME_SIZE, {**CALLED.saved, **{one.number: -WORD * at for at, one in enumerate(PUSHED, 2)}})
