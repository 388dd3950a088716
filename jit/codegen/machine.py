"""What the registers and the C stack hold while native code runs, and how terms are tagged on 32 bits."""

from __future__ import annotations

from typing import Final

from jit.arm32.registers import LR, R4, R5, R6, R7, R8, R9, R10, R11

REGISTERS: Final = R4  # the scheduler's ErtsSchedulerRegisters
PROCESS: Final = R5
E: Final = R6  # the Erlang stack's top, where y registers are counted from
HTOP: Final = R7
FCALLS: Final = R8  # reductions left
CALL_NIF: Final = R9  # the handler of call_nif: the first word of every place that has native code
# r10 and r11 keep x registers: see cache.py.

#: What entering pushes, and the room below that: see FRAME_SIZE.
SAVED: Final = (R4, R5, R6, R7, R8, R9, R10, R11, LR)
ROOM: Final = 28
FRAME_SIZE: Final = ROOM + 4 * len(SAVED)  # a multiple of 8, as calls of C functions want
ENVIRONMENT: Final = 8  # from sp: the ErlNifEnv; below it arguments of C functions
RETURN: Final = 12  # from sp: where a shared fragment goes back to
ARGUMENTS: Final = 16  # from sp: three words, arguments of a BIF

#: ErtsSchedulerRegisters.x_reg_array, on 32-bit ARM in OTP 25 and 27; ``compile_module`` checks it.
X_ARRAY: Final = 64
WORD: Final = 4

#: In the four words of a function with native code: where native callers and returns go.
NATIVE_ENTRY: Final = 12
LIBRARY_WORD: Final = 8

# erts/emulator/beam/erl_term.h
SMALL_TAG: Final = 0xF
SMALL_BITS: Final = 4
SMALLEST: Final = -(1 << 27)
GREATEST: Final = (1 << 27) - 1
ATOM_TAG: Final = 0x0B
IMMEDIATE2_MASK: Final = 0x3F
NIL_WORD: Final = 0x3B
FALSE: Final = 0 << 6 | ATOM_TAG  # atom.names: false and true are the first two atoms
TRUE: Final = 1 << 6 | ATOM_TAG
LIST_TAG: Final = 1
BOXED_TAG: Final = 2
PRIMARY_MASK: Final = 3
#: Bits of words that are clear in pointers alone: to lists, and to what is boxed.
NOT_LIST: Final = 2
NOT_BOXED: Final = 1
HEADER_MASK: Final = 0x3F
HEADER_BITS: Final = 6
TUPLE_HEADER: Final = 0
BIGNUM_HEADER: Final = 0x08  # positive; the bit 0x04 is the sign
BIGNUM_SIGN: Final = 0x04
FUN_HEADER: Final = 0x14
FLOAT_HEADER: Final = 0x18

#: Words of a float on the heap (FLOAT_SIZE_OBJECT), the first of which is this (HEADER_FLONUM).
FLOAT_WORDS: Final = 3
FLOAT: Final = FLOAT_WORDS - 1 << HEADER_BITS | FLOAT_HEADER
#: The header word of a positive integer on the heap, of one digit.
POSITIVE_DIGIT: Final = 1 << HEADER_BITS | BIGNUM_HEADER

# erts/emulator/beam/error.h
TRAP: Final = 1 << 10

# erts/emulator/beam/erl_process.h, flags of a process
FORCE_GC: Final = 1 << 10
DISABLE_GC: Final = 1 << 11
DELAY_GC: Final = 1 << 13
DIRTY_GC: Final = 1 << 19 | 1 << 20  # a major, a minor one

#: ERTS_PSFLG_EXITING, a bit of Process.state; and EXTAG_EXIT | EXF_PANIC (error.h), the reason of such a process: it
#: cannot be caught.
EXITING: Final = 1 << 11
KILLED: Final = 1 | 1 << 2

#: X registers that may be in use where the interpreter is to go on in the midst of a function.
MOST_LIVE: Final = 32

#: Words of stack that stay free: at least S_RESERVED of erl_vm.h, which is 1 in the interpreter.
RESERVED: Final = 2


def is_small(value: int) -> bool:
    """Whether an integer is an immediate term."""
    return SMALLEST <= value <= GREATEST


def small(value: int) -> int:
    """The word of a small integer."""
    return (value << SMALL_BITS | SMALL_TAG) & 0xFFFF_FFFF


def tuple_header(arity: int) -> int:
    """The header word of a tuple."""
    return arity << HEADER_BITS | TUPLE_HEADER
