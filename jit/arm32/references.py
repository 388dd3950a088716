"""How instructions and data that refer to a label are filled in."""

from __future__ import annotations

from jit.arm32.immediates import modified
from jit.codegen.processor import OperandError

_PC_AHEAD = 8  # an instruction that reads pc gets its own address plus this (the manual's A2.3)
_U = 1 << 23
_ADD_SUB_BITS = 3 << 22  # what differs between ADD and SUB (immediate): 0100 and 0010 in bits 24 to 21


def fill_branch(word: int, distance: int) -> int:
    """B and BL: imm24 counts words."""
    words = (distance - _PC_AHEAD) >> 2
    if not -(1 << 23) <= words < 1 << 23:
        raise OperandError(f"b: the label is {distance} bytes away, which is more than 32 MiB")
    return word | words & 0xFF_FFFF


def fill_ldr(word: int, distance: int) -> int:
    """LDR (literal): U and imm12."""
    offset = distance - _PC_AHEAD
    if abs(offset) > 4095:
        raise OperandError(f"ldr: the label is {offset} bytes from pc, not -4095..4095")
    return word | (_U | offset if offset >= 0 else -offset)


def fill_vldr(word: int, distance: int) -> int:
    """VLDR (literal): U and imm8, which counts words."""
    offset = distance - _PC_AHEAD
    if abs(offset) > 1020:
        raise OperandError(f"vldr: the label is {offset} bytes from pc, not -1020..1020")
    return word | (_U | offset >> 2 if offset >= 0 else -offset >> 2)


def fill_adr(word: int, distance: int) -> int:
    """ADR: the word is ADR's encoding A1, an ADD; A2 is a SUB."""
    offset = distance - _PC_AHEAD
    imm12 = modified(abs(offset))
    if imm12 is None:
        raise OperandError(f"adr: {offset} bytes from pc is no modified constant, positive or negative")
    return (word if offset >= 0 else word ^ _ADD_SUB_BITS) | imm12


def fill_difference(_word: int, distance: int) -> int:
    """A data word that holds the distance itself."""
    return distance & 0xFFFF_FFFF
