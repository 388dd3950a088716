"""Operands that are more than a register: shifted registers (the manual's A8.4) and addresses (A8.5).

Each function gives the same object for the same arguments, so that building operands is cheap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import overload

from jit.arm32.registers import Register
from jit.codegen.processor import OperandError

SHIFT_NAMES = ("lsl", "lsr", "asr", "ror")
_LSL, _LSR, _ASR, _ROR = range(4)


@dataclass(frozen=True, slots=True)
class Shifted:
    """A register shifted by a constant, as the fields of the instruction say it."""

    rm: Register
    type: int
    imm5: int


@dataclass(frozen=True, slots=True)
class RegisterShifted:
    """A register shifted by the lowest byte of another."""

    rm: Register
    type: int
    rs: Register


#: The flexible second operand of data-processing instructions. A constant is a signed or unsigned 32-bit integer.
Operand2 = Register | Shifted | RegisterShifted | int

_shifted = cache(Shifted)
_register_shifted = cache(RegisterShifted)


@overload
def lsl(rm: Register, by: int) -> Shifted: ...
@overload
def lsl(rm: Register, by: Register) -> RegisterShifted: ...
def lsl(rm: Register, by: int | Register) -> Shifted | RegisterShifted:
    """*rm* shifted left by 0 to 31 bits."""
    return _shift(_LSL, rm, by, 0, 31)


@overload
def lsr(rm: Register, by: int) -> Shifted: ...
@overload
def lsr(rm: Register, by: Register) -> RegisterShifted: ...
def lsr(rm: Register, by: int | Register) -> Shifted | RegisterShifted:
    """*rm* shifted right by 1 to 32 bits, zeros coming in."""
    return _shift(_LSR, rm, by, 1, 32)


@overload
def asr(rm: Register, by: int) -> Shifted: ...
@overload
def asr(rm: Register, by: Register) -> RegisterShifted: ...
def asr(rm: Register, by: int | Register) -> Shifted | RegisterShifted:
    """*rm* shifted right by 1 to 32 bits, copies of the sign coming in."""
    return _shift(_ASR, rm, by, 1, 32)


@overload
def ror(rm: Register, by: int) -> Shifted: ...
@overload
def ror(rm: Register, by: Register) -> RegisterShifted: ...
def ror(rm: Register, by: int | Register) -> Shifted | RegisterShifted:
    """*rm* rotated right by 1 to 31 bits."""
    return _shift(_ROR, rm, by, 1, 31)


def rrx(rm: Register) -> Shifted:
    """*rm* shifted right by one bit, the carry flag coming in."""
    return _shifted(rm, _ROR, 0)


def _shift(type: int, rm: Register, by: int | Register, least: int, most: int) -> Shifted | RegisterShifted:
    if isinstance(by, Register):
        return _register_shifted(rm, type, by)
    if not least <= by <= most:
        raise OperandError(f"{SHIFT_NAMES[type]}: {by} bits are not {least} to {most}")
    return _shifted(rm, type, by & 31)


@dataclass(frozen=True, slots=True)
class Negative:
    """A register offset to subtract."""

    index: Register | Shifted


def minus(index: Register | Shifted) -> Negative:
    """An offset to subtract: ``at(R0, minus(R1))`` is ``[r0, -r1]``."""
    return Negative(index)


#: An offset from a base register, in bytes; the instruction says which constants and shifts fit.
Offset = int | Register | Shifted | Negative


@dataclass(frozen=True, slots=True)
class Address:
    """A place in memory, as the fields P, U, W and Rn say it, and a constant (``index`` None) or register offset."""

    rn: Register
    P: int
    U: int
    W: int
    amount: int
    index: Register | None
    type: int
    imm5: int


def at(rn: Register, offset: Offset = 0) -> Address:
    """[rn, offset]."""
    return _address(rn, offset, 1, 0)


def pre(rn: Register, offset: Offset) -> Address:
    """[rn, offset]!: *rn* becomes the sum before the access."""
    return _address(rn, offset, 1, 1)


def post(rn: Register, offset: Offset) -> Address:
    """[rn], offset: *rn* becomes the sum after the access, which is at *rn*."""
    return _address(rn, offset, 0, 0)


@cache
def _address(rn: Register, offset: Offset, p: int, w: int) -> Address:
    if isinstance(offset, int):
        return Address(rn, p, int(offset >= 0), w, abs(offset), None, 0, 0)
    add = 1
    if isinstance(offset, Negative):
        offset, add = offset.index, 0
    if isinstance(offset, Shifted):
        return Address(rn, p, add, w, 0, offset.rm, offset.type, offset.imm5)
    return Address(rn, p, add, w, 0, offset, 0, 0)


def register_list(registers: Iterable[Register]) -> int:
    """The field register_list: one bit per register."""
    mask = 0
    for register in registers:
        mask |= 1 << register.number
    return mask


def check_pair(mnemonic: str, rt: Register, rt2: Register) -> None:
    """Raise OperandError unless *rt2* is the register after *rt*, as accesses to two words want."""
    if rt2.number != rt.number + 1:
        raise OperandError(f"{mnemonic}: {rt2} is not the register after {rt}")
