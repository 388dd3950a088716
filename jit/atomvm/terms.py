"""How AtomVM tags terms (src/libAtomVM/term.h, libs/jit/src/term.hrl and default_atoms.hrl, asserted in jit.c)."""

from __future__ import annotations

from typing import Final

from jit.atomvm.formats import Target
from jit.beam.operands import Integer, Operand
from jit.beam.terms import NIL as EMPTY_LIST
from jit.beam.terms import Atom

# The two lowest bits of a word: a list, a boxed term, or an immediate one.
PRIMARY: Final = 3
LIST, BOXED, IMMEDIATE = 1, 2, 3
#: A bit of them that other terms have than lists, or boxed ones.
NOT_LIST, NOT_BOXED = 2, 1
# The four lowest of an immediate term, the six lowest of atoms and what is alike.
TAG: Final = 0xF
PID, PORT, INTEGER = 0x3, 0x7, 0xF
TAG_BITS: Final = 4
SECOND_TAG: Final = 0x3F
SECOND_TAG_BITS: Final = 6
ATOM, CATCH, NIL = 0xB, 0x1B, 0x3B

# The six lowest bits of a boxed term's first word; its size in words, without this one, is above.
HEADER: Final = 0x3F
HEADER_BITS: Final = 6
TUPLE, MATCH_STATE, POSITIVE, NEGATIVE, REFERENCE, FUN, FLOAT = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18
REFC_BINARY, HEAP_BINARY, SUB_BINARY, MAP = 0x20, 0x24, 0x28, 0x2C
EXTERNAL_PID, EXTERNAL_PORT, EXTERNAL_REFERENCE = 0x30, 0x34, 0x38
BINARIES: Final = (REFC_BINARY, HEAP_BINARY, SUB_BINARY)
#: What integers of both signs have in common, and, under another mask, integers and floats.
ANY_SIGN: Final = 0x3B
NUMBER: Final = 0x2B

# Words of a list's cell.
TAIL, HEAD = 0, 1
# Words of boxed terms behind the first.
BINARY_SIZE: Final = 1  # in bytes, of all kinds of binaries
STATE_BINARY, STATE_OFFSET = 1, 2  # of a match state; the offset is in bits
MAP_KEYS, MAP_VALUES = 1, 2  # a tuple; the first value
FUN_MODULE, FUN_INDEX, FUN_ARITY, FUN_FREE = 1, 2, 3, 3  # the arity of an external fun, else the first free variable
# Sizes in words.
MATCH_STATE_SIZE: Final = 4
FUN_SIZE: Final = 3
REFC_SIZE: Final = 6
BINARY_HEADER: Final = 2
#: Sign of ``alloc_big_integer_fragment``.
NEGATIVE_SIGN: Final = 4

_FIXED: Final = (
    "false true ok error badarg badarith badfun function_clause try_clause out_of_memory badmatch case_clause "
    "if_clause throw unsupported all exit badrecord"
)
#: Atoms that have the same term in every VM.
ATOMS: Final = {name: index << SECOND_TAG_BITS | ATOM for index, name in enumerate(_FIXED.split())}
FALSE, TRUE, ALL = ATOMS["false"], ATOMS["true"], ATOMS["all"]

_SMALL_BITS: Final = {4: 28, 8: 60}


def small(value: int) -> int:
    """The term of a small integer, as a signed number."""
    return value << TAG_BITS | INTEGER


def is_small(value: int, word: int) -> bool:
    """Whether an integer is a small one where words have so many bytes."""
    most = 1 << (_SMALL_BITS[word] - 1)
    return -most <= value < most


def immediate(operand: Operand, word: int) -> int | None:
    """The term of a constant, if it is the same in every VM; None for others, and for registers."""
    if isinstance(operand, Integer) and is_small(operand.value, word):
        return small(operand.value)
    if isinstance(operand, Atom):
        return ATOMS.get(operand.name)
    return NIL if operand == EMPTY_LIST else None


def refc_minimum(word: int) -> int:
    """Binaries of so many bytes and more are not on a process's heap (term.h, REFC_BINARY_MIN)."""
    return 8 * word


def binary_words(size: int, word: int) -> int:
    """Words of heap that a new binary takes."""
    return -(-size // word) + 1 + BINARY_HEADER if size < refc_minimum(word) else REFC_SIZE


def float_words(target: Target) -> int:
    """Words of heap that a float takes."""
    word = target.layout.word
    return 1 + max(target.float_bytes // word, 1)
