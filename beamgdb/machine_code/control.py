"""Where control goes from a machine instruction, with the registers as they are before it."""

from __future__ import annotations

from collections.abc import Callable

import capstone
from capstone import arm64_const, x86_const

from beamgdb.late import dataclass
from beamgdb.machine_code.operands import disassembler
from beamgdb.machine_code.reading import ReadRegister

ReadWord = Callable[[int], int]
"""The word at an address."""


@dataclass(frozen=True)
class Destination:
    """`end` is the address behind the instruction, `target` where else it leads, None if nowhere. A conditional one may
    go on at either, at the target if it is `taken`, None where that is not known; after a call it goes on at `end` some
    time later."""

    end: int
    target: int | None
    conditional: bool = False
    call: bool = False
    taken: bool | None = None


def control(arch: str, code: bytes, pc: int, read: ReadRegister, word: ReadWord) -> Destination | None:
    """What the instruction at `pc` does, None where that is not known. `code` is the memory there."""
    kind = _KINDS.get(arch)
    one = next(disassembler(arch).disasm(code, pc, 1), None) if kind else None
    if kind is None or one is None:
        return None
    end = pc + one.size
    name = one.mnemonic.split()[-1]
    if name in kind.plain or not name.startswith(kind.prefixes):
        return Destination(end, None)
    if name in kind.returns:
        target = kind.returned(one, read, word)
    else:
        target = kind.operand(one, end, read, word)
    if target is None:
        return None
    if name in (*kind.returns, *kind.jumps, *kind.calls):
        return Destination(end, target, call=name in kind.calls)
    return Destination(end, target, conditional=True, taken=kind.taken(one, read))


class _Flags:
    """Flags of the processor: `zero`, `carry` (in the sense of the architecture), `sign`, `overflow`, `parity`."""

    def __init__(self, word: int, zero: int, carry: int, sign: int, overflow: int, parity: int | None = None) -> None:
        self.zero, self.carry, self.sign, self.overflow = (bool(word >> at & 1) for at in (zero, carry, sign, overflow))
        self.parity = parity is not None and bool(word >> parity & 1)

    @property
    def less(self) -> bool:
        """The result of a comparison of signed numbers."""
        return self.sign != self.overflow


_Test = Callable[[_Flags], bool]

_X86_CONDITIONS: dict[str, _Test] = {
    "o": lambda flags: flags.overflow,
    "b": lambda flags: flags.carry,
    "e": lambda flags: flags.zero,
    "be": lambda flags: flags.carry or flags.zero,
    "s": lambda flags: flags.sign,
    "p": lambda flags: flags.parity,
    "l": lambda flags: flags.less,
    "le": lambda flags: flags.zero or flags.less,
}
"""Conditions by the suffixes that capstone writes (Intel SDM, volume 1, appendix B)."""

_X86_OPPOSITES = {"no": "o", "ae": "b", "ne": "e", "a": "be", "ns": "s", "np": "p", "ge": "l", "g": "le"}

_A64_CONDITIONS: dict[str, _Test] = {
    "eq": lambda flags: flags.zero,
    "hs": lambda flags: flags.carry,
    "mi": lambda flags: flags.sign,
    "vs": lambda flags: flags.overflow,
    "hi": lambda flags: flags.carry and not flags.zero,
    "lt": lambda flags: flags.less,
    "le": lambda flags: flags.zero or flags.less,
}
"""Conditions of ARM64 (Arm Architecture Reference Manual ARMv8-A, C1.2.4)."""

_A64_OPPOSITES = {"ne": "eq", "lo": "hs", "pl": "mi", "vc": "vs", "ls": "hi", "ge": "lt", "gt": "le"}


def _holds(condition: str, flags: _Flags, tests: dict[str, _Test], opposites: dict[str, str]) -> bool | None:
    if condition in tests:
        return tests[condition](flags)
    return not tests[opposites[condition]](flags) if condition in opposites else None


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

    @staticmethod
    def taken(one: capstone.CsInsn, read: ReadRegister) -> bool | None:
        word = read("eflags")
        if word is None:
            return None
        flags = _Flags(word, zero=6, carry=0, sign=7, overflow=11, parity=2)
        return _holds(one.mnemonic.split()[-1].removeprefix("j"), flags, _X86_CONDITIONS, _X86_OPPOSITES)


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

    @staticmethod
    def taken(one: capstone.CsInsn, read: ReadRegister) -> bool | None:
        name, _, condition = one.mnemonic.partition(".")
        if condition:
            word = read("cpsr")
            flags = _Flags(word, zero=30, carry=29, sign=31, overflow=28) if word is not None else None
            return _holds(condition, flags, _A64_CONDITIONS, _A64_OPPOSITES) if flags is not None else None
        register = one.reg_name(one.operands[0].reg)
        word = read("x" + register[1:])
        if word is None or register[1:] == "zr":
            return None
        if name in ("tbz", "tbnz"):
            return bool(word >> one.operands[1].imm & 1) is (name == "tbnz")
        return bool(word & (0xFFFFFFFF if register[0] == "w" else -1)) is (name == "cbnz")


_KINDS: dict[str, type[_X86_64] | type[_AARCH64]] = {"x86_64": _X86_64, "aarch64": _AARCH64}
