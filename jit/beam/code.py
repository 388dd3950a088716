"""The Code chunk: a header, then the operations of all functions (beam_asm.erl, beam_file.c, beam_load.c).

The header: its size in bytes without this word, the instruction set (0), the highest opcode that a loader must know,
one more than the highest label, the count of functions. A function begins with labels and lines, then comes
``func_info``, then the label of its entry. ``int_code_end`` is the last operation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from jit.beam.chunks import Chunk
from jit.beam.opcodes import NAMED
from jit.beam.operands import NOWHERE
from jit.beam.operation_decoder import OperationDecoder
from jit.beam.operation_encoder import OperationEncoder
from jit.beam.operations import Function, Operation, Tables
from jit.beam.terms import Atom
from jit.otp.code import MAX_ARG

#: The most bytes of code, which take up twenty times as much in memory.
LARGEST_CODE: Final = 1 << 24

_HEADER = struct.Struct(">IIIII")
_INSTRUCTION_SET = 0
_BEFORE_FUNC_INFO = ("label", "line")


@dataclass
class CodeChunk:
    """``label_count`` is one more than the highest label. ``max_opcode`` may be higher than that of any operation."""

    functions: list[Function]
    label_count: int
    max_opcode: int


def decode_code(chunk: Chunk, tables: Tables) -> CodeChunk:
    """The functions of a Code chunk. Raises BeamError."""
    data = chunk.data
    if len(data) < _HEADER.size:
        raise chunk.error(0, f"a header of {_HEADER.size} bytes expected, there are {len(data)}")
    size, instruction_set, max_opcode, label_count, function_count = _HEADER.unpack_from(data)
    if len(data) > LARGEST_CODE:
        raise chunk.error(0, f"{len(data)} bytes of code: {LARGEST_CODE} are the most that is read")
    start = 4 + size
    if not _HEADER.size <= start < len(data):
        raise chunk.error(0, f"a header of {size} bytes, which cannot be")
    if instruction_set != _INSTRUCTION_SET:
        raise chunk.error(4, f"instruction set {_INSTRUCTION_SET} expected, not {instruction_set}")
    decoder = OperationDecoder(chunk, tables, label_count)
    operations = decoder.decode(start)
    functions = _split(chunk, operations)
    if len(functions) != function_count:
        raise chunk.error(16, f"{len(functions)} functions, but the header says {function_count}")
    _check_labels(chunk, operations, decoder.labels, label_count)
    return CodeChunk(functions, label_count, max_opcode)


def _split(chunk: Chunk, operations: list[Operation]) -> list[Function]:
    infos = [index for index, operation in enumerate(operations) if operation.name == "func_info"]
    starts = [_start(operations, index) for index in infos]
    if starts[:1] != [0] and operations:
        raise chunk.error(operations[0].offset, "labels and a func_info expected at the beginning")
    functions = []
    for info, start, end in zip(infos, starts, [*starts[1:], len(operations)]):
        entry = operations[info + 1] if info + 1 < end else None
        _, name, arity = operations[info].operands
        if entry is None or entry.name != "label" or not isinstance(name, Atom):
            what = "func_info with a name expected, followed by the label of the function's entry"
            raise chunk.error(operations[info].offset, what)
        label = entry.operands[0]
        assert isinstance(arity, int)
        if arity > MAX_ARG:
            raise chunk.error(operations[info].offset, f"an arity of 0..{MAX_ARG} expected, not {arity}")
        assert isinstance(label, int)
        functions.append(Function(name.name, arity, label, _without_line_before(operations[start:end])))
    return functions


def _without_line_before(operations: list[Operation]) -> list[Operation]:
    """The operations of a function, those before its first line without that of the function before."""
    for index, operation in enumerate(operations):
        if operation.name == "line":
            break
        operations[index] = replace(operation, location=NOWHERE)
    return operations


def _start(operations: Sequence[Operation], info: int) -> int:
    start = info
    while start and operations[start - 1].name in _BEFORE_FUNC_INFO:
        start -= 1
    return start


def _check_labels(chunk: Chunk, operations: Iterable[Operation], named: Iterable[int], label_count: int) -> None:
    defined: set[object] = {0}
    for operation in operations:
        if operation.name == "label":
            label = operation.operands[0]
            if label in defined or not isinstance(label, int) or label >= label_count:
                what = f"label {label} a second time, or not of 1..{label_count - 1}"
                raise chunk.error(operation.offset, what, operation="label")
            defined.add(label)
    if missing := sorted(set(named) - defined):
        raise chunk.error(None, f"label {missing[0]} is named but not there")


def encode_code(code: CodeChunk, encoder: OperationEncoder) -> bytes:
    """The data of a Code chunk. The header's counts are raised where the functions go beyond them."""
    operations = [operation for function in code.functions for operation in function.operations]
    labels = [label for operation in operations if operation.name == "label" for label in operation.operands]
    label_count = max([code.label_count, *(label + 1 for label in labels if isinstance(label, int))])
    body = b"".join(map(encoder.encode, operations))
    max_opcode = max(code.max_opcode, encoder.max_opcode)
    header = _HEADER.pack(_HEADER.size - 4, _INSTRUCTION_SET, max_opcode, label_count, len(code.functions))
    return header + body + bytes((NAMED["int_code_end"].number,))
