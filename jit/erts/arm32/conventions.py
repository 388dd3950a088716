"""What the registers and the C stack hold while native code runs, and what words some terms have on 32 bits."""

from __future__ import annotations

from typing import Final

from jit.arm32.registers import CORE, LR
from jit.codegen.small_integers import SmallIntegers
from jit.otp import native_abi, tags
from jit.otp.things import Float

REGISTERS: Final = CORE[native_abi.REGISTERS]
PROCESS: Final = CORE[native_abi.PROCESS]
E: Final = CORE[native_abi.E]
HTOP: Final = CORE[native_abi.HTOP]
FCALLS: Final = CORE[native_abi.FCALLS]
CALL_NIF: Final = CORE[native_abi.CALL_NIF]
CACHE: Final = tuple(CORE[number] for number in native_abi.CACHE)  # see jit/codegen/cache.py

#: What entering pushes, and the room below that: see FRAME_SIZE.
SAVED: Final = (*(CORE[number] for number in native_abi.SAVED), LR)
ROOM: Final = 28
FRAME_SIZE: Final = ROOM + 4 * len(SAVED)  # a multiple of 8, as calls of C functions want
ENVIRONMENT: Final = 8  # from sp: the ErlNifEnv; below it arguments of C functions
RETURN: Final = 12  # from sp: where a shared fragment goes back to
ARGUMENTS: Final = 16  # from sp: three words, arguments of a BIF

#: ErtsSchedulerRegisters.x_reg_array, on 32-bit ARM in all releases; ``StockErts`` checks it.
X_ARRAY: Final = 64
WORD: Final = native_abi.WORD

#: In the first words of a function with native code: where native callers and returns go.
NATIVE_ENTRY: Final = WORD * native_abi.PLACE
LIBRARY_WORD: Final = WORD * native_abi.LIBRARY

#: Bits of a small integer, its sign among them; and the integers that have so many.
SMALL_WIDTH: Final = 8 * WORD - tags.IMMED1_BITS
SMALLS: Final = SmallIntegers(-(1 << SMALL_WIDTH - 1), (1 << SMALL_WIDTH - 1) - 1)

#: Words of a float on the heap (FLOAT_SIZE_OBJECT), the first of which is this (HEADER_FLONUM).
FLOAT_WORDS: Final = 1 + Float.ARITY[WORD]
FLOAT: Final = Float.ARITY[WORD] << tags.ARITY_SHIFT | tags.FLOAT_HEADER
#: The header word of a positive integer on the heap, of one digit.
POSITIVE_DIGIT: Final = 1 << tags.ARITY_SHIFT | tags.BIG_HEADER

#: X registers that may be in use where the interpreter is to go on in the midst of a function.
MOST_LIVE: Final = 32

#: Words of stack that stay free: at least S_RESERVED of erl_vm.h, which is 1 in the interpreter.
RESERVED: Final = 2


def small(value: int) -> int:
    """The word of a small integer."""
    return (value << tags.IMMED1_BITS | tags.SMALL) & 0xFFFF_FFFF


def tuple_header(arity: int) -> int:
    """The header word of a tuple."""
    return arity << tags.ARITY_SHIFT | tags.TUPLE_HEADER
