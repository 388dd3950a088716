"""Moves of floats: between registers, from and to core registers, constants, memory (the manual's A7.5 to A7.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.cpus import Feature
from jit.arm32.encoding import Encoding
from jit.arm32.immediates import float_immediate
from jit.arm32.operands import Address
from jit.arm32.references import fill_vldr
from jit.arm32.registers import Double, Register, Single
from jit.codegen.processor import Label, OperandError

VMOV_F32 = Encoding("vmov{cond}.f32 {Sd}, {Sm}", "cond 11101 D 110000 Vd 101001 M 0 Vm", "VMOV (register), A2")
VMOV_F64 = Encoding("vmov{cond}.f64 {Dd}, {Dm}", "cond 11101 D 110000 Vd 101101 M 0 Vm", "VMOV (register), A2")
VMOV_F32_IMMEDIATE = Encoding("vmov{cond}.f32 {Sd}, {float}", "cond 11101 D 11 imm4H Vd 10100000 imm4L",
                              "VMOV (immediate), A2", feature=Feature.VFP3)  # fmt: skip
VMOV_F64_IMMEDIATE = Encoding("vmov{cond}.f64 {Dd}, {float}", "cond 11101 D 11 imm4H Vd 10110000 imm4L",
                              "VMOV (immediate), A2", feature=Feature.VFP3)  # fmt: skip
VMOV_TO_SINGLE = Encoding("vmov{cond} {Sn}, {Rt}", "cond 11100000 Vn Rt 1010 N 0010000",
                          "VMOV (between ARM core register and single-precision register), A1")  # fmt: skip
VMOV_FROM_SINGLE = Encoding("vmov{cond} {Rt}, {Sn}", "cond 11100001 Vn Rt 1010 N 0010000",
                            "VMOV (between ARM core register and single-precision register), A1")  # fmt: skip
VMOV_TO_HALF = Encoding("vmov{cond}.32 {Dd}[{x}], {Rt}", "cond 111000 x 0 Vd Rt 1011 D 0010000",
                        "VMOV (ARM core register to scalar), A1")  # fmt: skip
VMOV_FROM_HALF = Encoding("vmov{cond}.32 {Rt}, {Dn}[{x}]", "cond 111000 x 1 Vn Rt 1011 N 0010000",
                          "VMOV (scalar to ARM core register), A1")  # fmt: skip
VMOV_TO_DOUBLE = Encoding("vmov{cond} {Dm}, {Rt}, {Rt2}", "cond 11000100 Rt2 Rt 101100 M 1 Vm",
                          "VMOV (between two ARM core registers and a doubleword extension register), A1")  # fmt: skip
VMOV_FROM_DOUBLE = Encoding("vmov{cond} {Rt}, {Rt2}, {Dm}", "cond 11000101 Rt2 Rt 101100 M 1 Vm",
                            "VMOV (between two ARM core registers and a doubleword extension register), A1",
                            never={"Rt == Rt2": "the two halves need two registers"})  # fmt: skip
VMRS = Encoding("vmrs{cond} {Rt_or_flags}, fpscr", "cond 111011110001 Rt 101000010000", "VMRS, A1", pc="Rt")
VMSR = Encoding("vmsr{cond} fpscr, {Rt}", "cond 111011100001 Rt 101000010000", "VMSR, A1")

VLDR_F32 = Encoding("vldr{cond} {Sd}, {address_words}", "cond 1101 U D 01 Rn Vd 1010 imm8", "VLDR, A2", pc="Rn")
VLDR_F64 = Encoding("vldr{cond} {Dd}, {address_words}", "cond 1101 U D 01 Rn Vd 1011 imm8", "VLDR, A1", pc="Rn")
VSTR_F32 = Encoding("vstr{cond} {Sd}, {address_words}", "cond 1101 U D 00 Rn Vd 1010 imm8", "VSTR, A2")
VSTR_F64 = Encoding("vstr{cond} {Dd}, {address_words}", "cond 1101 U D 00 Rn Vd 1011 imm8", "VSTR, A1")

_SINGLES = {
    "imm8 == 0": "the list of registers is empty",
    "(Vd << 1 | D) + imm8 > 32": "the list of registers goes beyond s31",
}
_DOUBLES = {
    "imm8 == 0": "the list of registers is empty",
    "imm8 & 1": "is another instruction (FLDMX, FSTMX) with an odd number of words",
    "(D << 4 | Vd) + (imm8 >> 1) > 16": "the list of registers goes beyond d15",
}
VLDMIA_F32 = Encoding("vldmia{cond} {Rn}{writeback}, {singles}", "cond 11001 D W 1 Rn Vd 1010 imm8", "VLDM, A2",
                      never=_SINGLES)  # fmt: skip
VLDMIA_F64 = Encoding("vldmia{cond} {Rn}{writeback}, {doubles}", "cond 11001 D W 1 Rn Vd 1011 imm8", "VLDM, A1",
                      never=_DOUBLES)  # fmt: skip
VLDMDB_F32 = Encoding("vldmdb{cond} {Rn}!, {singles}", "cond 11010 D 11 Rn Vd 1010 imm8", "VLDM, A2", never=_SINGLES)
VLDMDB_F64 = Encoding("vldmdb{cond} {Rn}!, {doubles}", "cond 11010 D 11 Rn Vd 1011 imm8", "VLDM, A1", never=_DOUBLES)
VSTMIA_F32 = Encoding("vstmia{cond} {Rn}{writeback}, {singles}", "cond 11001 D W 0 Rn Vd 1010 imm8", "VSTM, A2",
                      never=_SINGLES)  # fmt: skip
VSTMIA_F64 = Encoding("vstmia{cond} {Rn}{writeback}, {doubles}", "cond 11001 D W 0 Rn Vd 1011 imm8", "VSTM, A1",
                      never=_DOUBLES)  # fmt: skip
VSTMDB_F32 = Encoding("vstmdb{cond} {Rn}!, {singles}", "cond 11010 D 10 Rn Vd 1010 imm8", "VSTM, A2", never=_SINGLES)
VSTMDB_F64 = Encoding("vstmdb{cond} {Rn}!, {doubles}", "cond 11010 D 10 Rn Vd 1011 imm8", "VSTM, A1", never=_DOUBLES)
VPUSH_F32 = Encoding("vpush{cond} {singles}", "cond 11010 D 101101 Vd 1010 imm8", "VPUSH, A2", never=_SINGLES)
VPUSH_F64 = Encoding("vpush{cond} {doubles}", "cond 11010 D 101101 Vd 1011 imm8", "VPUSH, A1", never=_DOUBLES)
VPOP_F32 = Encoding("vpop{cond} {singles}", "cond 11001 D 111101 Vd 1010 imm8", "VPOP, A2", never=_SINGLES)
VPOP_F64 = Encoding("vpop{cond} {doubles}", "cond 11001 D 111101 Vd 1011 imm8", "VPOP, A1", never=_DOUBLES)

#: Consecutive registers of one kind, in order.
FloatRegisters = Sequence[Single] | Sequence[Double]


class FloatMoves(Buffer):
    """Moves, loads and stores of VFP registers. Offsets are multiples of 4 in -1020..1020, without write-back."""

    @overload
    def vmov(self, to: Single, source: Single | Register | float, cond: Condition = AL) -> None: ...
    @overload
    def vmov(self, to: Double, source: Double | float, cond: Condition = AL) -> None: ...
    @overload
    def vmov(self, to: Register, source: Single, cond: Condition = AL) -> None: ...
    def vmov(
        self, to: Single | Double | Register, source: Single | Double | Register | float, cond: Condition = AL
    ) -> None:
        """to = source, 32 or 64 bits as they are. Constants are few: see ``immediates.expand_float``."""
        if isinstance(source, int | float):
            self._constant(to, source, cond)
        elif isinstance(to, Single) and isinstance(source, Register):
            self._emit(VMOV_TO_SINGLE.encode(cond=cond.number, Vn=to.v, Rt=source.number, N=to.bit))
        elif isinstance(to, Register) and isinstance(source, Single):
            self._emit(VMOV_FROM_SINGLE.encode(cond=cond.number, Vn=source.v, Rt=to.number, N=source.bit))
        elif isinstance(to, Register) or isinstance(source, Register) or type(to) is not type(source):
            raise OperandError(f"vmov: {to} and {source} are of different kinds")
        else:
            encoding = VMOV_F32 if isinstance(to, Single) else VMOV_F64
            self._emit(encoding.encode(cond=cond.number, D=to.bit, Vd=to.v, M=source.bit, Vm=source.v))

    def vmov_to_double(self, dm: Double, rt: Register, rt2: Register, cond: Condition = AL) -> None:
        """The lower half of dm = rt, the upper one = rt2."""
        self._emit(VMOV_TO_DOUBLE.encode(cond=cond.number, Rt2=rt2.number, Rt=rt.number, M=dm.bit, Vm=dm.v))

    def vmov_from_double(self, rt: Register, rt2: Register, dm: Double, cond: Condition = AL) -> None:
        """rt = the lower half of dm, rt2 = the upper one."""
        self._emit(VMOV_FROM_DOUBLE.encode(cond=cond.number, Rt2=rt2.number, Rt=rt.number, M=dm.bit, Vm=dm.v))

    def vmov_to_half(self, dd: Double, x: int, rt: Register, cond: Condition = AL) -> None:
        """The half *x* of dd (0 the lower, 1 the upper) = rt."""
        self._emit(VMOV_TO_HALF.encode(cond=cond.number, x=_half(x), Vd=dd.v, Rt=rt.number, D=dd.bit))

    def vmov_from_half(self, rt: Register, dn: Double, x: int, cond: Condition = AL) -> None:
        """rt = the half *x* of dn (0 the lower, 1 the upper)."""
        self._emit(VMOV_FROM_HALF.encode(cond=cond.number, x=_half(x), Vn=dn.v, Rt=rt.number, N=dn.bit))

    def vmrs(self, rt: Register, cond: Condition = AL) -> None:
        """rt = FPSCR; with pc for rt, only the flags N, Z, C and V, to where branches see them."""
        self._emit(VMRS.encode(cond=cond.number, Rt=rt.number))

    def vmsr(self, rt: Register, cond: Condition = AL) -> None:
        """FPSCR = rt."""
        self._emit(VMSR.encode(cond=cond.number, Rt=rt.number))

    def vldr(self, dd: Single | Double, address: Address, cond: Condition = AL) -> None:
        """dd = the word or two words at *address*."""
        self._one(VLDR_F32 if isinstance(dd, Single) else VLDR_F64, dd, address, cond)

    def vstr(self, dd: Single | Double, address: Address, cond: Condition = AL) -> None:
        """The word or two words at *address* = dd."""
        self._one(VSTR_F32 if isinstance(dd, Single) else VSTR_F64, dd, address, cond)

    def vldr_label(self, dd: Single | Double, label: Label, cond: Condition = AL) -> None:
        """dd = the word or two words at *label*, at most 1020 bytes from pc."""
        encoding = VLDR_F32 if isinstance(dd, Single) else VLDR_F64
        word = encoding.encode(cond=cond.number, U=0, D=dd.bit, Rn=15, Vd=dd.v, imm8=0)
        self._emit_referring(word, label, fill_vldr)

    def vldr_literal(self, dd: Double, value: float, cond: Condition = AL) -> None:
        """dd = a constant, loaded from a literal pool."""
        self.vldr_label(dd, self._double_literal(value), cond)

    def vldmia(self, rn: Register, registers: FloatRegisters, writeback: bool = False, cond: Condition = AL) -> None:
        """Load registers from the words from rn up."""
        self._list(VLDMIA_F32, VLDMIA_F64, registers, cond=cond.number, W=int(writeback), Rn=rn.number)

    def vldmdb(self, rn: Register, registers: FloatRegisters, cond: Condition = AL) -> None:
        """Load registers from the words below rn, and move rn down."""
        self._list(VLDMDB_F32, VLDMDB_F64, registers, cond=cond.number, Rn=rn.number)

    def vstmia(self, rn: Register, registers: FloatRegisters, writeback: bool = False, cond: Condition = AL) -> None:
        """Store registers in the words from rn up."""
        self._list(VSTMIA_F32, VSTMIA_F64, registers, cond=cond.number, W=int(writeback), Rn=rn.number)

    def vstmdb(self, rn: Register, registers: FloatRegisters, cond: Condition = AL) -> None:
        """Store registers in the words below rn, and move rn down."""
        self._list(VSTMDB_F32, VSTMDB_F64, registers, cond=cond.number, Rn=rn.number)

    def vpush(self, registers: FloatRegisters, cond: Condition = AL) -> None:
        """Store registers below sp, and move sp down."""
        self._list(VPUSH_F32, VPUSH_F64, registers, cond=cond.number)

    def vpop(self, registers: FloatRegisters, cond: Condition = AL) -> None:
        """Load registers from sp up, and move sp up."""
        self._list(VPOP_F32, VPOP_F64, registers, cond=cond.number)

    def _constant(self, to: Single | Double | Register, value: float, cond: Condition) -> None:
        imm8 = float_immediate(value)
        if isinstance(to, Register) or imm8 is None:
            raise OperandError(f"vmov: {value} cannot be a constant for {to}")
        encoding = VMOV_F32_IMMEDIATE if isinstance(to, Single) else VMOV_F64_IMMEDIATE
        self._require(encoding)
        self._emit(encoding.encode(cond=cond.number, D=to.bit, imm4H=imm8 >> 4, Vd=to.v, imm4L=imm8 & 15))

    def _one(self, encoding: Encoding, dd: Single | Double, address: Address, cond: Condition) -> None:
        if address.index is not None or address.W or not address.P:
            raise OperandError(f"{encoding.mnemonic}: the address must be a register and a constant offset")
        if address.amount % 4 or address.amount > 1020:
            offset = address.amount if address.U else -address.amount
            raise OperandError(f"{encoding.mnemonic}: the offset {offset} is no multiple of 4 in -1020..1020")
        self._emit(
            encoding.encode(
                cond=cond.number, U=address.U, D=dd.bit, Rn=address.rn.number, Vd=dd.v, imm8=address.amount >> 2
            )
        )

    def _list(self, single: Encoding, double: Encoding, registers: FloatRegisters, **fields: int) -> None:
        if not registers:
            raise OperandError(f"{double.mnemonic}: the list of registers is empty")
        first = registers[0]
        numbers = [register.number for register in registers]
        same_kind = all(type(register) is type(first) for register in registers)
        if not same_kind or numbers != list(range(first.number, first.number + len(numbers))):
            raise OperandError(f"{double.mnemonic}: {', '.join(map(str, registers))} are not consecutive registers")
        encoding, words = (single, 1) if isinstance(first, Single) else (double, 2)
        self._emit(encoding.encode(D=first.bit, Vd=first.v, imm8=words * len(registers), **fields))


def _half(x: int) -> int:
    if x not in (0, 1):
        raise OperandError(f"vmov: the half {x} is not 0 or 1")
    return x
