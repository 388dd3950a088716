"""Machine instructions as text, with the addresses that they refer to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import capstone
from capstone import arm64_const, arm_const, x86_const

_MODES = {
    "arm32": (capstone.CS_ARCH_ARM, capstone.CS_MODE_ARM),
    "aarch64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN),
    "x86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
}

_BRANCHES = ("b", "j", "call", "loop", "cb", "tb")
"""How mnemonics of instructions begin whose last immediate operand is an address."""

_CONSTANTS = ("mov", "cmp", "cmn", "movabs", "movz", "movw")
"""Instructions whose immediate operand may be a term."""

_ARM_AHEAD = 8
"""By how much pc is ahead of an instruction of A32 (Arm Architecture Reference Manual ARMv7-A, A2.3)."""


class Instruction(NamedTuple):
    """`target` is an address that it goes to, `loads` one of a word that it reads, `constant` a number that it compares
    or moves, `field` a register and the distance from it of what it reads or writes; None each where it does not."""

    address: int
    size: int
    text: str
    target: int | None
    loads: int | None
    constant: int | None
    field: tuple[str, int] | None


def instructions(arch: str, code: bytes, address: int) -> Iterator[Instruction]:
    """The instructions of machine code that lies at `address`; raises KeyError for an architecture without a
    disassembler. What is no instruction shows as data."""
    for one in _disassembler(arch).disasm(code, address):
        known = one.id != 0
        yield Instruction(
            one.address,
            one.size,
            f"{one.mnemonic} {one.op_str}".strip(),
            _target(one) if known else None,
            _loads(arch, one) if known else None,
            _constant(one) if known else None,
            _field(one) if known else None,
        )


@cache
def _disassembler(arch: str) -> capstone.Cs:
    found = capstone.Cs(*_MODES[arch])
    found.detail = True
    found.skipdata = True
    if arch == "arm32":
        found.syntax = capstone.CS_OPT_SYNTAX_NOREGNAME
    return found


def _immediates(one: capstone.CsInsn) -> list[int]:
    # The number of the kind is the same for all three (capstone.h, CS_OP_IMM).
    return [int(operand.imm) for operand in one.operands if operand.type == capstone.CS_OP_IMM]


def _target(one: capstone.CsInsn) -> int | None:
    name = one.mnemonic.split()[-1].split(".")[0]
    found = _immediates(one)
    is_branch = name.startswith(_BRANCHES) and not name.startswith(("bic", "bf", "bt", "bs", "bnd"))
    return found[-1] if is_branch and found else None


def _loads(arch: str, one: capstone.CsInsn) -> int | None:
    """The address of a word near the code."""
    for operand in one.operands:
        if arch == "arm32" and operand.type == arm_const.ARM_OP_MEM and operand.mem.base == arm_const.ARM_REG_PC:
            return int(one.address + _ARM_AHEAD + (-operand.mem.disp if operand.subtracted else operand.mem.disp))
        if arch == "x86_64" and operand.type == x86_const.X86_OP_MEM and operand.mem.base == x86_const.X86_REG_RIP:
            return int(one.address + one.size + operand.mem.disp)
    if arch == "aarch64" and one.id == arm64_const.ARM64_INS_LDR and _immediates(one):
        return _immediates(one)[-1]
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
