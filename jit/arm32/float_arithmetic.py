"""Arithmetic, comparison and conversion of floats (the manual's A7.5)."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.encoding import Encoding
from jit.arm32.registers import Double, Single
from jit.codegen.processor import OperandError


class Precisions(NamedTuple):
    """The two encodings of an operation, which differ in the bit sz."""

    single: Encoding
    double: Encoding


def _both(syntax: str, diagram: str, source: str) -> Precisions:
    """*syntax* has Fd, Fn and Fm for registers, and F for the type; *diagram* has sz."""
    return Precisions(*[
        Encoding(
            syntax.replace("{F", "{" + letter).replace("{" + letter + "}", name), diagram.replace("sz", bit), source
        )
        for letter, name, bit in (("S", "f32", "0"), ("D", "f64", "1"))
    ])  # fmt: skip


VADD = _both("vadd{cond}.{F} {Fd}, {Fn}, {Fm}", "cond 11100 D 11 Vn Vd 101 sz N 0 M 0 Vm", "VADD (floating-point), A2")
VSUB = _both("vsub{cond}.{F} {Fd}, {Fn}, {Fm}", "cond 11100 D 11 Vn Vd 101 sz N 1 M 0 Vm", "VSUB (floating-point), A2")
VMUL = _both("vmul{cond}.{F} {Fd}, {Fn}, {Fm}", "cond 11100 D 10 Vn Vd 101 sz N 0 M 0 Vm", "VMUL (floating-point), A2")
VNMUL = _both("vnmul{cond}.{F} {Fd}, {Fn}, {Fm}", "cond 11100 D 10 Vn Vd 101 sz N 1 M 0 Vm", "VNMLA, VNMLS, VNMUL, A2")
VDIV = _both("vdiv{cond}.{F} {Fd}, {Fn}, {Fm}", "cond 11101 D 00 Vn Vd 101 sz N 0 M 0 Vm", "VDIV, A1")
VMLA = _both("vmla{cond}.{F} {Fd}, {Fn}, {Fm}", "cond 11100 D 00 Vn Vd 101 sz N 0 M 0 Vm",
              "VMLA, VMLS (floating-point), A2")  # fmt: skip
VMLS = _both("vmls{cond}.{F} {Fd}, {Fn}, {Fm}", "cond 11100 D 00 Vn Vd 101 sz N 1 M 0 Vm",
              "VMLA, VMLS (floating-point), A2")  # fmt: skip
VNMLA = _both("vnmla{cond}.{F} {Fd}, {Fn}, {Fm}", "cond 11100 D 01 Vn Vd 101 sz N 1 M 0 Vm", "VNMLA, VNMLS, VNMUL, A1")
VNMLS = _both("vnmls{cond}.{F} {Fd}, {Fn}, {Fm}", "cond 11100 D 01 Vn Vd 101 sz N 0 M 0 Vm", "VNMLA, VNMLS, VNMUL, A1")
VABS = _both("vabs{cond}.{F} {Fd}, {Fm}", "cond 11101 D 110000 Vd 101 sz 11 M 0 Vm", "VABS, A2")
VNEG = _both("vneg{cond}.{F} {Fd}, {Fm}", "cond 11101 D 110001 Vd 101 sz 01 M 0 Vm", "VNEG, A2")
VSQRT = _both("vsqrt{cond}.{F} {Fd}, {Fm}", "cond 11101 D 110001 Vd 101 sz 11 M 0 Vm", "VSQRT, A1")
VCMP = _both("vcmp{cond}.{F} {Fd}, {Fm}", "cond 11101 D 110100 Vd 101 sz 01 M 0 Vm", "VCMP, VCMPE, A1")
VCMP_ZERO = _both("vcmp{cond}.{F} {Fd}, #0", "cond 11101 D 110101 Vd 101 sz 01000000", "VCMP, VCMPE, A2")
VCMPE = _both("vcmpe{cond}.{F} {Fd}, {Fm}", "cond 11101 D 110100 Vd 101 sz 11 M 0 Vm", "VCMP, VCMPE, A1")
VCMPE_ZERO = _both("vcmpe{cond}.{F} {Fd}, #0", "cond 11101 D 110101 Vd 101 sz 11000000", "VCMP, VCMPE, A2")

VCVT_F64_F32 = Encoding("vcvt{cond}.f64.f32 {Dd}, {Sm}", "cond 11101 D 110111 Vd 101011 M 0 Vm",
                        "VCVT (between double-precision and single-precision), A1")  # fmt: skip
VCVT_F32_F64 = Encoding("vcvt{cond}.f32.f64 {Sd}, {Dm}", "cond 11101 D 110111 Vd 101111 M 0 Vm",
                        "VCVT (between double-precision and single-precision), A1")  # fmt: skip

_INTEGERS = "VCVT, VCVTR (between floating-point and integer, Floating-point), A1"
VCVT_F32_S32 = Encoding("vcvt{cond}.f32.s32 {Sd}, {Sm}", "cond 11101 D 111000 Vd 101011 M 0 Vm", _INTEGERS)
VCVT_F32_U32 = Encoding("vcvt{cond}.f32.u32 {Sd}, {Sm}", "cond 11101 D 111000 Vd 101001 M 0 Vm", _INTEGERS)
VCVT_F64_S32 = Encoding("vcvt{cond}.f64.s32 {Dd}, {Sm}", "cond 11101 D 111000 Vd 101111 M 0 Vm", _INTEGERS)
VCVT_F64_U32 = Encoding("vcvt{cond}.f64.u32 {Dd}, {Sm}", "cond 11101 D 111000 Vd 101101 M 0 Vm", _INTEGERS)
VCVT_S32_F32 = Encoding("vcvt{cond}.s32.f32 {Sd}, {Sm}", "cond 11101 D 111101 Vd 101011 M 0 Vm", _INTEGERS)
VCVTR_S32_F32 = Encoding("vcvtr{cond}.s32.f32 {Sd}, {Sm}", "cond 11101 D 111101 Vd 101001 M 0 Vm", _INTEGERS)
VCVT_U32_F32 = Encoding("vcvt{cond}.u32.f32 {Sd}, {Sm}", "cond 11101 D 111100 Vd 101011 M 0 Vm", _INTEGERS)
VCVTR_U32_F32 = Encoding("vcvtr{cond}.u32.f32 {Sd}, {Sm}", "cond 11101 D 111100 Vd 101001 M 0 Vm", _INTEGERS)
VCVT_S32_F64 = Encoding("vcvt{cond}.s32.f64 {Sd}, {Dm}", "cond 11101 D 111101 Vd 101111 M 0 Vm", _INTEGERS)
VCVTR_S32_F64 = Encoding("vcvtr{cond}.s32.f64 {Sd}, {Dm}", "cond 11101 D 111101 Vd 101101 M 0 Vm", _INTEGERS)
VCVT_U32_F64 = Encoding("vcvt{cond}.u32.f64 {Sd}, {Dm}", "cond 11101 D 111100 Vd 101111 M 0 Vm", _INTEGERS)
VCVTR_U32_F64 = Encoding("vcvtr{cond}.u32.f64 {Sd}, {Dm}", "cond 11101 D 111100 Vd 101101 M 0 Vm", _INTEGERS)


F = TypeVar("F", Single, Double)


class FloatArithmetic(Buffer):
    """Operations on floats: all operands are singles, or all are doubles, which selects .f32 or .f64."""

    def vadd(self, dd: F, dn: F, dm: F, cond: Condition = AL) -> None:
        """dd = dn + dm."""
        self._three(VADD, dd, dn, dm, cond)

    def vsub(self, dd: F, dn: F, dm: F, cond: Condition = AL) -> None:
        """dd = dn - dm."""
        self._three(VSUB, dd, dn, dm, cond)

    def vmul(self, dd: F, dn: F, dm: F, cond: Condition = AL) -> None:
        """dd = dn * dm."""
        self._three(VMUL, dd, dn, dm, cond)

    def vnmul(self, dd: F, dn: F, dm: F, cond: Condition = AL) -> None:
        """dd = -(dn * dm)."""
        self._three(VNMUL, dd, dn, dm, cond)

    def vdiv(self, dd: F, dn: F, dm: F, cond: Condition = AL) -> None:
        """dd = dn / dm."""
        self._three(VDIV, dd, dn, dm, cond)

    def vmla(self, dd: F, dn: F, dm: F, cond: Condition = AL) -> None:
        """dd = dd + dn * dm, rounded twice."""
        self._three(VMLA, dd, dn, dm, cond)

    def vmls(self, dd: F, dn: F, dm: F, cond: Condition = AL) -> None:
        """dd = dd - dn * dm, rounded twice."""
        self._three(VMLS, dd, dn, dm, cond)

    def vnmla(self, dd: F, dn: F, dm: F, cond: Condition = AL) -> None:
        """dd = -dd - dn * dm, rounded twice."""
        self._three(VNMLA, dd, dn, dm, cond)

    def vnmls(self, dd: F, dn: F, dm: F, cond: Condition = AL) -> None:
        """dd = -dd + dn * dm, rounded twice."""
        self._three(VNMLS, dd, dn, dm, cond)

    def vabs(self, dd: F, dm: F, cond: Condition = AL) -> None:
        """dd = the absolute value of dm."""
        self._two(VABS, dd, dm, cond)

    def vneg(self, dd: F, dm: F, cond: Condition = AL) -> None:
        """dd = -dm."""
        self._two(VNEG, dd, dm, cond)

    def vsqrt(self, dd: F, dm: F, cond: Condition = AL) -> None:
        """dd = the square root of dm."""
        self._two(VSQRT, dd, dm, cond)

    def vcmp(self, dd: F, dm: F, cond: Condition = AL) -> None:
        """The flags in FPSCR of dd - dm."""
        self._two(VCMP, dd, dm, cond)

    def vcmp_zero(self, dd: F, cond: Condition = AL) -> None:
        """The flags in FPSCR of dd - 0.0."""
        encoding = _select(VCMP_ZERO, dd)
        self._emit(encoding.encode(cond=cond.number, D=dd.bit, Vd=dd.v))

    def vcmpe(self, dd: F, dm: F, cond: Condition = AL) -> None:
        """The flags in FPSCR of dd - dm; any NaN is an invalid operation."""
        self._two(VCMPE, dd, dm, cond)

    def vcmpe_zero(self, dd: F, cond: Condition = AL) -> None:
        """The flags in FPSCR of dd - 0.0; any NaN is an invalid operation."""
        encoding = _select(VCMPE_ZERO, dd)
        self._emit(encoding.encode(cond=cond.number, D=dd.bit, Vd=dd.v))

    def vcvt_f64_f32(self, dd: Double, sm: Single, cond: Condition = AL) -> None:
        """dd = sm, exactly."""
        self._convert(VCVT_F64_F32, dd, sm, cond)

    def vcvt_f32_f64(self, sd: Single, dm: Double, cond: Condition = AL) -> None:
        """sd = dm, rounded as FPSCR says."""
        self._convert(VCVT_F32_F64, sd, dm, cond)

    def vcvt_f32_s32(self, sd: Single, sm: Single, cond: Condition = AL) -> None:
        """sd = the signed integer in sm."""
        self._convert(VCVT_F32_S32, sd, sm, cond)

    def vcvt_f32_u32(self, sd: Single, sm: Single, cond: Condition = AL) -> None:
        """sd = the unsigned integer in sm."""
        self._convert(VCVT_F32_U32, sd, sm, cond)

    def vcvt_f64_s32(self, dd: Double, sm: Single, cond: Condition = AL) -> None:
        """dd = the signed integer in sm."""
        self._convert(VCVT_F64_S32, dd, sm, cond)

    def vcvt_f64_u32(self, dd: Double, sm: Single, cond: Condition = AL) -> None:
        """dd = the unsigned integer in sm."""
        self._convert(VCVT_F64_U32, dd, sm, cond)

    def vcvt_s32_f32(self, sd: Single, sm: Single, cond: Condition = AL) -> None:
        """sd = sm as a signed integer, rounded towards zero, at most the nearest that there is."""
        self._convert(VCVT_S32_F32, sd, sm, cond)

    def vcvtr_s32_f32(self, sd: Single, sm: Single, cond: Condition = AL) -> None:
        """sd = sm as a signed integer, rounded as FPSCR says, at most the nearest that there is."""
        self._convert(VCVTR_S32_F32, sd, sm, cond)

    def vcvt_u32_f32(self, sd: Single, sm: Single, cond: Condition = AL) -> None:
        """sd = sm as a unsigned integer, rounded towards zero, at most the nearest that there is."""
        self._convert(VCVT_U32_F32, sd, sm, cond)

    def vcvtr_u32_f32(self, sd: Single, sm: Single, cond: Condition = AL) -> None:
        """sd = sm as a unsigned integer, rounded as FPSCR says, at most the nearest that there is."""
        self._convert(VCVTR_U32_F32, sd, sm, cond)

    def vcvt_s32_f64(self, sd: Single, dm: Double, cond: Condition = AL) -> None:
        """sd = dm as a signed integer, rounded towards zero, at most the nearest that there is."""
        self._convert(VCVT_S32_F64, sd, dm, cond)

    def vcvtr_s32_f64(self, sd: Single, dm: Double, cond: Condition = AL) -> None:
        """sd = dm as a signed integer, rounded as FPSCR says, at most the nearest that there is."""
        self._convert(VCVTR_S32_F64, sd, dm, cond)

    def vcvt_u32_f64(self, sd: Single, dm: Double, cond: Condition = AL) -> None:
        """sd = dm as a unsigned integer, rounded towards zero, at most the nearest that there is."""
        self._convert(VCVT_U32_F64, sd, dm, cond)

    def vcvtr_u32_f64(self, sd: Single, dm: Double, cond: Condition = AL) -> None:
        """sd = dm as a unsigned integer, rounded as FPSCR says, at most the nearest that there is."""
        self._convert(VCVTR_U32_F64, sd, dm, cond)

    def _three(self, op: Precisions, dd: F, dn: F, dm: F, cond: Condition) -> None:
        encoding = _select(op, dd, dn, dm)
        self._emit(encoding.encode(cond=cond.number, D=dd.bit, Vn=dn.v, Vd=dd.v, N=dn.bit, M=dm.bit, Vm=dm.v))

    def _two(self, op: Precisions, dd: F, dm: F, cond: Condition) -> None:
        self._convert(_select(op, dd, dm), dd, dm, cond)

    def _convert(self, encoding: Encoding, dd: Single | Double, dm: Single | Double, cond: Condition) -> None:
        self._emit(encoding.encode(cond=cond.number, D=dd.bit, Vd=dd.v, M=dm.bit, Vm=dm.v))


def _select(op: Precisions, *operands: Single | Double) -> Encoding:
    kinds = set(map(type, operands))
    if kinds == {Double}:
        return op.double
    if kinds == {Single}:
        return op.single
    raise OperandError(f"{op.double.mnemonic}: the operands are not all singles or all doubles")
