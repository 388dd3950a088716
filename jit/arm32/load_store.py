"""Loads and stores of one or two registers (the manual's A5.3 and A5.2.8)."""

from __future__ import annotations

from typing import NamedTuple

from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.encoding import Encoding
from jit.arm32.operands import Address, check_pair
from jit.arm32.references import fill_ldr
from jit.arm32.registers import LR, PC, SP, Register
from jit.arm32.relocations import External
from jit.codegen.processor import Event, Jumped, Label, OperandError, RegisterSaved

_WRITES_BACK = "(not P or W)"
_BASE = {
    "not P and W": "is another instruction (unprivileged access) with P 0 and W 1",
    f"{_WRITES_BACK} and Rn == 15": "cannot write back to pc",
    f"{_WRITES_BACK} and Rn == Rt": "cannot write back to the register that is transferred",
}
_ALIGNED = {"Rn == 15 and Rt == 15 and imm12 & 3": "the word loaded into pc must be at a multiple of 4"}
_PAIR = {
    **_BASE,
    "Rt & 1 or Rt == 14": "the first of the two registers must be even, and not lr",
    f"{_WRITES_BACK} and Rn == Rt + 1": "cannot write back to a register that is transferred",
}
_PAIR_LOADED = {**_PAIR, "Rm == Rt or Rm == Rt + 1": "the offset cannot be in a register that is loaded"}


class Access(NamedTuple):
    """The two encodings of an access, which differ in the offset; *limit* is the largest constant one in bytes."""

    immediate: Encoding
    register: Encoding
    limit: int


def _word_or_byte(mnemonic: str, opcode: str, pc: str = "Rn") -> Access:
    """Addressing with 12-bit constants and shifted registers; *opcode* is B W L."""
    syntax, name = f"{mnemonic}{{cond}} {{Rt}}, ", mnemonic.upper()
    never = {**_BASE, **_ALIGNED} if "Rt" in pc else _BASE
    return Access(
        Encoding(syntax + "{address12}", f"cond 010 P U {opcode} Rn Rt imm12",
                 f"{name} (immediate, ARM) or (literal), A1", pc=pc, never=never),
        Encoding(syntax + "{address_shifted}", f"cond 011 P U {opcode} Rn Rt imm5 type 0 Rm",
                 f"{name} (register, ARM), A1", pc=pc, never=_BASE),
        4095,
    )  # fmt: skip


def _half_or_double(mnemonic: str, load: str, opcode: str) -> Access:
    """Addressing with 8-bit constants and plain registers; *opcode* is in bits 6 and 5."""
    pair = mnemonic in ("ldrd", "strd")
    syntax = f"{mnemonic}{{cond}} {{Rt}}, {{Rt_next}}, " if pair else f"{mnemonic}{{cond}} {{Rt}}, "
    name = mnemonic.upper()
    pc = "" if mnemonic.startswith("st") else "Rn"
    never = _PAIR if pair else _BASE
    return Access(
        Encoding(syntax + "{address8}", f"cond 000 P U 1 W {load} Rn Rt imm4H 1 {opcode} 1 imm4L",
                 f"{name} (immediate, ARM) or (literal), A1", pc=pc, never=never),
        Encoding(syntax + "{address_register}", f"cond 000 P U 0 W {load} Rn Rt 0000 1 {opcode} 1 Rm",
                 f"{name} (register), A1", pc=pc, never=_PAIR_LOADED if mnemonic == "ldrd" else never),
        255,
    )  # fmt: skip


LDR = _word_or_byte("ldr", "0 W 1", pc="Rn Rt")
STR = _word_or_byte("str", "0 W 0", pc="")
LDRB = _word_or_byte("ldrb", "1 W 1")
STRB = _word_or_byte("strb", "1 W 0", pc="")
LDRH = _half_or_double("ldrh", "1", "01")
STRH = _half_or_double("strh", "0", "01")
LDRSB = _half_or_double("ldrsb", "1", "10")
LDRSH = _half_or_double("ldrsh", "1", "11")
LDRD = _half_or_double("ldrd", "0", "10")
STRD = _half_or_double("strd", "0", "11")


class LoadStore(Buffer):
    """Loads and stores. Addresses are made by ``operands.at``, ``pre`` and ``post``.

    Constant offsets are -4095..4095 for words and unsigned bytes, -255..255 for the others; shifted registers are for
    words and unsigned bytes only.
    """

    def ldr(self, rt: Register, address: Address, cond: Condition = AL) -> None:
        """rt = the word at *address*; a load of pc is a jump."""
        events = [Jumped(*self._next, None, always=cond is AL)] if rt is PC else []
        self._word_or_byte(LDR, rt, address, cond, *events)

    def str(self, rt: Register, address: Address, cond: Condition = AL) -> None:
        """The word at *address* = rt. Of lr that is an event: what else is stored on the stack are arguments."""
        events = []
        if rt is LR and cond is AL and address.rn is SP and address.index is None and address.P and not address.W:
            place = address.amount if address.U else -address.amount
            events.append(RegisterSaved(*self._next, rt.number, place))
        self._word_or_byte(STR, rt, address, cond, *events)

    def ldrb(self, rt: Register, address: Address, cond: Condition = AL) -> None:
        """rt = the byte at *address*, zero-extended."""
        self._word_or_byte(LDRB, rt, address, cond)

    def strb(self, rt: Register, address: Address, cond: Condition = AL) -> None:
        """The byte at *address* = the lowest of rt."""
        self._word_or_byte(STRB, rt, address, cond)

    def ldrh(self, rt: Register, address: Address, cond: Condition = AL) -> None:
        """rt = the halfword at *address*, zero-extended."""
        self._half_or_double(LDRH, rt, address, cond)

    def strh(self, rt: Register, address: Address, cond: Condition = AL) -> None:
        """The halfword at *address* = the lower of rt."""
        self._half_or_double(STRH, rt, address, cond)

    def ldrsb(self, rt: Register, address: Address, cond: Condition = AL) -> None:
        """rt = the byte at *address*, sign-extended."""
        self._half_or_double(LDRSB, rt, address, cond)

    def ldrsh(self, rt: Register, address: Address, cond: Condition = AL) -> None:
        """rt = the halfword at *address*, sign-extended."""
        self._half_or_double(LDRSH, rt, address, cond)

    def ldrd(self, rt: Register, rt2: Register, address: Address, cond: Condition = AL) -> None:
        """rt, rt2 = the two words at *address*; rt is even and rt2 the next register."""
        check_pair("ldrd", rt, rt2)
        self._half_or_double(LDRD, rt, address, cond)

    def strd(self, rt: Register, rt2: Register, address: Address, cond: Condition = AL) -> None:
        """The two words at *address* = rt, rt2; rt is even and rt2 the next register."""
        check_pair("strd", rt, rt2)
        self._half_or_double(STRD, rt, address, cond)

    def ldr_label(self, rt: Register, label: Label, cond: Condition = AL) -> None:
        """rt = the word at *label*, at most 4095 bytes from pc."""
        word = LDR.immediate.encode(cond=cond.number, P=1, U=0, W=0, Rn=15, Rt=rt.number, imm12=0)
        self._emit_referring(word, label, fill_ldr)

    def ldr_literal(self, rt: Register, value: int | External | Label, cond: Condition = AL) -> None:
        """rt = a 32-bit constant, or an address (with a relocation), loaded from a literal pool."""
        if isinstance(value, int):
            if not -(1 << 31) <= value < 1 << 32:
                raise OperandError(f"ldr: the literal {value} does not fit 32 bits")
            value &= 0xFFFF_FFFF
        self.ldr_label(rt, self._word_literal(value), cond)

    def _word_or_byte(self, access: Access, rt: Register, address: Address, cond: Condition, *events: Event) -> None:
        index = address.index
        if index is None:
            if address.amount > access.limit:
                raise _out_of_range(access, address)
            word = access.immediate.encode(
                cond=cond.number, P=address.P, U=address.U, W=address.W, Rn=address.rn.number, Rt=rt.number,
                imm12=address.amount,
            )  # fmt: skip
        else:
            word = access.register.encode(
                cond=cond.number, P=address.P, U=address.U, W=address.W, Rn=address.rn.number, Rt=rt.number,
                imm5=address.imm5, type=address.type, Rm=index.number,
            )  # fmt: skip
        self._emit(word, *events)

    def _half_or_double(self, access: Access, rt: Register, address: Address, cond: Condition) -> None:
        index = address.index
        if index is None:
            if address.amount > access.limit:
                raise _out_of_range(access, address)
            word = access.immediate.encode(
                cond=cond.number, P=address.P, U=address.U, W=address.W, Rn=address.rn.number, Rt=rt.number,
                imm4H=address.amount >> 4, imm4L=address.amount & 15,
            )  # fmt: skip
        elif address.type or address.imm5:
            raise OperandError(f"{access.register.mnemonic}: the offset register cannot be shifted")
        else:
            word = access.register.encode(
                cond=cond.number, P=address.P, U=address.U, W=address.W, Rn=address.rn.number, Rt=rt.number,
                Rm=index.number,
            )  # fmt: skip
        self._emit(word)


def _out_of_range(access: Access, address: Address) -> OperandError:
    offset = address.amount if address.U else -address.amount
    return OperandError(f"{access.immediate.mnemonic}: the offset {offset} is not in -{access.limit}..{access.limit}")
