"""The assembler: instructions of 64 bits, but where 32 are asked for, which clear the upper half."""

from __future__ import annotations

import struct
from functools import partial
from typing import Final

from jit.aarch64.operands import LR, SP, Condition, Register, Shifted, bitmask
from jit.codegen.code_buffer import LEFT, CodeBuffer, Does
from jit.codegen.processor import (
    Called,
    Jumped,
    Label,
    OperandError,
    RegisterLoaded,
    RegisterSaved,
    StackMoved,
)

_WORD: Final = 8
#: The register whose value is 0.
_ZERO: Final = 31
_HALF: Final = 0xFFFF
_MASK: Final = (1 << 64) - 1

# Instructions of 64 bits on registers; what changes in them where one operand is a number; and the bit of their size.
_ADD, _SUB, _ADDS, _SUBS = 0x8B00_0000, 0xCB00_0000, 0xAB00_0000, 0xEB00_0000
_AND, _ORR, _EOR, _ANDS = 0x8A00_0000, 0xAA00_0000, 0xCA00_0000, 0xEA00_0000
_SUM_OF_NUMBER: Final = 0x8B00_0000 ^ 0x9100_0000
_LOGIC_OF_NUMBER: Final = 0x8A00_0000 ^ 0x9200_0000
_WIDE: Final = 1 << 31

#: The last operand of a sum or of a logical instruction.
Operand = Register | Shifted | int


class Assembler(CodeBuffer):
    """Each method appends the instruction of its name (``and_`` is and); ``finish`` gives the code.

    A method raises OperandError, and appends nothing, for operands that its instruction cannot have; that of a branch
    does so later if its label is bound too far away.
    """

    def data(self, content: bytes) -> None:
        """Bytes, behind all instructions, filled up to whole words with zeros."""
        super().data(content + bytes(-len(content) % 4))

    # Moves

    def move(self, into: Register, source: Register) -> None:
        """A register = another one; nothing if they are the same."""
        if into is not source:
            self.mov(into, source)

    def mov(self, rd: Register, rm: Register) -> None:
        """rd = rm."""
        self._word(_fields(_ORR, rd.number, _ZERO, _core(rm)))

    def constant(self, rd: Register, value: int) -> None:
        """rd = a number, signed or unsigned: movz or movn, and movk for each half that is still wrong; or orr."""
        if not -(1 << 63) <= value <= _MASK:
            raise OperandError(f"mov: {value} does not fit 64 bits")
        halves = [value >> 16 * at & _HALF for at in range(4)]
        rest = _HALF if halves.count(_HALF) > halves.count(0) else 0
        wrong = [at for at in range(4) if halves[at] != rest] or [0]
        fields = bitmask(value) if len(wrong) > 1 else None
        if fields is not None:
            self._word(_fields(_ORR ^ _LOGIC_OF_NUMBER, _core(rd), _ZERO) | fields)
            return
        first, *others = wrong
        base = 0x9280_0000 if rest else 0xD280_0000
        self._word(base | first << 21 | (halves[first] ^ rest) << 5 | _core(rd))
        for at in others:
            self._word(0xF280_0000 | at << 21 | halves[at] << 5 | _core(rd))

    def offset_of(self, rd: Register, label: Label, shift: int = 0, *, within: int = 1 << 24) -> None:
        """rd = the offset of *label* from the beginning of the code in bytes, shifted left: movz, and movk if need be.

        One that is not bound yet will be within so many bytes. Raises OperandError later if it is not.
        """
        farthest = self.offset + within if label.offset is None else label.offset
        halves = 1 if farthest << shift <= _HALF else 2

        def fill(half: int, word: int, offset: int) -> int:
            if offset << shift >= 1 << 16 * halves:
                raise OperandError(f"mov: the offset {offset} does not fit")
            return word | (offset << shift >> 16 * half & _HALF) << 5

        for half in range(halves):
            base = (0xF280_0000 if half else 0xD280_0000) | half << 21 | _core(rd)
            self._emit_referring(_bytes(base), label, 0, partial(fill, half))

    def adr(self, rd: Register, label: Label) -> None:
        """rd = the address of *label*, which is within 1 MiB."""

        def fill(word: int, distance: int) -> int:
            if distance not in range(-1 << 20, 1 << 20):
                raise OperandError(f"adr: a distance of {distance} bytes")
            return word | (distance & 3) << 29 | (distance >> 2 & 0x7_FFFF) << 5

        self._emit_referring(_bytes(0x1000_0000 | _core(rd)), label, self.offset, fill)

    # Memory

    def ldr(self, rt: Register, rn: Register, offset: int = 0, *, wide: bool = True) -> None:
        """rt = a word of memory, at an offset from rn; or 32 bits of it."""
        self._access(0xF940_0000 if wide else 0xB940_0000, rt, rn, offset, _WORD if wide else 4)

    def str(self, rt: Register, rn: Register, offset: int = 0, *, wide: bool = True) -> None:
        """That = rt."""
        self._access(0xF900_0000 if wide else 0xB900_0000, rt, rn, offset, _WORD if wide else 4)

    def _access(self, base: int, rt: Register, rn: Register, offset: int, size: int) -> None:
        if offset % size == 0 and offset // size in range(1 << 12):
            self._word(_fields(base, _core(rt), rn.number) | offset // size << 10)
        elif offset in range(-256, 256):
            self._word(_fields(base & ~(1 << 24), _core(rt), rn.number) | (offset & 0x1FF) << 12)
        else:
            raise OperandError(f"ldr, str: an offset of {offset} bytes")

    def ldr_at(self, rt: Register, rn: Register, rm: Register) -> None:
        """rt = the word of memory at rn + 8 * rm."""
        self._word(_fields(0xF860_7800, _core(rt), rn.number, _core(rm)))

    def str_at(self, rt: Register, rn: Register, rm: Register) -> None:
        """That = rt."""
        self._word(_fields(0xF820_7800, _core(rt), rn.number, _core(rm)))

    def stp(self, one: Register, other: Register, place: int) -> None:
        """Two words at an offset from sp = registers."""
        events = (_saved(one, place), _saved(other, place + _WORD))
        self._pair(0xA900_0000, one, other, place, *events)

    def ldp(self, one: Register, other: Register, place: int) -> None:
        """Registers = these words."""
        events = (_loaded(one, place), _loaded(other, place + _WORD))
        self._pair(0xA940_0000, one, other, place, *events)

    def push(self, one: Register, other: Register, size: int = 2 * _WORD) -> None:
        """sp -= *size*, and two words there = registers: stp."""
        events = (partial(StackMoved, size=size), _saved(one, 0), _saved(other, _WORD))
        self._pair(0xA980_0000, one, other, -size, *events)

    def pop(self, one: Register, other: Register, size: int = 2 * _WORD) -> None:
        """Registers = the two words at sp, and sp += *size*: ldp."""
        events = (_loaded(one, 0), _loaded(other, _WORD), partial(StackMoved, size=-size))
        self._pair(0xA8C0_0000, one, other, size, *events)

    def _pair(self, base: int, one: Register, other: Register, offset: int, *does: Does) -> None:
        if offset % _WORD or offset // _WORD not in range(-64, 64):
            raise OperandError(f"ldp, stp: an offset of {offset} bytes")
        fields = _fields(base, _core(one), SP.number) | _core(other) << 10
        self._word(fields | (offset // _WORD & 0x7F) << 15, *does)

    # Arithmetic

    def add(self, rd: Register, rn: Register, other: Operand) -> None:
        """rd = rn + a register, which may be shifted, or a number of 12 bits, or such a one above 12 zeros."""
        self._sum(_ADD, rd, rn, other)

    def sub(self, rd: Register, rn: Register, other: Operand) -> None:
        """rd = rn - such."""
        self._sum(_SUB, rd, rn, other)

    def adds(self, rd: Register, rn: Register, other: Operand) -> None:
        """rd = rn + such, with flags."""
        self._sum(_ADDS, rd, rn, other)

    def subs(self, rd: Register, rn: Register, other: Operand) -> None:
        """rd = rn - such, with flags."""
        self._sum(_SUBS, rd, rn, other)

    def subs32(self, rd: Register, rn: Register, other: Operand) -> None:
        """The same of the lower halves."""
        self._sum(_SUBS & ~_WIDE, rd, rn, other)

    def cmp(self, rn: Register, other: Operand) -> None:
        """Flags of rn - such."""
        self._sum(_SUBS, _ZERO, rn, other)

    def cmn(self, rn: Register, other: Operand) -> None:
        """Flags of rn + such."""
        self._sum(_ADDS, _ZERO, rn, other)

    def _sum(self, base: int, rd: Register | int, rn: Register, other: Operand) -> None:
        into = rd if isinstance(rd, int) else _core(rd)
        if isinstance(other, int):
            if other not in range(1 << 12) and (other & 0xFFF or other not in range(1 << 24)):
                raise OperandError(f"add, sub: {other} is no number of 12 bits")
            number = other << 10 if other < 1 << 12 else 1 << 22 | other >> 12 << 10
            self._word(_fields(base ^ _SUM_OF_NUMBER, into, _core(rn)) | number)
        else:
            self._word(_fields(base, into, _core(rn)) | _shifted(other))

    def and_(self, rd: Register, rn: Register, other: Operand) -> None:
        """rd = bits that rn has, and a register, which may be shifted, or a number that ``bitmask`` knows."""
        self._logical(_AND, _core(rd), rn, other)

    def orr(self, rd: Register, rn: Register, other: Operand) -> None:
        """Bits that one of them has."""
        self._logical(_ORR, _core(rd), rn, other)

    def eor(self, rd: Register, rn: Register, other: Operand) -> None:
        """Bits that only one of them has."""
        self._logical(_EOR, _core(rd), rn, other)

    def tst(self, rn: Register, other: Operand) -> None:
        """Flags of the bits that both have."""
        self._logical(_ANDS, _ZERO, rn, other)

    def _logical(self, base: int, rd: int, rn: Register, other: Operand) -> None:
        if isinstance(other, int):
            fields = bitmask(other)
            if fields is None:
                raise OperandError(f"and, orr, eor: {other} is no bit mask")
            self._word(_fields(base ^ _LOGIC_OF_NUMBER, rd, _core(rn)) | fields)
        else:
            self._word(_fields(base, rd, _core(rn)) | _shifted(other))

    def lsl(self, rd: Register, rn: Register, by: int) -> None:
        """rd = rn moved up."""
        self._bit_field(0xD340_0000, rd, rn, -by % 64, 63 - by)

    def lsr(self, rd: Register, rn: Register, by: int) -> None:
        """rd = rn moved down, with zeros coming in."""
        self._bit_field(0xD340_0000, rd, rn, by, 63)

    def asr(self, rd: Register, rn: Register, by: int) -> None:
        """rd = rn moved down, with the sign coming in."""
        self._bit_field(0x9340_0000, rd, rn, by, 63)

    def sxtw(self, rd: Register, rn: Register) -> None:
        """rd = the lower half of rn, with its sign."""
        self._bit_field(0x9340_0000, rd, rn, 0, 31)

    def uxtb(self, rd: Register, rn: Register) -> None:
        """rd = the lowest byte of rn."""
        self._bit_field(0x5300_0000, rd, rn, 0, 7)

    def _bit_field(self, base: int, rd: Register, rn: Register, immr: int, imms: int) -> None:
        if immr not in range(64) or imms not in range(64):
            raise OperandError("a shift by more than there are bits")
        self._word(_fields(base, _core(rd), _core(rn), immr) | imms << 10)

    def mul(self, rd: Register, rn: Register, rm: Register) -> None:
        """rd = the lower word of a product."""
        self._word(_fields(0x9B00_7C00, _core(rd), _core(rn), _core(rm)))

    def smulh(self, rd: Register, rn: Register, rm: Register) -> None:
        """rd = the upper word of a product of numbers with sign."""
        self._word(_fields(0x9B40_7C00, _core(rd), _core(rn), _core(rm)))

    # Branches

    def jump(self, target: Label) -> None:
        """Go on at *target*, within 128 MiB: b."""
        self._branch(0x1400_0000, target, 26, 0, partial(Jumped, target=target, always=True))

    def jump_if(self, condition: Condition, target: Label) -> None:
        """Go on at *target*, within 1 MiB, if flags tell so: b.cond."""
        does = partial(Jumped, target=target, always=False)
        self._branch(0x5400_0000 | condition.value, target, 19, 5, does)

    def cbz(self, rt: Register, target: Label) -> None:
        """Go on at *target*, within 1 MiB, if a register is 0."""
        does = partial(Jumped, target=target, always=False)
        self._branch(0xB400_0000 | _core(rt), target, 19, 5, does)

    def cbnz(self, rt: Register, target: Label) -> None:
        """The same if it is not."""
        does = partial(Jumped, target=target, always=False)
        self._branch(0xB500_0000 | _core(rt), target, 19, 5, does)

    def bl(self, target: Label) -> None:
        """Call *target*, within 128 MiB."""
        self._branch(0x9400_0000, target, 26, 0, partial(Called, target=target))

    def _branch(self, base: int, target: Label, bits: int, at: int, does: Does) -> None:
        def fill(word: int, distance: int) -> int:
            if distance >> 2 not in range(-1 << bits - 1, 1 << bits - 1):
                raise OperandError(f"b: a distance of {distance} bytes")
            return word | (distance >> 2 & (1 << bits) - 1) << at

        self.branches += 1
        self._emit_referring(_bytes(base), target, self.offset, fill, does)

    def br(self, rn: Register) -> None:
        """Go on at the address in a register."""
        self.branches += 1
        self._word(_fields(0xD61F_0000, 0, _core(rn)), LEFT)

    def blr(self, rn: Register) -> None:
        """Call the address in a register."""
        self.branches += 1
        self._word(_fields(0xD63F_0000, 0, _core(rn)), partial(Called, target=None))

    def ret(self) -> None:
        """Return to the address in x30."""
        self._word(_fields(0xD65F_0000, 0, LR.number), LEFT)

    def udf(self) -> None:
        """What is never run."""
        self._word(0, LEFT)

    def _word(self, word: int, *does: Does) -> None:
        self._emit(_bytes(word), *does)


def _bytes(word: int) -> bytes:
    return struct.pack("<I", word)


def _fields(base: int, rd: int = 0, rn: int = 0, rm: int = 0) -> int:
    return base | rm << 16 | rn << 5 | rd


def _core(register: Register) -> int:
    """The number of a register other than sp, which most instructions cannot name."""
    if register is SP:
        raise OperandError("sp is no operand here")
    return register.number


def _shifted(other: Register | Shifted) -> int:
    if isinstance(other, Register):
        return _core(other) << 16
    if other.amount not in range(64):
        raise OperandError(f"a shift by {other.amount}")
    return _core(other.register) << 16 | other.type << 22 | other.amount << 10


def _saved(register: Register, place: int) -> Does:
    return partial(RegisterSaved, register=register.number, place=place)


def _loaded(register: Register, place: int) -> Does:
    return partial(RegisterLoaded, register=register.number, place=place)
