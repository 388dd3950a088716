"""Bits and bytes within a word: counting, reversing, fields, extending, saturating (the manual's A5.4)."""

from __future__ import annotations

from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.cpus import Feature
from jit.arm32.encoding import Encoding
from jit.arm32.operands import Shifted
from jit.arm32.registers import Register
from jit.codegen.processor import OperandError

CLZ = Encoding("clz{cond} {Rd}, {Rm}", "cond 000101101111 Rd 11110001 Rm", "CLZ, A1")
RBIT = Encoding("rbit{cond} {Rd}, {Rm}", "cond 011011111111 Rd 11110011 Rm", "RBIT, A1",
                feature=Feature.V6T2)  # fmt: skip
REV = Encoding("rev{cond} {Rd}, {Rm}", "cond 011010111111 Rd 11110011 Rm", "REV, A1")
REV16 = Encoding("rev16{cond} {Rd}, {Rm}", "cond 011010111111 Rd 11111011 Rm", "REV16, A1")
REVSH = Encoding("revsh{cond} {Rd}, {Rm}", "cond 011011111111 Rd 11111011 Rm", "REVSH, A1")

_FIELD_ENDS = {"lsb + widthm1 > 31": "the field ends beyond bit 31"}
_FIELD_ORDER = {"msb < lsb": "the field ends before it begins"}
UBFX = Encoding("ubfx{cond} {Rd}, {Rn}, #{lsb}, {width}", "cond 0111111 widthm1 Rd lsb 101 Rn", "UBFX, A1",
                never=_FIELD_ENDS, feature=Feature.V6T2)  # fmt: skip
SBFX = Encoding("sbfx{cond} {Rd}, {Rn}, #{lsb}, {width}", "cond 0111101 widthm1 Rd lsb 101 Rn", "SBFX, A1",
                never=_FIELD_ENDS, feature=Feature.V6T2)  # fmt: skip
BFI = Encoding("bfi{cond} {Rd}, {Rn}, #{lsb}, {width_to_msb}", "cond 0111110 msb Rd lsb 001 Rn", "BFI, A1",
               never=_FIELD_ORDER, feature=Feature.V6T2)  # fmt: skip
BFC = Encoding("bfc{cond} {Rd}, #{lsb}, {width_to_msb}", "cond 0111110 msb Rd lsb 0011111", "BFC, A1",
               never=_FIELD_ORDER, feature=Feature.V6T2)  # fmt: skip

SXTB = Encoding("sxtb{cond} {Rd}, {Rm}{rotation}", "cond 01101010 1111 Rd rotate 000111 Rm", "SXTB, A1")
SXTAB = Encoding("sxtab{cond} {Rd}, {Rn}, {Rm}{rotation}", "cond 01101010 Rn Rd rotate 000111 Rm", "SXTAB, A1")
SXTH = Encoding("sxth{cond} {Rd}, {Rm}{rotation}", "cond 01101011 1111 Rd rotate 000111 Rm", "SXTH, A1")
SXTAH = Encoding("sxtah{cond} {Rd}, {Rn}, {Rm}{rotation}", "cond 01101011 Rn Rd rotate 000111 Rm", "SXTAH, A1")
UXTB = Encoding("uxtb{cond} {Rd}, {Rm}{rotation}", "cond 01101110 1111 Rd rotate 000111 Rm", "UXTB, A1")
UXTAB = Encoding("uxtab{cond} {Rd}, {Rn}, {Rm}{rotation}", "cond 01101110 Rn Rd rotate 000111 Rm", "UXTAB, A1")
UXTH = Encoding("uxth{cond} {Rd}, {Rm}{rotation}", "cond 01101111 1111 Rd rotate 000111 Rm", "UXTH, A1")
UXTAH = Encoding("uxtah{cond} {Rd}, {Rn}, {Rm}{rotation}", "cond 01101111 Rn Rd rotate 000111 Rm", "UXTAH, A1")

SSAT = Encoding("ssat{cond} {Rd}, {saturate_signed}, {Rn}{saturate_shift}", "cond 0110101 sat_imm Rd imm5 sh 01 Rn",
                "SSAT, A1")  # fmt: skip
USAT = Encoding("usat{cond} {Rd}, #{sat_imm}, {Rn}{saturate_shift}", "cond 0110111 sat_imm Rd imm5 sh 01 Rn",
                "USAT, A1")  # fmt: skip

_SHIFT_LSL, _SHIFT_ASR = 0, 2


class Bits(Buffer):
    """Operations on the bits and bytes of core registers."""

    def clz(self, rd: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = the number of zero bits above the highest one bit of rm: 0 to 32."""
        self._emit(CLZ.encode(cond=cond.number, Rd=rd.number, Rm=rm.number))

    def rbit(self, rd: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = the bits of rm in reverse order."""
        self._require(RBIT)
        self._emit(RBIT.encode(cond=cond.number, Rd=rd.number, Rm=rm.number))

    def rev(self, rd: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = the bytes of rm in reverse order."""
        self._emit(REV.encode(cond=cond.number, Rd=rd.number, Rm=rm.number))

    def rev16(self, rd: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = rm with the bytes of each half exchanged."""
        self._emit(REV16.encode(cond=cond.number, Rd=rd.number, Rm=rm.number))

    def revsh(self, rd: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = the lower half of rm with its bytes exchanged, sign-extended."""
        self._emit(REVSH.encode(cond=cond.number, Rd=rd.number, Rm=rm.number))

    def ubfx(self, rd: Register, rn: Register, lsb: int, width: int, cond: Condition = AL) -> None:
        """rd = *width* bits of rn from bit *lsb* on, zero-extended."""
        self._require(UBFX)
        self._emit(UBFX.encode(cond=cond.number, widthm1=width - 1, Rd=rd.number, lsb=lsb, Rn=rn.number))

    def sbfx(self, rd: Register, rn: Register, lsb: int, width: int, cond: Condition = AL) -> None:
        """rd = *width* bits of rn from bit *lsb* on, sign-extended."""
        self._require(SBFX)
        self._emit(SBFX.encode(cond=cond.number, widthm1=width - 1, Rd=rd.number, lsb=lsb, Rn=rn.number))

    def bfi(self, rd: Register, rn: Register, lsb: int, width: int, cond: Condition = AL) -> None:
        """*width* bits of rd from bit *lsb* on = the lowest bits of rn."""
        self._require(BFI)
        self._emit(BFI.encode(cond=cond.number, msb=lsb + width - 1, Rd=rd.number, lsb=lsb, Rn=rn.number))

    def bfc(self, rd: Register, lsb: int, width: int, cond: Condition = AL) -> None:
        """*width* bits of rd from bit *lsb* on = 0."""
        self._require(BFC)
        self._emit(BFC.encode(cond=cond.number, msb=lsb + width - 1, Rd=rd.number, lsb=lsb))

    def sxtb(self, rd: Register, rm: Register, rotation: int = 0, cond: Condition = AL) -> None:
        """rd = the lowest signed byte of rm, rotated right by 0, 8, 16 or 24 bits."""
        self._extend(SXTB, rd, rm, rotation, cond=cond.number)

    def sxtab(self, rd: Register, rn: Register, rm: Register, rotation: int = 0, cond: Condition = AL) -> None:
        """rd = rn + the lowest signed byte of rm, rotated right by 0, 8, 16 or 24 bits."""
        self._extend(SXTAB, rd, rm, rotation, cond=cond.number, Rn=rn.number)

    def sxth(self, rd: Register, rm: Register, rotation: int = 0, cond: Condition = AL) -> None:
        """rd = the lowest signed halfword of rm, rotated right by 0, 8, 16 or 24 bits."""
        self._extend(SXTH, rd, rm, rotation, cond=cond.number)

    def sxtah(self, rd: Register, rn: Register, rm: Register, rotation: int = 0, cond: Condition = AL) -> None:
        """rd = rn + the lowest signed halfword of rm, rotated right by 0, 8, 16 or 24 bits."""
        self._extend(SXTAH, rd, rm, rotation, cond=cond.number, Rn=rn.number)

    def uxtb(self, rd: Register, rm: Register, rotation: int = 0, cond: Condition = AL) -> None:
        """rd = the lowest unsigned byte of rm, rotated right by 0, 8, 16 or 24 bits."""
        self._extend(UXTB, rd, rm, rotation, cond=cond.number)

    def uxtab(self, rd: Register, rn: Register, rm: Register, rotation: int = 0, cond: Condition = AL) -> None:
        """rd = rn + the lowest unsigned byte of rm, rotated right by 0, 8, 16 or 24 bits."""
        self._extend(UXTAB, rd, rm, rotation, cond=cond.number, Rn=rn.number)

    def uxth(self, rd: Register, rm: Register, rotation: int = 0, cond: Condition = AL) -> None:
        """rd = the lowest unsigned halfword of rm, rotated right by 0, 8, 16 or 24 bits."""
        self._extend(UXTH, rd, rm, rotation, cond=cond.number)

    def uxtah(self, rd: Register, rn: Register, rm: Register, rotation: int = 0, cond: Condition = AL) -> None:
        """rd = rn + the lowest unsigned halfword of rm, rotated right by 0, 8, 16 or 24 bits."""
        self._extend(UXTAH, rd, rm, rotation, cond=cond.number, Rn=rn.number)

    def ssat(self, rd: Register, bits: int, rn: Register | Shifted, cond: Condition = AL) -> None:
        """rd = rn, shifted by lsl or asr, brought into the range of signed integers of 1 to 32 *bits*."""
        self._saturate(SSAT, rd, bits - 1, rn, cond)

    def usat(self, rd: Register, bits: int, rn: Register | Shifted, cond: Condition = AL) -> None:
        """rd = rn, signed, shifted by lsl or asr, brought into the range of unsigned integers of 0 to 31 *bits*."""
        self._saturate(USAT, rd, bits, rn, cond)

    def _extend(self, encoding: Encoding, rd: Register, rm: Register, rotation: int, **fields: int) -> None:
        if rotation % 8:
            raise OperandError(f"{encoding.mnemonic}: the rotation {rotation} is not 0, 8, 16 or 24")
        self._emit(encoding.encode(Rd=rd.number, rotate=rotation // 8, Rm=rm.number, **fields))

    def _saturate(
        self, encoding: Encoding, rd: Register, sat_imm: int, rn: Register | Shifted, cond: Condition
    ) -> None:
        imm5 = sh = 0
        if isinstance(rn, Shifted):
            if rn.type not in (_SHIFT_LSL, _SHIFT_ASR):
                raise OperandError(f"{encoding.mnemonic}: the operand can be shifted by lsl and asr only")
            imm5, sh, rn = rn.imm5, rn.type >> 1, rn.rm
        self._emit(encoding.encode(cond=cond.number, sat_imm=sat_imm, Rd=rd.number, imm5=imm5, sh=sh, Rn=rn.number))
