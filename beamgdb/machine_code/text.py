"""Machine instructions as text, with the addresses that they refer to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import capstone
from capstone import arm64_const, arm_const, x86_const

from beamgdb.machine_code.operands import disassembler

_BRANCHES = ("b", "j", "call", "loop", "cb", "tb")
"""How mnemonics of instructions begin whose last immediate operand is an address."""

_NO_BRANCHES = ("bic", "bf", "bt", "bs", "bnd", "brk", "bkpt")
"""How others begin that would be among them."""

_ENDS = frozenset({"jmp", "ret", "ud2", "int3", "b", "br", "udf", "brk"})
"""Instructions after which nothing goes on at the next one."""

_CONSTANTS = ("mov", "cmp", "cmn", "movabs", "movz", "movw")
"""Instructions whose immediate operand may be a term."""

_ADDRESSES = (arm64_const.ARM64_INS_ADR, arm64_const.ARM64_INS_ADRP)

_ARM_AHEAD = 8
"""By how much pc is ahead of an instruction of A32 (Arm Architecture Reference Manual ARMv7-A, A2.3)."""


LONGEST = 15
"""Bytes of the longest instruction, one of x86-64."""

_PIECE = 1 << 12
"""Bytes that are disassembled at a time: Capstone does all that it is given before it returns the first instruction, of
which it keeps 2 KB for each."""


class Instruction(NamedTuple):
    """`target` is an address that it goes to, `loads` one of a word that it reads, `constant` a number that it compares
    or moves, `field` a register and the distance from it of what it reads or writes, `names` an address that it puts
    into a register; None each where it does not. `ends`: it never goes on to the next one. `is_data`: it is none."""

    address: int
    size: int
    text: str
    target: int | None
    loads: int | None
    constant: int | None
    field: tuple[str, int] | None
    names: int | None = None
    ends: bool = False
    is_data: bool = False


def instructions(arch: str, code: bytes, address: int) -> Iterator[Instruction]:
    """The instructions of machine code that lies at `address`; raises KeyError for an architecture without a
    disassembler. What is no instruction shows as data."""
    for one in _disassembled(_disassembler(arch), code, address):
        known = one.id != 0
        yield Instruction(
            one.address,
            one.size,
            f"{one.mnemonic} {one.op_str}".strip(),
            _target(one) if known else None,
            _loads(arch, one) if known else None,
            _constant(one) if known else None,
            _field(one) if known else None,
            _names(arch, one) if known else None,
            known and one.mnemonic.split()[-1] in _ENDS,
            not known,
        )


def _disassembled(disassembler: capstone.Cs, code: bytes, address: int) -> Iterator[capstone.CsInsn]:
    """The instructions, as if `code` was disassembled in one go."""
    at = before = 0
    while at < len(code):
        for one in disassembler.disasm(code[at : at + _PIECE + LONGEST], address + at):
            if one.address - address >= before + _PIECE:
                break
            at = one.address - address + one.size
            yield one
        if at == before:
            # What is left is shorter than any instruction.
            return
        before = at


def _disassembler(arch: str) -> capstone.Cs:
    found = disassembler(arch, with_data=True)
    if arch == "arm32":
        found.syntax = capstone.CS_OPT_SYNTAX_NOREGNAME
    return found


def _immediates(one: capstone.CsInsn) -> list[int]:
    # The number of the kind is the same for all three (capstone.h, CS_OP_IMM).
    return [int(operand.imm) for operand in one.operands if operand.type == capstone.CS_OP_IMM]


def _target(one: capstone.CsInsn) -> int | None:
    name = one.mnemonic.split()[-1].split(".")[0]
    found = _immediates(one)
    is_branch = name.startswith(_BRANCHES) and not name.startswith(_NO_BRANCHES)
    return found[-1] if is_branch and found else None


def _loads(arch: str, one: capstone.CsInsn) -> int | None:
    """The address of a word near the code."""
    for operand in one.operands:
        if arch == "arm32" and operand.type == arm_const.ARM_OP_MEM and operand.mem.base == arm_const.ARM_REG_PC:
            return int(one.address + _ARM_AHEAD + (-operand.mem.disp if operand.subtracted else operand.mem.disp))
    if arch == "x86_64" and one.id not in (x86_const.X86_INS_LEA, x86_const.X86_INS_NOP):
        return _near(one)
    if arch == "aarch64" and one.id == arm64_const.ARM64_INS_LDR and _immediates(one):
        return _immediates(one)[-1]
    return None


def _names(arch: str, one: capstone.CsInsn) -> int | None:
    """An address near the code that is not read, but kept."""
    if arch == "x86_64" and one.id == x86_const.X86_INS_LEA:
        return _near(one)
    # (An `adr` of vectors has none.)
    found = _immediates(one) if arch == "aarch64" and one.id in _ADDRESSES else ()
    return found[-1] if found else None


def _near(one: capstone.CsInsn) -> int | None:
    """The address of an operand of x86-64 that is given by its distance."""
    for operand in one.operands:
        if operand.type == x86_const.X86_OP_MEM and operand.mem.base == x86_const.X86_REG_RIP:
            return int(one.address + one.size + operand.mem.disp)
    return None


def _constant(one: capstone.CsInsn) -> int | None:
    found = _immediates(one)
    return found[-1] if found and one.mnemonic.split(".")[0].startswith(_CONSTANTS) else None


def _field(one: capstone.CsInsn) -> tuple[str, int] | None:
    for operand in one.operands:
        # CS_OP_MEM differs between versions of capstone; the operand's own number does not.
        if operand.type in (arm_const.ARM_OP_MEM, x86_const.X86_OP_MEM, arm64_const.ARM64_OP_MEM):
            memory = operand.mem
            if memory.base and not memory.index:
                return one.reg_name(memory.base), -memory.disp if getattr(operand, "subtracted", False) else memory.disp
    return None
