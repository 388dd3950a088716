"""DWARF expressions (DWARF 5, 2.5 and 7.7). Each function gives the bytes of one operation; join them with ``+``."""

from __future__ import annotations

from jit.object.dwarf_constants import DW_OP
from jit.object.leb128 import sleb128, uleb128
from jit.object.target import Target

_RUN = 32  # lit, reg and breg each have 32 opcodes of their own


def op(operation: DW_OP) -> bytes:
    """An operation without operands, such as ``DW_OP.deref`` or ``DW_OP.stack_value``."""
    return bytes((operation,))


def const(value: int) -> bytes:
    """Push an integer."""
    if 0 <= value < _RUN:
        return bytes((DW_OP.lit0 + value,))
    if value >= 0:
        return op(DW_OP.constu) + uleb128(value)
    return op(DW_OP.consts) + sleb128(value)


def addr(target: Target, value: int) -> bytes:
    """Push an address, or be the location of what lies there."""
    return op(DW_OP.addr) + target.address(value)


def reg(register: int) -> bytes:
    """The location "in this register"."""
    return bytes((DW_OP.reg0 + register,)) if register < _RUN else op(DW_OP.regx) + uleb128(register)


def breg(register: int, offset: int = 0) -> bytes:
    """Push a register's value plus *offset* bytes."""
    code = bytes((DW_OP.breg0 + register,)) if register < _RUN else op(DW_OP.bregx) + uleb128(register)
    return code + sleb128(offset)


def fbreg(offset: int) -> bytes:
    """Push the enclosing subprogram's frame base plus *offset* bytes."""
    return op(DW_OP.fbreg) + sleb128(offset)


def plus_uconst(addend: int) -> bytes:
    """Add an unsigned constant to the top of the stack."""
    return op(DW_OP.plus_uconst) + uleb128(addend)


def deref() -> bytes:
    """Replace the address on top of the stack by the word there."""
    return op(DW_OP.deref)


def deref_size(size: int) -> bytes:
    """Replace the address on top of the stack by the *size* bytes there, zero-extended."""
    return bytes((DW_OP.deref_size, size))


def skip(target: Target, distance: int) -> bytes:
    """Go on *distance* bytes behind this operation."""
    return op(DW_OP.skip) + target.pack("h", distance)


def branch(target: Target, distance: int) -> bytes:
    """Take the top of the stack; unless it is 0, go on *distance* bytes behind this operation."""
    return op(DW_OP.bra) + target.pack("h", distance)


def piece(size: int) -> bytes:
    """End the location of one part, of *size* bytes, of a value in several places; nothing before it: unavailable."""
    return op(DW_OP.piece) + uleb128(size)


def bit_piece(size: int, offset: int) -> bytes:
    """As ``piece``, in bits, *offset* bits into the location."""
    return op(DW_OP.bit_piece) + uleb128(size) + uleb128(offset)


def stack_value() -> bytes:
    """The value itself is on top of the stack; it lies nowhere."""
    return op(DW_OP.stack_value)


def implicit_value(value: bytes) -> bytes:
    """The value itself is these bytes, in the target's order; it lies nowhere."""
    return op(DW_OP.implicit_value) + uleb128(len(value)) + value


def entry_value(expression: bytes) -> bytes:
    """Push what *expression* gave upon entry to the subprogram."""
    return op(DW_OP.entry_value) + uleb128(len(expression)) + expression


def call_frame_cfa() -> bytes:
    """Push the canonical frame address that the call frame information gives."""
    return op(DW_OP.call_frame_cfa)
