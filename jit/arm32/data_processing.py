"""Arithmetic, logic and moves (the manual's A5.2.1 to A5.2.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from jit.arm32 import operands
from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.cpus import Feature
from jit.arm32.encoding import Encoding
from jit.arm32.immediates import modified
from jit.arm32.operands import Operand2, Shifted
from jit.arm32.references import fill_adr
from jit.arm32.registers import PC, SP, Register
from jit.arm32.relocations import R_ARM, External
from jit.codegen.processor import Event, Jumped, Label, OperandError, StackMoved


class DataOperation(NamedTuple):
    """The three encodings of an operation, which differ in the second operand."""

    immediate: Encoding
    register: Encoding
    shifted: Encoding


_PC_FLAGS = {"S and Rd == 15": "returns from an exception with pc and the S bit"}


def _operation(syntax: str, name: str, opcode: str, registers: str, pc: str) -> DataOperation:
    """*registers* are the bits from S to Rd. (Some of the manual's headings say ", ARM" as well.)"""
    pc_flags = _PC_FLAGS if "S" in registers and "Rd" in registers else None
    return DataOperation(
        Encoding(f"{syntax}, {{const}}", f"cond 001 {opcode} {registers} imm12",
                 f"{name} (immediate), A1", pc=pc, never=pc_flags),
        Encoding(f"{syntax}, {{Rm}}{{shift}}", f"cond 000 {opcode} {registers} imm5 type 0 Rm",
                 f"{name} (register), A1", pc=f"{pc} Rm", never=pc_flags),
        Encoding(f"{syntax}, {{Rm}}, {{type}} {{Rs}}", f"cond 000 {opcode} {registers} Rs 0 type 1 Rm",
                 f"{name} (register-shifted register), A1"),
    )  # fmt: skip


def _calculation(mnemonic: str, opcode: str) -> DataOperation:
    return _operation(f"{mnemonic}{{S}}{{cond}} {{Rd}}, {{Rn}}", mnemonic.upper(), opcode, "S Rn Rd", "Rd Rn")


def _comparison(mnemonic: str, opcode: str) -> DataOperation:
    return _operation(f"{mnemonic}{{cond}} {{Rn}}", mnemonic.upper(), opcode, "1 Rn 0000", "Rn")


def _move(mnemonic: str, opcode: str) -> DataOperation:
    return _operation(f"{mnemonic}{{S}}{{cond}} {{Rd}}", mnemonic.upper(), opcode, "S 0000 Rd", "Rd")


AND = _calculation("and", "0000")
EOR = _calculation("eor", "0001")
SUB = _calculation("sub", "0010")
RSB = _calculation("rsb", "0011")
ADD = _calculation("add", "0100")
ADC = _calculation("adc", "0101")
SBC = _calculation("sbc", "0110")
RSC = _calculation("rsc", "0111")
TST = _comparison("tst", "1000")
TEQ = _comparison("teq", "1001")
CMP = _comparison("cmp", "1010")
CMN = _comparison("cmn", "1011")
ORR = _calculation("orr", "1100")
MOV = _move("mov", "1101")
BIC = _calculation("bic", "1110")
MVN = _move("mvn", "1111")

# MOV of a shifted register by the names that it has.
MOV_REGISTER = Encoding("mov{S}{cond} {Rd}, {Rm}", "cond 0001101 S 0000 Rd 00000000 Rm", "MOV (register), A1",
                        pc="Rd Rm", never=_PC_FLAGS)  # fmt: skip
LSL = Encoding("lsl{S}{cond} {Rd}, {Rm}, #{imm5}", "cond 0001101 S 0000 Rd imm5 000 Rm", "LSL (immediate), A1",
               pc="Rd Rm", never=_PC_FLAGS)  # fmt: skip
LSR = Encoding("lsr{S}{cond} {Rd}, {Rm}, {right}", "cond 0001101 S 0000 Rd imm5 010 Rm", "LSR (immediate), A1",
               pc="Rd Rm", never=_PC_FLAGS)  # fmt: skip
ASR = Encoding("asr{S}{cond} {Rd}, {Rm}, {right}", "cond 0001101 S 0000 Rd imm5 100 Rm", "ASR (immediate), A1",
               pc="Rd Rm", never=_PC_FLAGS)  # fmt: skip
ROR = Encoding("ror{S}{cond} {Rd}, {Rm}, #{imm5}", "cond 0001101 S 0000 Rd imm5 110 Rm", "ROR (immediate), A1",
               pc="Rd Rm", never=_PC_FLAGS)  # fmt: skip
RRX = Encoding("rrx{S}{cond} {Rd}, {Rm}", "cond 0001101 S 0000 Rd 00000110 Rm", "RRX, A1", pc="Rd Rm", never=_PC_FLAGS)
LSL_REGISTER = Encoding("lsl{S}{cond} {Rd}, {Rn}, {Rm}", "cond 0001101 S 0000 Rd Rm 0001 Rn", "LSL (register), A1")
LSR_REGISTER = Encoding("lsr{S}{cond} {Rd}, {Rn}, {Rm}", "cond 0001101 S 0000 Rd Rm 0011 Rn", "LSR (register), A1")
ASR_REGISTER = Encoding("asr{S}{cond} {Rd}, {Rn}, {Rm}", "cond 0001101 S 0000 Rd Rm 0101 Rn", "ASR (register), A1")
ROR_REGISTER = Encoding("ror{S}{cond} {Rd}, {Rn}, {Rm}", "cond 0001101 S 0000 Rd Rm 0111 Rn", "ROR (register), A1")

MOVW = Encoding("movw{cond} {Rd}, {imm16}", "cond 00110000 imm4 Rd imm12", "MOV (immediate), A2",
                feature=Feature.V6T2)  # fmt: skip
MOVT = Encoding("movt{cond} {Rd}, {imm16}", "cond 00110100 imm4 Rd imm12", "MOVT, A1", feature=Feature.V6T2)
ADR = Encoding("add{cond} {Rd}, pc, {pc_offset}", "cond 001010001111 Rd imm12", "ADR, A1", pc="Rd")


class DataProcessing(Buffer):
    """Operations on core registers. A constant operand must be a modified constant, else OperandError.

    The forms with an s at the end set the flags.
    """

    def and_(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn & op2."""
        self._operate(AND, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def ands(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn & op2, and flags."""
        self._operate(AND, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def eor(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn ^ op2."""
        self._operate(EOR, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def eors(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn ^ op2, and flags."""
        self._operate(EOR, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def sub(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn - op2."""
        self._operate(SUB, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def subs(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn - op2, and flags."""
        self._operate(SUB, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def rsb(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = op2 - rn."""
        self._operate(RSB, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def rsbs(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = op2 - rn, and flags."""
        self._operate(RSB, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def add(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn + op2."""
        self._operate(ADD, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def adds(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn + op2, and flags."""
        self._operate(ADD, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def adc(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn + op2 + carry."""
        self._operate(ADC, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def adcs(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn + op2 + carry, and flags."""
        self._operate(ADC, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def sbc(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn - op2 - not carry."""
        self._operate(SBC, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def sbcs(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn - op2 - not carry, and flags."""
        self._operate(SBC, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def rsc(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = op2 - rn - not carry."""
        self._operate(RSC, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def rscs(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = op2 - rn - not carry, and flags."""
        self._operate(RSC, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def tst(self, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """The flags of rn & op2."""
        self._operate(TST, op2, cond=cond.number, Rn=rn.number)

    def teq(self, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """The flags of rn ^ op2."""
        self._operate(TEQ, op2, cond=cond.number, Rn=rn.number)

    def cmp(self, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """The flags of rn - op2."""
        self._operate(CMP, op2, cond=cond.number, Rn=rn.number)

    def cmn(self, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """The flags of rn + op2."""
        self._operate(CMN, op2, cond=cond.number, Rn=rn.number)

    def orr(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn | op2."""
        self._operate(ORR, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def orrs(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn | op2, and flags."""
        self._operate(ORR, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def mov(self, rd: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = op2."""
        self._operate(MOV, op2, cond=cond.number, S=0, Rd=rd.number)

    def movs(self, rd: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = op2, and flags."""
        self._operate(MOV, op2, cond=cond.number, S=1, Rd=rd.number)

    def bic(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn & ~op2."""
        self._operate(BIC, op2, cond=cond.number, S=0, Rn=rn.number, Rd=rd.number)

    def bics(self, rd: Register, rn: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = rn & ~op2, and flags."""
        self._operate(BIC, op2, cond=cond.number, S=1, Rn=rn.number, Rd=rd.number)

    def mvn(self, rd: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = ~op2."""
        self._operate(MVN, op2, cond=cond.number, S=0, Rd=rd.number)

    def mvns(self, rd: Register, op2: Operand2, cond: Condition = AL) -> None:
        """rd = ~op2, and flags."""
        self._operate(MVN, op2, cond=cond.number, S=1, Rd=rd.number)

    def lsl(self, rd: Register, rm: Register, by: int | Register, cond: Condition = AL) -> None:
        """rd = rm << by, 0 to 31 or the lowest byte of a register."""
        self.mov(rd, operands.lsl(rm, by), cond)

    def lsls(self, rd: Register, rm: Register, by: int | Register, cond: Condition = AL) -> None:
        """rd = rm << by, 0 to 31 or the lowest byte of a register, and flags."""
        self.movs(rd, operands.lsl(rm, by), cond)

    def lsr(self, rd: Register, rm: Register, by: int | Register, cond: Condition = AL) -> None:
        """rd = rm >> by, zeros coming in; 1 to 32 or the lowest byte of a register."""
        self.mov(rd, operands.lsr(rm, by), cond)

    def lsrs(self, rd: Register, rm: Register, by: int | Register, cond: Condition = AL) -> None:
        """rd = rm >> by, zeros coming in; 1 to 32 or the lowest byte of a register, and flags."""
        self.movs(rd, operands.lsr(rm, by), cond)

    def asr(self, rd: Register, rm: Register, by: int | Register, cond: Condition = AL) -> None:
        """rd = rm >> by, the sign coming in; 1 to 32 or the lowest byte of a register."""
        self.mov(rd, operands.asr(rm, by), cond)

    def asrs(self, rd: Register, rm: Register, by: int | Register, cond: Condition = AL) -> None:
        """rd = rm >> by, the sign coming in; 1 to 32 or the lowest byte of a register, and flags."""
        self.movs(rd, operands.asr(rm, by), cond)

    def ror(self, rd: Register, rm: Register, by: int | Register, cond: Condition = AL) -> None:
        """rd = rm rotated right by 1 to 31 or the lowest byte of a register."""
        self.mov(rd, operands.ror(rm, by), cond)

    def rors(self, rd: Register, rm: Register, by: int | Register, cond: Condition = AL) -> None:
        """rd = rm rotated right by 1 to 31 or the lowest byte of a register, and flags."""
        self.movs(rd, operands.ror(rm, by), cond)

    def rrx(self, rd: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = rm >> 1, the carry flag coming in."""
        self.mov(rd, operands.rrx(rm), cond)

    def rrxs(self, rd: Register, rm: Register, cond: Condition = AL) -> None:
        """rd = rm >> 1, the carry flag coming in, and flags."""
        self.movs(rd, operands.rrx(rm), cond)

    def movw(self, rd: Register, value: int | External | Label, cond: Condition = AL) -> None:
        """rd = a constant of 16 bits, or the lower half of an address (with a relocation)."""
        self._move_half(MOVW, R_ARM.MOVW_ABS_NC, rd, value, cond)

    def movt(self, rd: Register, value: int | External | Label, cond: Condition = AL) -> None:
        """The upper half of rd = a constant of 16 bits, or the upper half of an address (with a relocation)."""
        self._move_half(MOVT, R_ARM.MOVT_ABS, rd, value, cond)

    def adr(self, rd: Register, label: Label, cond: Condition = AL) -> None:
        """rd = the address of *label*, whose distance from pc must be a modified constant, positive or negative."""
        self._emit_referring(ADR.encode(cond=cond.number, Rd=rd.number, imm12=0), label, fill_adr)

    def _operate(self, op: DataOperation, op2: Operand2, **fields: int) -> None:
        """Append the encoding that *op2* selects. *fields* are those that all encodings of *op* have."""
        if isinstance(op2, int):
            imm12 = modified(op2)
            if imm12 is None:
                raise _no_constant(op, op2)
            word = op.immediate.encode(imm12=imm12, **fields)
        elif isinstance(op2, Register):
            word = op.register.encode(imm5=0, type=0, Rm=op2.number, **fields)
        elif isinstance(op2, Shifted):
            word = op.register.encode(imm5=op2.imm5, type=op2.type, Rm=op2.rm.number, **fields)
        else:
            word = op.shifted.encode(Rs=op2.rs.number, type=op2.type, Rm=op2.rm.number, **fields)
        # Code does not go on after a write to pc, but a table may follow it, so no pool is placed here.
        special = fields.get("Rd", 0) >= SP.number
        self._emit(word, *(self._events_of(op, op2, fields) if special else ()))

    def _events_of(self, op: DataOperation, op2: Operand2, fields: Mapping[str, int]) -> Iterator[Event]:
        """Of an instruction that writes sp, lr or pc."""
        always = fields["cond"] == AL.number
        if fields["Rd"] == PC.number:
            yield Jumped(*self._next, None, always)
        elif fields["Rd"] == fields.get("Rn") == SP.number and isinstance(op2, int) and always and op in (ADD, SUB):
            yield StackMoved(*self._next, op2 if op is SUB else -op2)

    def _move_half(
        self, encoding: Encoding, kind: R_ARM, rd: Register, value: int | External | Label, cond: Condition
    ) -> None:
        self._require(encoding)
        if not isinstance(value, int):
            self._emit_relocated(encoding.encode(cond=cond.number, imm4=0, Rd=rd.number, imm12=0), kind, value)
        elif 0 <= value <= 0xFFFF:
            self._emit(encoding.encode(cond=cond.number, imm4=value >> 12, Rd=rd.number, imm12=value & 0xFFF))
        else:
            raise OperandError(f"{encoding.mnemonic}: {value} is not in 0..65535")


def _no_constant(op: DataOperation, value: int) -> OperandError:
    return OperandError(f"{op.immediate.mnemonic}: {value} ({value & 0xFFFF_FFFF:#x}) is no modified constant")
