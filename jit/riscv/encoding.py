"""The formats of instructions: fields in their places (the manual's chapters on RV32I and on the "C" extension).

Each gives the instruction, or raises OperandError; those of 16 bits give None for what they cannot hold.
"""

from __future__ import annotations

from typing import Final

from jit.codegen.processor import OperandError
from jit.riscv.operands import RA, SP, Register

#: What the fields for three bits of instructions of 16 bits name: s0, s1, a0 to a5.
_FIRST: Final = 8
_FEW: Final = range(_FIRST, _FIRST + 8)
_SIX: Final = range(-32, 32)
_TWELVE: Final = range(-(1 << 11), 1 << 11)


def r_type(base: int, rd: Register, rs1: Register, rs2: Register) -> int:
    """Three registers."""
    return base | rs2.number << 20 | rs1.number << 15 | rd.number << 7


def i_type(base: int, rd: Register, rs1: Register, number: int) -> int:
    """Two registers and a number of 12 bits with a sign."""
    return base | twelve(number) << 20 | rs1.number << 15 | rd.number << 7


def s_type(base: int, rs2: Register, rs1: Register, offset: int) -> int:
    """What is stored, and where."""
    bits = twelve(offset)
    return base | bits >> 5 << 25 | rs2.number << 20 | rs1.number << 15 | (bits & 0x1F) << 7


def u_type(base: int, rd: Register, upper: int) -> int:
    """A register and the upper 20 bits of a word."""
    return base | (upper & 0xF_FFFF) << 12 | rd.number << 7


def b_type(distance: int) -> int:
    """The field of a branch under a condition, which goes less than 4 KiB."""
    bits = even(distance, 13)
    return (bits >> 12) << 31 | (bits >> 5 & 0x3F) << 25 | (bits >> 1 & 0xF) << 8 | (bits >> 11 & 1) << 7


def j_type(distance: int) -> int:
    """The field of a jump, which goes less than 1 MiB."""
    bits = even(distance, 21)
    return (bits >> 20) << 31 | (bits >> 1 & 0x3FF) << 21 | (bits >> 11 & 1) << 20 | (bits >> 12 & 0xFF) << 12


def even(distance: int, bits: int) -> int:
    """A distance as a number of so many bits."""
    if distance & 1 or not -(1 << bits - 1) <= distance < 1 << bits - 1:
        raise OperandError(f"a branch over {distance} bytes")
    return distance & (1 << bits) - 1


def twelve(number: int) -> int:
    """A number with a sign as 12 bits."""
    if number not in _TWELVE:
        raise OperandError(f"{number} is no number of 12 bits")
    return number & 0xFFF


def is_twelve(number: int) -> bool:
    """Whether 12 bits hold a number with its sign."""
    return number in _TWELVE


def split(number: int) -> tuple[int, int]:
    """Upper 20 bits, and lower 12 with a sign, whose sum is a number."""
    lower = (number & 0xFFF ^ 0x800) - 0x800
    return number - lower >> 12, lower


def is_few(*registers: Register) -> bool:
    """Whether three bits name each of some registers."""
    return all(one.number in _FEW for one in registers)


def _few(register: Register) -> int:
    return register.number - _FIRST


def _bits(number: int, *fields: tuple[int, int, int]) -> int:
    """Parts of a number, each told by its lowest bit, how many bits it has, and its place in the instruction."""
    return sum((number >> low & (1 << count) - 1) << place for low, count, place in fields)


def ci(base: int, rd: Register, number: int) -> int | None:
    """c.li, c.addi, c.addiw, c.lui: a register and a number of six bits with a sign."""
    return base | rd.number << 7 | _bits(number, (5, 1, 12), (0, 5, 2)) if number in _SIX else None


def c_shift(base: int, rd: Register, by: int) -> int:
    """c.slli: a register other than zero, and a number of six bits."""
    return base | rd.number << 7 | _bits(by, (5, 1, 12), (0, 5, 2))


def cb(base: int, rd: Register, number: int) -> int:
    """c.srli, c.srai, c.andi: one of few registers, and a number of six bits."""
    return base | _few(rd) << 7 | _bits(number, (5, 1, 12), (0, 5, 2))


def cr(base: int, rd: Register, rs2: Register) -> int:
    """c.mv, c.add: two registers other than zero; c.jr, c.jalr: one."""
    return base | rd.number << 7 | rs2.number << 2


def ca(base: int, rd: Register, rs2: Register) -> int:
    """c.sub, c.xor, c.or, c.and, c.subw, c.addw: two of few registers."""
    return base | _few(rd) << 7 | _few(rs2) << 2


def c_memory(base: int, register: Register, address: Register, offset: int, size: int) -> int | None:
    """c.lw, c.sw, c.ld, c.sd: few registers, and an offset in words of their size."""
    if not is_few(register, address) or offset % size or offset not in range(32 * size):
        return None
    high = _bits(offset, (2, 1, 6), (6, 1, 5)) if size == 4 else _bits(offset, (6, 2, 5))
    return base | _few(register) << 2 | _few(address) << 7 | high | _bits(offset, (3, 3, 10))


def c_load_stack(base: int, rd: Register, offset: int, size: int) -> int | None:
    """c.lwsp, c.ldsp: a register other than zero, and an offset from sp in words of that size."""
    if not rd.number or offset % size or offset not in range(64 * size):
        return None
    low = _bits(offset, (2, 3, 4), (6, 2, 2)) if size == 4 else _bits(offset, (3, 2, 5), (6, 3, 2))
    return base | rd.number << 7 | _bits(offset, (5, 1, 12)) | low


def c_store_stack(base: int, rs2: Register, offset: int, size: int) -> int | None:
    """c.swsp, c.sdsp: the same of what is stored."""
    if offset % size or offset not in range(64 * size):
        return None
    fields = _bits(offset, (2, 4, 9), (6, 2, 7)) if size == 4 else _bits(offset, (3, 3, 10), (6, 3, 7))
    return base | rs2.number << 2 | fields


def c_addi(rd: Register, rs1: Register, number: int) -> int | None:
    """The instruction that adds a number, if one of 16 bits does."""
    if not rd.number:
        return None
    if not rs1.number:
        return ci(0x4001, rd, number)  # c.li
    if not number:
        return cr(0x8002, rd, rs1)  # c.mv
    if rs1 is SP and is_few(rd) and number % 4 == 0 and number in range(4, 1024):  # c.addi4spn
        return _few(rd) << 2 | _bits(number, (4, 2, 11), (6, 4, 7), (2, 1, 6), (3, 1, 5))
    if rd is not rs1:
        return None
    if number in _SIX:
        return ci(0x0001, rd, number)
    if rd is SP and number % 16 == 0 and number in range(-512, 512):  # c.addi16sp
        return 0x6101 | _bits(number, (9, 1, 12), (4, 1, 6), (6, 1, 5), (7, 2, 3), (5, 1, 2))
    return None


def c_jump(base: int, distance: int) -> int | None:
    """c.j, c.jal: less than 2 KiB."""
    if distance not in range(-2048, 2048):
        return None
    fields = ((11, 1, 12), (4, 1, 11), (8, 2, 9), (10, 1, 8), (6, 1, 7), (7, 1, 6), (1, 3, 3), (5, 1, 2))
    return base | _bits(distance, *fields)


def c_branch(base: int, register: Register, distance: int) -> int | None:
    """c.beqz, c.bnez: one of few registers, less than 256 bytes."""
    if distance not in range(-256, 256) or not is_few(register):
        return None
    return base | _few(register) << 7 | _bits(distance, (8, 1, 12), (3, 2, 10), (6, 2, 5), (1, 2, 3), (5, 1, 2))


def is_lui(rd: Register, upper: int) -> bool:
    """Whether c.lui has these operands."""
    return bool(rd.number) and rd is not SP and upper != 0 and upper in _SIX


def has_c_jal(word: int, rd: Register) -> bool:
    """Whether there is c.jal, which only processors of 32 bits have."""
    return word == 4 and rd is RA
