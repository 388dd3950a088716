"""Operands of loaded instructions: what the words after an operation's own mean.

Each letter of an operation's signature stands for an operand, which `packing` takes out of its word. A table may
follow, whose length and form depend on the operation. All this is as the loader writes it (`beam_load_emit_op` in
emu/emu_load.c) and `erts_debug:disassemble/1` reads it (`print_op` in beam_debug.c; OTP 25 to 29).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from beamgdb.interpreter.instructions import LoadedInstruction
from beamgdb.interpreter.operations import Operation, Unsupported
from jit.otp.tags import ARITY_SHIFT, IMMED1_BITS, IMMED1_MASK, IMMED2_BITS, NIL, PID, PORT

FLOAT = 8
"""Bytes of a float register."""


class OperandKind(Enum):
    """What an operand is, and what its value says."""

    X = "the number of an x register"
    Y = "the number of a y register"
    FLOAT = "the number of a float register"
    TERM = "a term"
    LABEL = "the address of an instruction"
    NO_LABEL = "nowhere to go: a failure raises an exception"
    CATCH = "the index of a catch, which leads to the address of a handler"
    NUMBER = "a number, or the address of C data"
    EXPORT = "the address of an export entry"
    BIF = "the address of a C function"
    FUN = "the address of a fun entry"


class Operand(NamedTuple):
    """An operand of an instruction."""

    kind: OperandKind
    value: int


class Decoded(NamedTuple):
    """An instruction: the name of its operation without the signature, its operands, and those of its table. Each
    letter of the signature is for an operand."""

    address: int
    name: str
    signature: str
    operands: tuple[Operand, ...]
    table: tuple[Operand, ...]
    end: int
    """Address of what follows."""


def decode(instruction: LoadedInstruction) -> Decoded:
    """An instruction's operands. Raises `Unsupported` for one that has operands of an unknown kind."""
    operation, table = instruction.operation, instruction.table
    base = Base(instruction.address + instruction.size * operation.adjust, instruction.size)
    name = generic_name(operation)
    # Catches are labels by their definition; the indices are put in when the code is taken into use.
    signature = "yC" if operation.name == "catch_yf" else operation.signature
    operands = tuple(_operands(signature, instruction.operands, base))
    letters = _table_letters(name, table)
    if len(letters) != len(table):
        raise Unsupported(f"the table of an instruction {operation.name} has {len(table)} words")
    elements = tuple(_operands(letters, table, base))
    end = instruction.address + instruction.size * len(instruction.words)
    return Decoded(instruction.address, name, operation.signature, operands, elements, end)


def generic_name(operation: Operation) -> str:
    """The name without the signature, as in `move` for `move_xy`."""
    return operation.name.removesuffix("_" + operation.signature) if operation.signature else operation.name


# -- words -------------------------------------------------------------------------------------------------------------


class Base(NamedTuple):
    """What labels are relative to, and the bytes of a word."""

    address: int
    word: int


_X0, _NIL = Operand(OperandKind.X, 0), Operand(OperandKind.TERM, NIL)

_WITHOUT_WORD = {"r": _X0, "n": _NIL}
"""Operands that the operation itself stands for."""


def _operands(letters: str, words: Sequence[int], base: Base) -> Iterator[Operand]:
    """Operands by the letters of a signature."""
    at = 0
    for letter in letters:
        if letter in _WITHOUT_WORD:
            yield _WITHOUT_WORD[letter]
            continue
        rule = _LETTERS.get(letter)
        if rule is None or at >= len(words):
            raise Unsupported(f"an operand of the kind {letter} is not known, or missing")
        yield rule(words[at], base)
        at += 1


def _label(word: int, base: Base) -> Operand:
    """A distance in words, of 32 bits and signed."""
    distance = (word & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
    return Operand(OperandKind.LABEL, base.address + base.word * distance & (1 << 8 * base.word) - 1)


def _source(word: int, _: Base) -> Operand:
    """A register or a term. Registers are tagged as pids and ports are, which are never part of code."""
    if word & IMMED1_MASK == PID:
        return Operand(OperandKind.X, word >> IMMED1_BITS)
    if word & IMMED1_MASK == PORT:
        return Operand(OperandKind.Y, (word >> IMMED1_BITS) - 1)
    return Operand(OperandKind.TERM, word)


def _register(word: int, base: Base) -> Operand:
    """An x register's offset from x0, or with the lowest bit set a y register's from the Erlang stack pointer."""
    number = word // base.word
    return Operand(OperandKind.Y, number - 1) if word & 1 else Operand(OperandKind.X, number)


def _plain(kind: OperandKind) -> Callable[[int, Base], Operand]:
    return lambda word, _: Operand(kind, word)


def _slots(word: int, base: Base) -> Operand:
    """A number of words, of which the operand counts one more: the word of the return address or of a tuple's arity."""
    return Operand(OperandKind.NUMBER, word // base.word - 1)


_LETTERS: dict[str, Callable[[int, Base], Operand]] = {
    "x": lambda word, base: Operand(OperandKind.X, word // base.word),
    "y": lambda word, base: Operand(OperandKind.Y, word // base.word - 1),
    "l": lambda word, _: Operand(OperandKind.FLOAT, word // FLOAT),
    "d": _register,
    "S": _register,
    "s": _source,
    **dict.fromkeys("aciq", _plain(OperandKind.TERM)),
    **dict.fromkeys("tIW", _plain(OperandKind.NUMBER)),
    "A": lambda word, _: Operand(OperandKind.NUMBER, word >> ARITY_SHIFT),
    "P": _slots,
    "Q": _slots,
    "f": _label,
    "j": lambda word, base: _label(word, base) if word else Operand(OperandKind.NO_LABEL, 0),
    "C": lambda word, _: Operand(OperandKind.CATCH, word >> IMMED2_BITS),
    "e": _plain(OperandKind.EXPORT),
    "b": _plain(OperandKind.BIF),
    "F": _plain(OperandKind.FUN),
}
"""How to read an operand's word, by the letter in the signature; also given what labels are relative to."""


# -- tables ------------------------------------------------------------------------------------------------------------

PRIVATE_APPEND, _STRING = 1, 9
"""Kinds of segments of `i_bs_create_bin` (`BSC_PRIVATE_APPEND`, `BSC_STRING`; erl_bits.h)."""

SEGMENT = 5
"""Operands of a segment: its kind, unit, flags, source and size (`BSC_NUM_ARGS`)."""

_FIXED_SIZE = frozenset((3, 6, 8, _STRING, 12))
"""Kinds of segments whose size is a number (`BSC_BINARY_FIXED_SIZE`, `BSC_FLOAT_FIXED_SIZE`,
`BSC_INTEGER_FIXED_SIZE`, `BSC_STRING`, `BSC_UTF32`)."""


def _segments(words: Sequence[int]) -> str:
    kinds = words[::SEGMENT]
    return "".join(f"WWW{'W' if kind == _STRING else 's'}{'W' if kind in _FIXED_SIZE else 's'}" for kind in kinds)


def _halves(letter: str) -> Callable[[Sequence[int]], str]:
    """Values to compare with, and then as many labels."""
    return lambda words: letter * (len(words) // 2) + "f" * (len(words) - len(words) // 2)


def _labels(words: Sequence[int]) -> str:
    return "f" * len(words)


def _sources(words: Sequence[int]) -> str:
    return "s" * len(words)


_TABLES: dict[str, Callable[[Sequence[int]], str]] = {
    "i_select_val_lins": _halves("c"),
    "i_select_val_bins": _halves("c"),
    "i_select_tuple_arity": _halves("W"),
    "i_select_val2": _labels,
    "i_select_tuple_arity2": _labels,
    "i_jump_on_val": _labels,
    "i_jump_on_val_zero": _labels,
    "put_tuple2": _sources,
    "new_map": _sources,
    "i_new_small_map_lit": _sources,
    "update_map_assoc": _sources,
    "update_map_exact": _sources,
    "i_make_fun3": _sources,
    # A key, the register for its value, and the key's hash.
    "i_get_map_elements": lambda words: "csW" * (len(words) // 3),
    # A name, and the register for its value, or the value.
    "i_get_record_elements": lambda words: "cs" * (len(words) // 2),
    "i_create_local_native_record": lambda words: "cs" * (len(words) // 2),
    "i_create_native_record": lambda words: "cs" * (len(words) // 2),
    "i_update_native_record": lambda words: "cs" * (len(words) // 2),
    "i_bs_create_bin": _segments,
}
"""The letters of operands in the table of an operation, by its generic name."""


def _table_letters(name: str, words: Sequence[int]) -> str:
    rule = _TABLES.get(name)
    return rule(words) if rule else ""
