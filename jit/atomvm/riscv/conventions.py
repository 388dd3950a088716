"""Which registers are what in native code for AtomVM on RISC-V, and its frame on the C stack.

The VM enters with context, state and primitives in a0 to a2, as it calls any C function. The rest is the compiler's own
affair: each entry calls code that keeps and fills the registers below, by t0, so that the place to return to stays in
ra. Instructions are shortest on s0, s1 and a0 to a5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jit.codegen.unwinding import Frame
from jit.riscv.operands import A0, A1, A2, A3, A4, A5, RA, S0, S1, S2, S3, S4, S5, S6, S7, S8, T0, T1

CONTEXT: Final = S0
STATE: Final = S1
PRIMITIVES: Final = S3
#: The module's index, where a return address has it.
INDEX: Final = S4
#: Where the code begins.
CODE: Final = S5
#: The tag of small integers, with which they are compared.
SMALL: Final = S8
#: C functions have arguments here (RISC-V calling convention, "Integer Calling Convention"), and their result in the
#: first. A result or argument of less than a word is a word there, with its sign.
C_ARGS: Final = (A0, A1, A2, A3, A4, A5)
ARGS: Final = C_ARGS[:4]
SAVED: Final = (S2, S6, S7)
#: Macro operations use them up; where arguments are put in place, those of calls.
SCRATCH: Final = A5
SCRATCH_2: Final = A4
OF_CALLS: Final = T0
OF_CALLS_2: Final = T1
#: Where code goes on behind an entry.
ENTERED_FROM: Final = T0

#: What is kept on the stack, from its lowest place on.
KEPT: Final = (RA, S0, S1, S2, S3, S4, S5, S6, S7, S8)
#: Bytes of an entry, which is a call.
ENTRY: Final = 4
#: The stack pointer is a multiple of that.
ALIGNMENT: Final = 16

#: Before anything is pushed.
CALLED: Final = Frame(0, {})


@dataclass(frozen=True)
class Stack:
    """The frame where words have so many bytes."""

    word: int

    @property
    def size(self) -> int:
        """In bytes."""
        return -(-self.word * len(KEPT) // ALIGNMENT) * ALIGNMENT

    @property
    def inside(self) -> Frame:
        """Behind an entry."""
        return Frame(self.size, {one.number: self.word * at - self.size for at, one in enumerate(KEPT)})
