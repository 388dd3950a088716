"""Loaded bytecode as instructions: where each begins, and whom those call that call.

What an operation's operands are, `opc` tells; that some are followed by a table does not stand there (`print_op` in
beam_debug.c, and the `$Next` of their definitions in emu/*.tab). This is for words of 32 bits: on 64 bits operands are
packed otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from beamgdb.interpreter.operations import Operation, Unsupported
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

class LoadedInstruction(NamedTuple):
    """An instruction: its address, operation, and all of its words, the operation's first."""

    address: int
    operation: Operation
    words: tuple[int, ...]


def of_function(
    memory: CachedMemory, operations: Iterable[Operation], start: int, stop: int
) -> tuple[LoadedInstruction, ...]:
    """The instructions of a function's code, from its first to its last. Raises `Unsupported`, `Unreadable`."""
    if memory.word_size != 4:
        raise Unsupported("bytecode is read as instructions on 32 bits only")
    by_handler = {operation.handler: operation for operation in operations}
    return tuple(_each(memory, by_handler, start, stop))


def _each(memory: CachedMemory, by_handler: dict[int, Operation], start: int, stop: int) -> Iterator[LoadedInstruction]:
    at = start
    for _ in range(MAX_INSTRUCTIONS):
        if at == stop:
            return
        operation = by_handler.get(memory.word(at))
        if operation is None or at > stop:
            break
        fixed = memory.words(at, operation.words)
        count = operation.words + _table(memory, operation, fixed)
        if operation.name.startswith(FUN) and memory.word(at + count * memory.word_size) not in by_handler:
            count += 1
        yield LoadedInstruction(at, operation, memory.words(at, count))
        if operation.name.startswith(NATIVE):
            return
        at += count * memory.word_size
    raise Unsupported(f"there is no instruction at {at:#x}, in the function that begins at {start:#x}")


def _table(memory: CachedMemory, operation: Operation, words: tuple[int, ...]) -> int:
    """Words of the table after an instruction."""
    rule = next((rule for pattern, rule in _TABLES if pattern.fullmatch(operation.name)), None)
    count = rule(memory, words) if rule else 0
    if count > MAX_TABLE:
        raise Unsupported(f"the table of an instruction {operation.name} has {count} words")
    return count


_Rule = Callable[[CachedMemory, tuple[int, ...]], int]


def _keys(memory: CachedMemory, words: tuple[int, ...]) -> int:
    """As many as the tuple has elements that is the last operand."""
    return memory.word(words[-1] & ~PRIMARY_MASK) >> ARITY_SHIFT


_TABLES: tuple[tuple[re.Pattern[str], _Rule], ...] = (
    (re.compile(r"i_select_val_(lins|bins)_.*|i_select_tuple_arity_.*"), lambda _, words: 2 * words[-1]),
    (re.compile(r"i_select_val2_.*|i_select_tuple_arity2_.*"), lambda *_: 2),
    (re.compile(r"i_jump_on_val_zero_.*"), lambda _, words: words[-1]),
    (re.compile(r"i_jump_on_val_(?!zero).*"), lambda _, words: words[-2]),
    (re.compile(r"(put_tuple2|new_map|update_map_assoc|update_map_exact)_.*"), lambda _, words: words[-1]),
    (re.compile(r"(i_get_map_elements|i_make_fun3|i_bs_create_bin)_.*"), lambda _, words: words[-1]),
    (re.compile(r"i_(get_record_elements|(create(_local)?|update)_native_record)_.*"), lambda _, words: words[-1]),
    (re.compile(r"i_new_small_map_lit_.*"), _keys),
)
"""Operations by name, and how many words follow their operands."""
