"""The assembler: instructions of 16 bits where there are such."""

from __future__ import annotations

import struct
from functools import partial
from typing import Final

from jit.codegen.code_buffer import LEFT, Does
from jit.codegen.processor import (
    Called,
    Jumped,
    Label,
    OperandError,
    RegisterLoaded,
    RegisterSaved,
    StackMoved,
)
from jit.riscv import encoding as e
from jit.riscv.buffer import Apart, ReachingBuffer, bytes_of, nowhere
from jit.riscv.operands import RA, SP, ZERO, Condition, Register

_HALF: Final = struct.Struct("<H")

# Opcodes with the fields that tell instructions from one another (the manual's "RV32/64G Instruction Set Listings").
_LUI, _AUIPC, _JAL, _JALR, _BRANCH = 0x37, 0x17, 0x6F, 0x67, 0x63
_ADDI, _SLTI, _SLTIU, _XORI, _ORI, _ANDI, _ADDIW = 0x13, 0x2013, 0x3013, 0x4013, 0x6013, 0x7013, 0x1B
_SLLI, _SRLI, _SRAI = 0x1013, 0x5013, 0x4000_5013
_ADD, _SUB, _SLT, _SLTU, _XOR, _OR, _AND = 0x33, 0x4000_0033, 0x2033, 0x3033, 0x4033, 0x6033, 0x7033
_MUL, _MULH = 0x0200_0033, 0x0200_1033
_UNIMP: Final = 0xC000_1073
#: Loads and stores by their sizes: of 32 bits, of 16, and of 16 from the stack.
_LOADS: Final = {4: (0x2003, 0x4000, 0x4002), 8: (0x3003, 0x6000, 0x6002)}
_STORES: Final = {4: (0x2023, 0xC000, 0xC002), 8: (0x3023, 0xE000, 0xE002)}
_LWU: Final = 0x6003
# Of 16 bits.
_C_LUI, _C_ADDIW, _C_SLLI, _C_SRLI, _C_SRAI, _C_ANDI = 0x6001, 0x2001, 0x0002, 0x8001, 0x8401, 0x8801
_C_SUB, _C_XOR, _C_OR, _C_AND, _C_ADD, _C_JR, _C_JALR = 0x8C01, 0x8C21, 0x8C41, 0x8C61, 0x9002, 0x8002, 0x9002
_C_J, _C_JAL = 0xA001, 0x2001
_C_BRANCHES: Final = {Condition.EQUAL: 0xC001, Condition.DIFFERENT: 0xE001}


class Assembler(ReachingBuffer):
    """Each method appends the instruction of its name (``and_`` is and), on a processor whose words have 4 or 8 bytes.

    A method raises OperandError, and appends nothing, for operands that its instruction cannot have. ``jump``,
    ``branch`` and ``call`` reach every place.
    """

    def __init__(self, word: int, apart: Apart = nowhere) -> None:
        super().__init__(apart)
        self._word_size = word
        self._bits = 8 * word

    def data(self, content: bytes) -> None:
        """Bytes, behind all instructions, filled up with a zero to what DWARF counts in."""
        super().data(content + bytes(len(content) % 2))

    # Moves

    def move(self, into: Register, source: Register) -> None:
        """A register = another one; nothing if they are the same."""
        if into is not source:
            self.addi(into, source, 0)

    def constant(self, rd: Register, value: int) -> None:
        """rd = a number, signed or unsigned, of a word."""
        if not -(1 << self._bits - 1) <= value < 1 << self._bits:
            raise OperandError(f"li: {value} does not fit {self._bits} bits")
        self._constant(rd, (value & (1 << self._bits) - 1 ^ 1 << self._bits - 1) - (1 << self._bits - 1))

    def _constant(self, rd: Register, value: int) -> None:
        """The upper part; shifted, where it has more than 20 bits; and the lower 12."""
        upper, lower = e.split(value)
        if value in range(-(1 << 31), 1 << 31):
            if upper:
                self.lui(rd, (upper & 0xF_FFFF ^ 0x8_0000) - 0x8_0000)
            if upper and lower:
                (self.addiw if self._word_size > 4 else self.addi)(rd, rd, lower)
            elif not upper:
                self.addi(rd, ZERO, lower)
            return
        zeros = (upper & -upper).bit_length() - 1
        self._constant(rd, upper >> zeros)
        self.slli(rd, rd, 12 + zeros)
        if lower:
            self.addi(rd, rd, lower)

    def offset_of(self, rd: Register, label: Label, shift: int = 0, *, within: int = 1 << 20) -> None:
        """rd = the offset of *label* from the beginning of the code in bytes, shifted left.

        One that is not bound yet will be within so many bytes. Raises OperandError later if it is not.
        """
        if label.offset is not None:
            self.constant(rd, label.offset << shift)
            return
        with self.whole():
            nearest, farthest = (e.split(at << shift)[0] for at in (self.offset, self.offset + within))
            short = e.is_lui(rd, nearest) and e.is_lui(rd, farthest)

            def fill_upper(word: int, offset: int) -> int:
                upper, _ = e.split(offset << shift)
                code = e.ci(_C_LUI, rd, upper) if short else e.u_type(_LUI, rd, upper)
                if code is None:
                    raise OperandError(f"lui: the offset {offset} does not fit")
                return word | code

            def fill_lower(word: int, offset: int) -> int:
                return word | (e.split(offset << shift)[1] & 0xFFF) << 20

            begin = self.offset
            code = bytes(2 if short else 4) + bytes_of(e.i_type(_ADDI, rd, rd, 0))
            label.waiting.append((begin, 0, fill_upper))
            self._emit(code[:-4])
            self._emit_referring(code[-4:], label, 0, fill_lower)

    def address(self, rd: Register, label: Label) -> None:
        """rd = the address of *label*: auipc and addi."""
        self.refer_twice(e.u_type(_AUIPC, rd, 0), e.i_type(_ADDI, rd, rd, 0), label)

    def lui(self, rd: Register, upper: int) -> None:
        """rd = 20 bits with a sign above 12 zeros."""
        if upper not in range(-(1 << 19), 1 << 19):
            raise OperandError(f"lui: {upper} does not fit 20 bits")
        short = e.ci(_C_LUI, rd, upper) if e.is_lui(rd, upper) else None
        self._either(short, e.u_type(_LUI, rd, upper))

    # Memory

    def load(self, rd: Register, base: Register, offset: int = 0, size: int = 0) -> None:
        """rd = what memory has at an offset from a register: a word, or one of a smaller size in bytes, with its
        sign."""
        size = size or self._word_size
        word, short, of_stack = _LOADS[size]
        half = e.c_memory(short, rd, base, offset, size)
        does: tuple[Does, ...] = ()
        if base is SP:
            half = e.c_load_stack(of_stack, rd, offset, size)
            does = (partial(RegisterLoaded, register=rd.number, place=offset),)
        self._either(half, e.i_type(word, rd, base, offset), *does)

    def store(self, source: Register, base: Register, offset: int = 0, size: int = 0) -> None:
        """That = a register."""
        size = size or self._word_size
        word, short, of_stack = _STORES[size]
        half = e.c_memory(short, source, base, offset, size)
        does: tuple[Does, ...] = ()
        if base is SP:
            half = e.c_store_stack(of_stack, source, offset, size)
            does = (partial(RegisterSaved, register=source.number, place=offset),)
        self._either(half, e.s_type(word, source, base, offset), *does)

    def load_unsigned(self, rd: Register, base: Register, offset: int = 0) -> None:
        """rd = 32 bits of memory, without a sign: lwu, or lw where that is a word."""
        if self._word_size == 4:
            self.load(rd, base, offset)
        else:
            self._word(e.i_type(_LWU, rd, base, offset))

    # Arithmetic

    def addi(self, rd: Register, rs1: Register, number: int) -> None:
        """rd = rs1 + a number of 12 bits."""
        does = (partial(StackMoved, size=-number),) if rd is SP else ()
        self._either(e.c_addi(rd, rs1, number), e.i_type(_ADDI, rd, rs1, number), *does)

    def addiw(self, rd: Register, rs1: Register, number: int) -> None:
        """rd = the lower half of that, with its sign."""
        short = e.ci(_C_ADDIW, rd, number) if rd is rs1 and rd is not ZERO else None
        self._either(short, e.i_type(_ADDIW, rd, rs1, number))

    def andi(self, rd: Register, rs1: Register, number: int) -> None:
        """rd = bits that rs1 has, and a number of 12 bits with a sign."""
        is_short = rd is rs1 and e.is_few(rd) and number in range(-32, 32)
        self._either(e.cb(_C_ANDI, rd, number) if is_short else None, e.i_type(_ANDI, rd, rs1, number))

    def ori(self, rd: Register, rs1: Register, number: int) -> None:
        """Bits that one of them has."""
        self._word(e.i_type(_ORI, rd, rs1, number))

    def xori(self, rd: Register, rs1: Register, number: int) -> None:
        """Bits that only one of them has."""
        self._word(e.i_type(_XORI, rd, rs1, number))

    def slti(self, rd: Register, rs1: Register, number: int) -> None:
        """rd = 1 if rs1 is less than a number of 12 bits, else 0."""
        self._word(e.i_type(_SLTI, rd, rs1, number))

    def sltiu(self, rd: Register, rs1: Register, number: int) -> None:
        """The same of numbers without sign."""
        self._word(e.i_type(_SLTIU, rd, rs1, number))

    def add(self, rd: Register, rs1: Register, rs2: Register) -> None:
        """rd = rs1 + rs2."""
        other = rs2 if rd is rs1 else rs1
        short = rd in (rs1, rs2) and ZERO not in (rd, other)
        self._either(e.cr(_C_ADD, rd, other) if short else None, e.r_type(_ADD, rd, rs1, rs2))

    def sub(self, rd: Register, rs1: Register, rs2: Register) -> None:
        """rd = rs1 - rs2."""
        is_short = rd is rs1 and e.is_few(rd, rs2)
        self._either(e.ca(_C_SUB, rd, rs2) if is_short else None, e.r_type(_SUB, rd, rs1, rs2))

    def and_(self, rd: Register, rs1: Register, rs2: Register) -> None:
        """rd = bits that both have."""
        self._logical(_C_AND, _AND, rd, rs1, rs2)

    def or_(self, rd: Register, rs1: Register, rs2: Register) -> None:
        """Bits that one of them has."""
        self._logical(_C_OR, _OR, rd, rs1, rs2)

    def xor(self, rd: Register, rs1: Register, rs2: Register) -> None:
        """Bits that only one of them has."""
        self._logical(_C_XOR, _XOR, rd, rs1, rs2)

    def _logical(self, half: int, word: int, rd: Register, rs1: Register, rs2: Register) -> None:
        other = rs2 if rd is rs1 else rs1
        short = rd in (rs1, rs2) and e.is_few(rd, other)
        self._either(e.ca(half, rd, other) if short else None, e.r_type(word, rd, rs1, rs2))

    def slt(self, rd: Register, rs1: Register, rs2: Register) -> None:
        """rd = 1 if rs1 is less than rs2, else 0."""
        self._word(e.r_type(_SLT, rd, rs1, rs2))

    def sltu(self, rd: Register, rs1: Register, rs2: Register) -> None:
        """The same of numbers without sign."""
        self._word(e.r_type(_SLTU, rd, rs1, rs2))

    def slli(self, rd: Register, rs1: Register, by: int) -> None:
        """rd = rs1 moved up."""
        self._shift(e.c_shift(_C_SLLI, rd, by) if rd is rs1 is not ZERO and by else None, _SLLI, rd, rs1, by)

    def srli(self, rd: Register, rs1: Register, by: int) -> None:
        """rd = rs1 moved down, with zeros coming in."""
        self._shift(e.cb(_C_SRLI, rd, by) if rd is rs1 and e.is_few(rd) and by else None, _SRLI, rd, rs1, by)

    def srai(self, rd: Register, rs1: Register, by: int) -> None:
        """rd = rs1 moved down, with the sign coming in."""
        self._shift(e.cb(_C_SRAI, rd, by) if rd is rs1 and e.is_few(rd) and by else None, _SRAI, rd, rs1, by)

    def _shift(self, half: int | None, word: int, rd: Register, rs1: Register, by: int) -> None:
        if by not in range(self._bits):
            raise OperandError("a shift by more than there are bits")
        self._either(half, word | by << 20 | rs1.number << 15 | rd.number << 7)

    def mul(self, rd: Register, rs1: Register, rs2: Register) -> None:
        """rd = the lower word of a product."""
        self._word(e.r_type(_MUL, rd, rs1, rs2))

    def mulh(self, rd: Register, rs1: Register, rs2: Register) -> None:
        """rd = the upper word of a product of numbers with sign."""
        self._word(e.r_type(_MULH, rd, rs1, rs2))

    # Branches

    def jump(self, target: Label) -> None:
        """Go on at *target*."""
        self._go(ZERO, target, c_jump=_C_J)

    def call(self, target: Label, rd: Register = RA) -> None:
        """rd = the address behind this, and go on at *target*."""
        self._go(rd, target, c_jump=_C_JAL if e.has_c_jal(self._word_size, rd) else None)

    def _go(self, rd: Register, target: Label, c_jump: int | None) -> None:
        self.reach()
        does = partial(Jumped, target=target, always=True) if rd is ZERO else partial(Called, target=target)
        word = e.u_type(_JAL, rd, 0)
        if target.offset is None:
            self.branches += 1
            self.wait_far(word, target, does)
            return
        distance = target.offset - self.offset
        if distance in range(-(1 << 20), 1 << 20):
            self.branches += 1
            half = None if c_jump is None else e.c_jump(c_jump, distance)
            self._either(half, word | e.j_type(distance), does)
        else:
            self.go_far(rd, target)

    def branch(self, condition: Condition, rs1: Register, rs2: Register, target: Label) -> None:
        """Go on at *target* if two registers compare so."""
        self.reach()
        word = e.s_type(_BRANCH, rs2, rs1, 0) | condition.value << 12
        if target.offset is None:
            self.branches += 1
            self.wait_near(word, target, partial(Jumped, target=target, always=False))
            return
        distance = target.offset - self.offset
        if distance in range(-(1 << 12), 1 << 12):
            self.branches += 1
            half = None
            if rs2 is ZERO and condition in _C_BRANCHES:
                half = e.c_branch(_C_BRANCHES[condition], rs1, distance)
            self._either(half, word | e.b_type(distance), partial(Jumped, target=target, always=False))
            return
        with self.whole():
            around = Label()
            self.branch(condition.opposite, rs1, rs2, around)
            self.jump(target)
            self.bind(around)

    def jr(self, rs1: Register, offset: int = 0) -> None:
        """Go on at the address in a register, and some bytes from that."""
        self.branches += 1
        self._either(e.cr(_C_JR, rs1, ZERO) if not offset else None, e.i_type(_JALR, ZERO, rs1, offset), LEFT)

    def jalr(self, rs1: Register) -> None:
        """ra = the address behind this, and go on at the address in a register."""
        self.branches += 1
        self._either(e.cr(_C_JALR, rs1, ZERO), 0, partial(Called, target=None))

    def ret(self) -> None:
        """Return to the address in ra."""
        self._either(e.cr(_C_JR, RA, ZERO), 0, LEFT)

    def unimp(self) -> None:
        """What is never run."""
        self._word(_UNIMP, LEFT)

    def _either(self, half: int | None, word: int, *does: Does) -> None:
        """Append an instruction in the short form, if there is one."""
        self._emit(bytes_of(word) if half is None else _HALF.pack(half), *does)

    def _word(self, word: int, *does: Does) -> None:
        self._emit(bytes_of(word), *does)
