"""Loaded bytecode of the interpreter as text, operands by what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from beamgdb.code.module import Range
from beamgdb.interpreter import bytecode, instructions
from beamgdb.interpreter.bytecode import Decoded, Operand, OperandKind
from beamgdb.interpreter.instructions import LoadedInstruction
from beamgdb.interpreter.operations import Unsupported
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.vm.calls import mfa
from jit.otp.code import MAX_ARG
from jit.otp.tags import ATOM, IMMED2_MASK


@dataclass(frozen=True)
class Naming:
    """Texts of what operands refer to: a term, and an address of C code, None where that has no name."""

    term: Callable[[int], str]
    c_function: Callable[[int], str | None]


NEXT_FUNCTION = "i_func_info_"
"""The operation before the code of each function."""


def of_function(node: Node, code: Range, naming: Naming) -> Iterator[tuple[int, str]]:
    """Address and text of each instruction. Raises `Unsupported`, `Unreadable`."""
    start = node.code.bytecode_start(code)
    if start != code.start:
        yield code.start, f"call_nif: goes on natively at {node.code.goes_on(code.start):#x}"
    for one in instructions.of_function(node.memory, node.process_main.operations, start, code.stop):
        if one.operation.name.startswith(NEXT_FUNCTION):
            # What follows only stands for places in native code.
            return
        yield one.address, _text(node, code, one, naming)


def _text(node: Node, code: Range, one: LoadedInstruction, naming: Naming) -> str:
    try:
        decoded = bytecode.decode(one)
    except Unsupported:
        return " ".join((one.operation.name, *(f"{word:#x}" for word in one.words[1:])))
    operands = [_operand(node, code, operand, naming) for operand in decoded.operands]
    table = [_operand(node, code, operand, naming) for operand in decoded.table]
    return _joined(decoded, operands, table)


def _joined(decoded: Decoded, operands: list[str], table: list[str]) -> str:
    text = f"{decoded.name} {', '.join(operands)}".strip()
    return f"{text} [{', '.join(table)}]" if table else text


def _operand(node: Node, code: Range, operand: Operand, naming: Naming) -> str:
    kind, value = operand
    if kind in (OperandKind.X, OperandKind.Y, OperandKind.FLOAT):
        return f"{kind.name[0].lower()}{value}"
    if kind is OperandKind.TERM:
        return naming.term(value)
    if kind is OperandKind.LABEL:
        return _place(node, code, value)
    if kind is OperandKind.CATCH:
        handler = node.catch_handler(value)
        return _place(node, code, handler) if handler is not None else f"catch {value}"
    if kind is OperandKind.EXPORT:
        return _export(node, value)
    if kind is OperandKind.BIF:
        return naming.c_function(value) or f"{value:#x}"
    return "no label" if kind is OperandKind.NO_LABEL else _number(value, naming)


def _number(value: int, naming: Naming) -> str:
    """A number, or the address of C data."""
    return str(value) if value < 1 << 16 else naming.c_function(value) or f"{value:#x}"


def _place(node: Node, code: Range, address: int) -> str:
    if code.start <= address < code.stop:
        return f"<+{address - code.start}>"
    return node.describe(address) or f"{address:#x}"


def _export(node: Node, address: int) -> str:
    return export_name(node, address) or f"{address:#x}"


def export_name(node: Node, address: int) -> str | None:
    """`module:function/arity` of an export entry, None where there is none."""
    if address % node.memory.word_size:
        return None
    try:
        export = node.record("Export", address)
        module, name, arity = (export[f"info.mfa.{part}"] for part in ("module", "function", "arity"))
    except (Unreadable, KeyError):
        return None
    is_one = module & IMMED2_MASK == name & IMMED2_MASK == ATOM and arity <= MAX_ARG
    return mfa(node, module, name, arity) if is_one else None
