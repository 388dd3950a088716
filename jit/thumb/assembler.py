"""The assembler."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache, partial
from typing import Final

from jit.arm32.registers import CORE, LR, PC, SP, Register
from jit.codegen.code_buffer import LEFT, Does
from jit.codegen.processor import (
    Called,
    Fill,
    Label,
    OperandError,
    RegisterLoaded,
    RegisterSaved,
    StackMoved,
)
from jit.thumb.buffer import PC_AHEAD, TOGETHER, Buffer, Literal, fill_distance, fill_far

_WORD: Final = 4
_MASK: Final = 0xFFFF_FFFF
_BYTE: Final = range(256)
_HALF: Final = range(1 << 16)
#: Of an instruction that uses up to eleven bits of it for what is relative to pc or sp.
_LOW: Final = 8


class Assembler(Buffer):
    """Each method appends the instruction of its name (``and_`` is and); ``finish`` gives the code.

    Those whose names end in s, and those of logical operations, change flags. A method raises OperandError, and appends
    nothing, for operands that its instruction cannot have. Registers are r0 to r7 where nothing else is said.
    """

    # Moves

    def move(self, into: Register, source: Register) -> None:
        """A register = another one, any of them; nothing if they are the same."""
        if into is not source:
            self.mov(into, source)

    def mov(self, rd: Register, rm: Register, *, restores: int | None = None) -> None:
        """rd = rm, any of them; to a debugger this may be the word that is at an offset from sp."""
        does = () if restores is None else (partial(RegisterLoaded, register=rd.number, place=restores),)
        self._half(0x4600 | (rd.number & 8) << 4 | rm.number << 3 | rd.number & 7, *does)

    def movs(self, rd: Register, number: int) -> None:
        """rd = a number of 8 bits."""
        self._half(0x2000 | _low(rd) << 8 | _within("movs", number, _BYTE))

    def mvns(self, rd: Register, rm: Register) -> None:
        """rd = the other bits than rm has."""
        self._half(_two(0x43C0, rd, rm))

    def constant(self, rd: Register, value: int) -> None:
        """rd = a number, signed or unsigned, by one or two instructions, or from memory. Flags change."""
        if not -(1 << 31) <= value <= _MASK:
            raise OperandError(f"mov: {value} does not fit 32 bits")
        value &= _MASK
        shift = (value & -value).bit_length() - 1
        if value in _BYTE:
            self.movs(rd, value)
        elif ~value & _MASK in _BYTE:
            self.movs(rd, ~value & _MASK)
            self.mvns(rd, rd)
        elif self.thumb2 and value in _HALF:
            self.movw(rd, value)
        elif self.thumb2 and (fields := modified(value)) is not None:
            self._wide(0xF04F_0000 | fields | rd.number << 8)
        elif self.thumb2 and (fields := modified(~value & _MASK)) is not None:
            self._wide(0xF06F_0000 | fields | rd.number << 8)
        elif value >> shift in _BYTE:
            self.movs(rd, value >> shift)
            self.lsls(rd, rd, shift)
        elif value < 511:
            self.movs(rd, 255)
            self.adds(rd, rd, value - 255)
        else:
            self.ldr_literal(_low(rd), Literal(value))

    def movw(self, rd: Register, number: int) -> None:
        """rd = a number of 16 bits; with *thumb2*."""
        _within("movw", number, _HALF)
        self._wide(0xF240_0000 | _wide_immediate(number) | rd.number << 8)

    def offset_of(self, rd: Register, label: Label, shift: int = 0, *, within: int = 1 << 24) -> None:
        """rd = the offset of *label* from the beginning of the code in bytes, shifted left.

        One that is not bound yet will be within so many bytes. Raises OperandError later if it is not.
        """
        if label.offset is not None:
            self.constant(rd, label.offset << shift)
        elif self.thumb2 and self.offset + within << shift in _HALF:
            word = _halves_of(0xF240_0000 | rd.number << 8)
            self._refer(struct.pack("<I", word), label, 0, _fill_movw(shift))
        else:
            self.ldr_literal(_low(rd), Literal(0, label, 0, _fill_shifted(shift)))

    def address_of(self, rd: Register, label: Label | int) -> None:
        """rd = the address of *label*, or of an offset from the beginning of the code, with what tells that it is Thumb
        code."""
        self.together(TOGETHER)
        here = self.offset + 2 + PC_AHEAD
        if isinstance(label, int):
            literal = Literal((label + 1 - here) & _MASK)
        else:
            literal = Literal(0, label, here - 1, fill_distance)
        self.ldr_literal(_low(rd), literal)
        self.add_hi(rd, PC)

    def adr(self, rd: Register, offset: int) -> None:
        """rd = the address that is so far ahead of pc, which is here the next multiple of four ahead but one."""
        self._half(0xA000 | _low(rd) << 8 | _words("adr", offset, 256))

    # Memory

    def ldr(self, rt: Register, rn: Register, offset: int = 0) -> None:
        """rt = a word of memory, at an offset from rn, which may be sp."""
        if rn is SP:
            does = partial(RegisterLoaded, register=rt.number, place=offset)
            self._half(0x9800 | _low(rt) << 8 | _words("ldr", offset, 256), does)
        elif self.thumb2 and offset in range(_WORD * 32, 1 << 12):
            self._wide(0xF8D0_0000 | _low(rn) << 16 | rt.number << 12 | offset)
        else:
            self._half(0x6800 | _words("ldr", offset, 32) << 6 | _low(rn) << 3 | _low(rt))

    def str(self, rt: Register, rn: Register, offset: int = 0) -> None:
        """That = rt."""
        if rn is SP:
            does = partial(RegisterSaved, register=rt.number, place=offset)
            self._half(0x9000 | _low(rt) << 8 | _words("str", offset, 256), does)
        elif self.thumb2 and offset in range(_WORD * 32, 1 << 12):
            self._wide(0xF8C0_0000 | _low(rn) << 16 | rt.number << 12 | offset)
        else:
            self._half(0x6000 | _words("str", offset, 32) << 6 | _low(rn) << 3 | _low(rt))

    def reaches(self, offset: int) -> bool:
        """Whether ldr and str have an offset from another register than sp."""
        return offset in range(0, _WORD * 32, _WORD) or self.thumb2 and offset in range(1 << 12)

    def ldr_at(self, rt: Register, rn: Register, rm: Register) -> None:
        """rt = the word of memory at the sum of two."""
        self._half(_three(0x5800, rt, rn, rm))

    def str_at(self, rt: Register, rn: Register, rm: Register) -> None:
        """That = rt."""
        self._half(_three(0x5000, rt, rn, rm))

    def push(self, *registers: Register) -> None:
        """Registers, of which lr may be one, to the stack; the one with the lowest number lowest."""
        bits = _listed("push", registers, LR)
        saved = (
            partial(RegisterSaved, register=one.number, place=_WORD * at) for at, one in enumerate(_sorted(registers))
        )
        self._half(0xB400 | bits, partial(StackMoved, size=_WORD * len(registers)), *saved)

    def pop(self, *registers: Register) -> None:
        """The same back, where pc, to which control goes then, may be one."""
        bits = _listed("pop", registers, PC)
        loaded = (
            partial(RegisterLoaded, register=one.number, place=_WORD * at)
            for at, one in enumerate(_sorted(registers))
            if one is not PC
        )
        does: list[Does] = [*loaded, partial(StackMoved, size=-_WORD * len(registers))]
        leaves = PC in registers
        self._half(0xBC00 | bits, *does, *([LEFT] if leaves else []))
        if leaves:
            self.branches += 1
            self._left()

    def add_sp(self, size: int) -> None:
        """sp += a number of bytes."""
        self._half(0xB000 | _words("add", size, 128), partial(StackMoved, size=-size))

    def sub_sp(self, size: int) -> None:
        """sp -= a number of bytes."""
        self._half(0xB080 | _words("sub", size, 128), partial(StackMoved, size=size))

    # Arithmetic

    def adds(self, rd: Register, rn: Register, other: Register | int) -> None:
        """rd = rn + a register, or a number of 3 bits, or of 8 where rd is rn."""
        self._sum(0x1800, 0x3000, rd, rn, other)

    def subs(self, rd: Register, rn: Register, other: Register | int) -> None:
        """rd = rn - such."""
        self._sum(0x1A00, 0x3800, rd, rn, other)

    def _sum(self, base: int, of_byte: int, rd: Register, rn: Register, other: Register | int) -> None:
        if isinstance(other, Register):
            self._half(_three(base, rd, rn, other))
        elif rd is rn:
            self._half(of_byte | _low(rd) << 8 | _within("add, sub", other, _BYTE))
        else:
            self._half(base | 0x400 | _within("add, sub", other, range(8)) << 6 | _low(rn) << 3 | _low(rd))

    def add_hi(self, rd: Register, rm: Register) -> None:
        """rd += rm, any of them; flags stay."""
        self._half(0x4400 | (rd.number & 8) << 4 | rm.number << 3 | rd.number & 7)

    def cmp(self, rn: Register, other: Register | int) -> None:
        """Flags of rn - a register, or a number of 8 bits. Registers may be any of them."""
        if isinstance(other, int):
            self._half(0x2800 | _low(rn) << 8 | _within("cmp", other, _BYTE))
        elif rn.number < _LOW and other.number < _LOW:
            self._half(_two(0x4280, rn, other))
        else:
            self._half(0x4500 | (rn.number & 8) << 4 | other.number << 3 | rn.number & 7)

    def and_(self, rd: Register, rm: Register) -> None:
        """rd = bits that both have."""
        self._half(_two(0x4000, rd, rm))

    def orr(self, rd: Register, rm: Register) -> None:
        """rd = bits that one of them has."""
        self._half(_two(0x4300, rd, rm))

    def eor(self, rd: Register, rm: Register) -> None:
        """rd = bits that only one of them has."""
        self._half(_two(0x4040, rd, rm))

    def bic(self, rd: Register, rm: Register) -> None:
        """rd = bits that it has, but not rm."""
        self._half(_two(0x4380, rd, rm))

    def tst(self, rn: Register, rm: Register) -> None:
        """Flags of the bits that both have."""
        self._half(_two(0x4200, rn, rm))

    def muls(self, rd: Register, rm: Register) -> None:
        """rd = the lower word of its product with rm."""
        self._half(_two(0x4340, rd, rm))

    def smull(self, low: Register, high: Register, rn: Register, rm: Register) -> None:
        """Both words of a product of numbers with sign; with *thumb2*, and any registers."""
        self._wide(0xFB80_0000 | rn.number << 16 | low.number << 12 | high.number << 8 | rm.number)

    def cmp_sign(self, rn: Register, rm: Register) -> None:
        """Flags of rn - 32 times the sign of rm: cmp with asr; with *thumb2*, and any registers."""
        self._wide(0xEBB0_7FE0 | rn.number << 16 | rm.number)

    def lsls(self, rd: Register, rm: Register, by: int) -> None:
        """rd = rm moved up."""
        self._half(0x0000 | _within("lsls", by, range(1, 32)) << 6 | _low(rm) << 3 | _low(rd))

    def lsrs(self, rd: Register, rm: Register, by: int) -> None:
        """rd = rm moved down, with zeros coming in."""
        self._half(0x0800 | _within("lsrs", by, range(1, 32)) << 6 | _low(rm) << 3 | _low(rd))

    def asrs(self, rd: Register, rm: Register, by: int) -> None:
        """rd = rm moved down, with the sign coming in."""
        self._half(0x1000 | _within("asrs", by, range(1, 32)) << 6 | _low(rm) << 3 | _low(rd))

    def uxth(self, rd: Register, rm: Register) -> None:
        """rd = the lower half of rm."""
        self._half(0xB280 | _low(rm) << 3 | _low(rd))

    # Branches, beside those that look for how far they reach

    def bl(self, target: Label) -> None:
        """Call *target*, within 16 MiB."""
        self.branches += 1
        self.together(4)
        self._refer(_BL, target, self.offset + PC_AHEAD, fill_far, partial(Called, target=target))

    def bx(self, rm: Register) -> None:
        """Go on at the address in a register, any of them, whose lowest bit tells that it is Thumb code."""
        self.branches += 1
        self._half(0x4700 | rm.number << 3, LEFT)
        self._left()

    def blx(self, rm: Register) -> None:
        """Call such an address."""
        self.branches += 1
        self._half(0x4780 | rm.number << 3, partial(Called, target=None))

    def udf(self) -> None:
        """What is never run."""
        self._half(0xDE00, LEFT)

    def _half(self, half: int, *does: Does) -> None:
        self._instruction(struct.pack("<H", half), *does)

    def _wide(self, word: int, *does: Does) -> None:
        """An instruction of 32 bits, of which the upper half comes first."""
        if not self.thumb2:
            raise OperandError("an instruction that ARMv6-M does not have")
        self._instruction(struct.pack("<I", _halves_of(word)), *does)


_BL: Final = struct.pack("<HH", 0xF000, 0xD000)


def _halves_of(word: int) -> int:
    """A word as memory has it."""
    return word >> 16 | (word & 0xFFFF) << 16


def _wide_immediate(number: int) -> int:
    """The fields imm4, i, imm3 and imm8 of movw in their places."""
    return (number >> 12) << 16 | (number >> 11 & 1) << 26 | (number >> 8 & 7) << 12 | number & 0xFF


@cache
def _fill_movw(shift: int) -> Fill:
    def fill(word: int, offset: int) -> int:
        if offset << shift not in _HALF:
            raise OperandError(f"movw: the offset {offset} does not fit")
        return word | _halves_of(_wide_immediate(offset << shift))

    return fill


@cache
def _fill_shifted(shift: int) -> Fill:
    return lambda _word, offset: offset << shift


def modified(value: int) -> int | None:
    """The fields i, imm3 and imm8 of a modified immediate constant in their places (DDI 0403, A5.3.2); None if *value*,
    of 32 bits, is none."""
    low = value & 0xFF
    pairs = {low: 0, low | low << 16: 1, low << 8 | low << 24: 2, low * 0x0101_0101: 3}
    high = value >> 8 & 0xFF
    if value in _BYTE:
        return value
    if value == high << 8 | high << 24:
        return 2 << 12 | high
    if value in pairs:
        return pairs[value] << 12 | low
    top = value.bit_length() - 8
    if top < 1 or value & (1 << top) - 1:
        return None
    rotation, byte = 32 - top, value >> top & 0x7F
    return (rotation >> 4) << 26 | (rotation >> 1 & 7) << 12 | (rotation & 1) << 7 | byte


def _low(register: Register) -> int:
    """The number of one of the registers that most instructions can name."""
    if register.number >= _LOW:
        raise OperandError(f"{register} is no operand here")
    return register.number


def _within(name: str, number: int, allowed: range) -> int:
    if number not in allowed:
        raise OperandError(f"{name}: {number} is not in {allowed.start}..{allowed.stop - 1}")
    return number


def _words(name: str, offset: int, count: int) -> int:
    if offset % _WORD or offset // _WORD not in range(count):
        raise OperandError(f"{name}: an offset of {offset} bytes")
    return offset // _WORD


def _two(base: int, rd: Register, rm: Register) -> int:
    return base | _low(rm) << 3 | _low(rd)


def _three(base: int, rd: Register, rn: Register, rm: Register) -> int:
    return base | _low(rm) << 6 | _low(rn) << 3 | _low(rd)


def _sorted(registers: Sequence[Register]) -> list[Register]:
    return sorted(registers, key=lambda one: one.number)


def _listed(name: str, registers: Sequence[Register], further: Register) -> int:
    """The list of registers of push and pop, of which *further* is told by a bit of its own."""
    if len(set(registers)) != len(registers) or any(one not in (*CORE[:_LOW], further) for one in registers):
        raise OperandError(f"{name}: registers that cannot be in its list")
    return sum(0x100 if one is further else 1 << one.number for one in registers)
