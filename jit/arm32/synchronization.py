"""Exclusive accesses and memory barriers (the manual's A5.2.10 and A5.7.1)."""

from __future__ import annotations

from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.cpus import Feature
from jit.arm32.encoding import Encoding
from jit.arm32.operands import check_pair
from jit.arm32.registers import Register
from jit.codegen.processor import OperandError

_STATUS = {"Rd == Rn or Rd == Rt": "the register of the result must differ from the others"}
_PAIR = {"Rt & 1 or Rt == 14": "the first of the two registers must be even, and not lr"}
_STATUS_PAIR = {**_STATUS, **_PAIR, "Rd == Rt + 1": "the register of the result must differ from the others"}

LDREX = Encoding("ldrex{cond} {Rt}, [{Rn}]", "cond 00011001 Rn Rt 111110011111", "LDREX, A1")
LDREXB = Encoding("ldrexb{cond} {Rt}, [{Rn}]", "cond 00011101 Rn Rt 111110011111", "LDREXB, A1")
LDREXH = Encoding("ldrexh{cond} {Rt}, [{Rn}]", "cond 00011111 Rn Rt 111110011111", "LDREXH, A1")
LDREXD = Encoding("ldrexd{cond} {Rt}, {Rt_next}, [{Rn}]", "cond 00011011 Rn Rt 111110011111", "LDREXD, A1",
                  never=_PAIR)  # fmt: skip
STREX = Encoding("strex{cond} {Rd}, {Rt}, [{Rn}]", "cond 00011000 Rn Rd 11111001 Rt", "STREX, A1", never=_STATUS)
STREXB = Encoding("strexb{cond} {Rd}, {Rt}, [{Rn}]", "cond 00011100 Rn Rd 11111001 Rt", "STREXB, A1", never=_STATUS)
STREXH = Encoding("strexh{cond} {Rd}, {Rt}, [{Rn}]", "cond 00011110 Rn Rd 11111001 Rt", "STREXH, A1", never=_STATUS)
STREXD = Encoding("strexd{cond} {Rd}, {Rt}, {Rt_next}, [{Rn}]", "cond 00011010 Rn Rd 11111001 Rt", "STREXD, A1",
                  never=_STATUS_PAIR)  # fmt: skip
CLREX = Encoding("clrex", "11110101011111111111000000011111", "CLREX, A1")

#: The field option of DMB and DSB.
BARRIER_OPTIONS = {
    "oshst": 2, "osh": 3, "nshst": 6, "nsh": 7, "ishst": 10, "ish": 11, "st": 14, "sy": 15,
}  # fmt: skip

_RESERVED = {"not option & 2": "the option is reserved"}
DMB = Encoding("dmb {option}", "1111010101111111111100000101 option", "DMB, A1", never=_RESERVED,
               feature=Feature.V7)  # fmt: skip
DSB = Encoding("dsb {option}", "1111010101111111111100000100 option", "DSB, A1", never=_RESERVED,
               feature=Feature.V7)  # fmt: skip
#: What ARMv6 has for it; the register must be 0 (ARM1176JZF-S Technical Reference Manual, c7).
MCR_DMB = Encoding("mcr{cond} p15, 0, {Rt}, c7, c10, 5", "cond 11100000 0111 Rt 111110111010", "CP15DMB, A1")
ISB = Encoding("isb sy", "11110101011111111111000001101111", "ISB, A1", feature=Feature.V7)


class Synchronization(Buffer):
    """What threads need to agree on memory."""

    def ldrex(self, rt: Register, rn: Register, cond: Condition = AL) -> None:
        """rt = the word at rn, and watch it."""
        self._emit(LDREX.encode(cond=cond.number, Rn=rn.number, Rt=rt.number))

    def ldrexb(self, rt: Register, rn: Register, cond: Condition = AL) -> None:
        """rt = the byte at rn, zero-extended, and watch it."""
        self._emit(LDREXB.encode(cond=cond.number, Rn=rn.number, Rt=rt.number))

    def ldrexh(self, rt: Register, rn: Register, cond: Condition = AL) -> None:
        """rt = the halfword at rn, zero-extended, and watch it."""
        self._emit(LDREXH.encode(cond=cond.number, Rn=rn.number, Rt=rt.number))

    def ldrexd(self, rt: Register, rt2: Register, rn: Register, cond: Condition = AL) -> None:
        """rt, rt2 = the two words at rn, and watch them; rt is even and rt2 the next register."""
        check_pair("ldrexd", rt, rt2)
        self._emit(LDREXD.encode(cond=cond.number, Rn=rn.number, Rt=rt.number))

    def strex(self, rd: Register, rt: Register, rn: Register, cond: Condition = AL) -> None:
        """The word at rn = rt and rd = 0, or, if another has written there since it was loaded, only rd = 1."""
        self._emit(STREX.encode(cond=cond.number, Rn=rn.number, Rd=rd.number, Rt=rt.number))

    def strexb(self, rd: Register, rt: Register, rn: Register, cond: Condition = AL) -> None:
        """As ``strex``, for a byte."""
        self._emit(STREXB.encode(cond=cond.number, Rn=rn.number, Rd=rd.number, Rt=rt.number))

    def strexh(self, rd: Register, rt: Register, rn: Register, cond: Condition = AL) -> None:
        """As ``strex``, for a halfword."""
        self._emit(STREXH.encode(cond=cond.number, Rn=rn.number, Rd=rd.number, Rt=rt.number))

    def strexd(self, rd: Register, rt: Register, rt2: Register, rn: Register, cond: Condition = AL) -> None:
        """As ``strex``, for two words; rt is even and rt2 the next register."""
        check_pair("strexd", rt, rt2)
        self._emit(STREXD.encode(cond=cond.number, Rn=rn.number, Rd=rd.number, Rt=rt.number))

    def clrex(self) -> None:
        """Stop watching."""
        self._emit(CLREX.encode())

    def dmb(self, option: str = "sy") -> None:
        """Accesses before this are seen before those after it; *option* is one of ``BARRIER_OPTIONS``."""
        self._require(DMB)
        self._emit(DMB.encode(option=_option("dmb", option)))

    def mcr_dmb(self, rt: Register, cond: Condition = AL) -> None:
        """The same as ``dmb`` on processors without that; rt is 0."""
        self._emit(MCR_DMB.encode(cond=cond.number, Rt=rt.number))

    def dsb(self, option: str = "sy") -> None:
        """Go on only when all accesses before this are complete; *option* is one of ``BARRIER_OPTIONS``."""
        self._require(DSB)
        self._emit(DSB.encode(option=_option("dsb", option)))

    def isb(self) -> None:
        """Fetch what follows anew."""
        self._require(ISB)
        self._emit(ISB.encode())


def _option(mnemonic: str, option: str) -> int:
    if option not in BARRIER_OPTIONS:
        raise OperandError(f"{mnemonic}: the option {option!r} is none of {', '.join(BARRIER_OPTIONS)}")
    return BARRIER_OPTIONS[option]
