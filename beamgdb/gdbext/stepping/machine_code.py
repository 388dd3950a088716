"""Where control goes from a machine instruction, with the registers as they are before it. No gdb import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import capstone
from capstone import arm64_const, x86_const

from beamgdb.vm.frame import ReadRegister

LONGEST = 15
"""Bytes of the longest instruction, one of x86-64."""

ReadWord = Callable[[int], int]
"""The word at an address."""


@dataclass(frozen=True, slots=True)
class Control:
    """`end` is the address behind the instruction, `target` where else it leads, None if nowhere. A conditional one may
    go on at either; after a call it goes on at `end` some time later."""

    end: int
    target: int | None
    conditional: bool = False
    call: bool = False


def control(arch: str, code: bytes, pc: int, read: ReadRegister, word: ReadWord) -> Control | None:
    """What the instruction at `pc` does, None where that is not known. `code` is the memory there."""
    disassembler = _disassembler(arch)
    one = next(disassembler.disasm(code, pc, 1), None) if disassembler else None
    if one is None:
        return None
    end = pc + one.size
    kind = _X86_64 if arch == "x86_64" else _AARCH64
    name = one.mnemonic.split()[-1]
    if name in kind.plain or not name.startswith(kind.prefixes):
        return Control(end, None)
    if name in kind.returns:
        target = kind.returned(one, read, word)
    else:
        target = kind.operand(one, end, read, word)
    if target is None:
        return None
    return Control(end, target, name not in (*kind.returns, *kind.jumps, *kind.calls), name in kind.calls)


@cache
def _disassembler(arch: str) -> capstone.Cs | None:
    modes = {
        "x86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
        "aarch64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN),
    }
    if arch not in modes:
        return None
    found = capstone.Cs(*modes[arch])
    found.detail = True
    return found


class _X86_64:
    prefixes = ("j", "call", "ret", "loop")
    plain = frozenset[str]()
    jumps = ("jmp",)
    calls = ("call",)
    returns = ("ret",)

    @staticmethod
    def returned(_: capstone.CsInsn, read: ReadRegister, word: ReadWord) -> int | None:
        sp = read("rsp")
        return word(sp) if sp is not None else None

    @staticmethod
    def operand(one: capstone.CsInsn, end: int, read: ReadRegister, word: ReadWord) -> int | None:
        operand = one.operands[-1]
        if operand.type == x86_const.X86_OP_IMM:
            return int(operand.imm)
        if operand.type == x86_const.X86_OP_REG:
            return read(one.reg_name(operand.reg))
        address = operand.mem.disp
        for register, scale in ((operand.mem.base, 1), (operand.mem.index, operand.mem.scale)):
            if register == x86_const.X86_REG_RIP:
                address += end
            elif register != x86_const.X86_REG_INVALID:
                value = read(one.reg_name(register))
                if value is None:
                    return None
                address += value * scale
        return word(address & (1 << 64) - 1)


class _AARCH64:
    prefixes = ("b", "cb", "tb", "ret")
    plain = frozenset({"bic", "bics", "bfi", "bfxil", "bfm", "bfc", "bif", "bit", "bsl", "bti", "brk", "bfcvt"})
    jumps = ("b", "br")
    calls = ("bl", "blr")
    returns = ("ret",)

    @staticmethod
    def returned(one: capstone.CsInsn, read: ReadRegister, _: ReadWord) -> int | None:
        return read(one.reg_name(one.operands[0].reg) if one.operands else "x30")

    @staticmethod
    def operand(one: capstone.CsInsn, _: int, read: ReadRegister, __: ReadWord) -> int | None:
        operand = one.operands[-1]
        if operand.type == arm64_const.ARM64_OP_IMM:
            return int(operand.imm)
        return read(one.reg_name(operand.reg))
