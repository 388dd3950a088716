"""Loaded bytecode as instructions: where each begins, and whom those call that call.

What an operation's operands are, `opc` tells; that some are followed by a table does not stand there (`print_op` in
beam_debug.c, and the `$Next` of their definitions in emu/*.tab). On 64 bits two labels at the end of a table share a
word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from beamgdb.interpreter.operations import Operation, Unsupported
from beamgdb.interpreter.packing import HALF, unpacked
from beamgdb.memory import CachedMemory
from jit.otp.tags import ARITY_SHIFT, PRIMARY_MASK

MAX_TABLE = 1 << 16
"""Words of an instruction's table at most."""

MAX_INSTRUCTIONS = 1 << 20
"""Instructions of a function at most."""

FUN = "i_make_fun3"
"""Makes a fun. In OTP 27 a literal, the reference to the fun's entry, follows its free variables."""

NATIVE = ("call_nif", "call_bif", "call_error_handler")
"""The first and last instruction of a function that is no Erlang code: what is left of others means nothing."""

_TAG_BITS = {4: PRIMARY_MASK, 8: 7}
"""Lowest bits of a pointer that are none of the address, by the bytes of a word."""


class LoadedInstruction(NamedTuple):
    """An instruction: its address, operation, and all of its words, the operation's first; the bytes of a word, and how
    many labels its table ends with that are half a word each."""

    address: int
    operation: Operation
    words: tuple[int, ...]
    size: int = 4
    labels: int = 0

    @property
    def operands(self) -> list[int]:
        """A word for each operand. Raises `Unsupported`."""
        return unpacked(self.operation, self.words[: self.operation.words], self.size)

    @property
    def table(self) -> tuple[int, ...]:
        """What follows the operands, a number for each element."""
        rest = self.words[self.operation.words :]
        if not self.labels:
            return rest
        plain = len(rest) - (self.labels + 1) // 2
        halves = (word >> shift & (1 << HALF) - 1 for word in rest[plain:] for shift in (0, HALF))
        return (*rest[:plain], *halves)[: plain + self.labels]


def of_function(
    memory: CachedMemory, operations: Iterable[Operation], start: int, stop: int
) -> tuple[LoadedInstruction, ...]:
    """The instructions of a function's code, from its first to its last. Raises `Unsupported`, `Unreadable`."""
    by_handler = {operation.handler: operation for operation in operations}
    return tuple(_each(memory, by_handler, start, stop))


def _each(memory: CachedMemory, by_handler: dict[int, Operation], start: int, stop: int) -> Iterator[LoadedInstruction]:
    at, size = start, memory.word_size
    for _ in range(MAX_INSTRUCTIONS):
        if at == stop:
            return
        operation = _operation(memory, by_handler, at)
        if operation is None or at > stop:
            break
        values, labels = _table(memory, operation, memory.words(at, operation.words))
        halves = labels if size > 4 else 0
        count = operation.words + values + ((halves + 1) // 2 if halves else labels)
        if operation.name.startswith(FUN) and _operation(memory, by_handler, at + count * size) is None:
            count += 1
        yield LoadedInstruction(at, operation, memory.words(at, count), size, halves)
        if operation.name.startswith(NATIVE):
            return
        at += count * size
    raise Unsupported(f"there is no instruction at {at:#x}, in the function that begins at {start:#x}")


def _operation(memory: CachedMemory, by_handler: dict[int, Operation], at: int) -> Operation | None:
    """That of the instruction at an address, None where there is none. Where handlers have addresses of 32 bits, the
    upper half of a word may hold operands."""
    word = memory.word(at)
    return by_handler.get(word) or by_handler.get(word & (1 << HALF) - 1)


def _table(memory: CachedMemory, operation: Operation, words: tuple[int, ...]) -> _Counts:
    """What an instruction's table consists of."""
    rule = next((rule for pattern, rule in _TABLES if pattern.fullmatch(operation.name)), None)
    if rule is None:
        return 0, 0
    values, labels = rule(memory, unpacked(operation, words, memory.word_size))
    if values + labels > MAX_TABLE:
        raise Unsupported(f"the table of an instruction {operation.name} has {values + labels} words")
    return values, labels


_Counts = tuple[int, int]
"""Values, and labels behind them."""

_Rule = Callable[[CachedMemory, Sequence[int]], _Counts]


def _keys(memory: CachedMemory, operands: Sequence[int]) -> _Counts:
    """As many as the tuple has elements that is the last operand."""
    return memory.word(operands[-1] & ~_TAG_BITS[memory.word_size]) >> ARITY_SHIFT, 0


_TABLES: tuple[tuple[re.Pattern[str], _Rule], ...] = (
    (
        re.compile(r"i_select_val_(lins|bins)_.*|i_select_tuple_arity_.*"),
        lambda _, operands: (operands[-1], operands[-1]),
    ),
    (re.compile(r"i_select_val2_.*|i_select_tuple_arity2_.*"), lambda *_: (0, 2)),
    (re.compile(r"i_jump_on_val_zero_.*"), lambda _, operands: (0, operands[-1])),
    (re.compile(r"i_jump_on_val_(?!zero).*"), lambda _, operands: (0, operands[-2])),
    (re.compile(r"(put_tuple2|new_map|update_map_assoc|update_map_exact)_.*"), lambda _, operands: (operands[-1], 0)),
    (re.compile(r"(i_get_map_elements|i_make_fun3|i_bs_create_bin)_.*"), lambda _, operands: (operands[-1], 0)),
    (
        re.compile(r"i_(get_record_elements|(create(_local)?|update)_native_record)_.*"),
        lambda _, operands: (operands[-1], 0),
    ),
    (re.compile(r"i_new_small_map_lit_.*"), _keys),
)
"""Operations by name, and what follows their operands."""
