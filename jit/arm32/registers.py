"""Registers: core (the manual's A2.3) and VFP (A2.6.2), under the names of GNU as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Register:
    """A core register; ``number`` is what register fields hold. There is one object for each: the constants below."""

    number: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False)
class Single:
    """A VFP register of 32 bits: its number is the field Vd (Vn, Vm) with the bit D (N, M) below it."""

    number: int
    v: int
    bit: int

    def __str__(self) -> str:
        return f"s{self.number}"


@dataclass(frozen=True, slots=True, eq=False)
class Double:
    """A VFP register of 64 bits: its number is the field Vd (Vn, Vm) with the bit D (N, M) above it."""

    number: int
    v: int
    bit: int

    def __str__(self) -> str:
        return f"d{self.number}"


CORE_NAMES = (*(f"r{number}" for number in range(13)), "sp", "lr", "pc")

#: All of them, by number. VFPv3-D16 has sixteen doubles.
CORE = tuple(Register(number, name) for number, name in enumerate(CORE_NAMES))
SINGLES = tuple(Single(number, number >> 1, number & 1) for number in range(32))
DOUBLES = tuple(Double(number, number & 15, number >> 4) for number in range(16))

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, R13, R14, R15 = CORE
SP, LR, PC = CORE[13:]
S0, S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, S12, S13, S14, S15 = SINGLES[:16]
S16, S17, S18, S19, S20, S21, S22, S23, S24, S25, S26, S27, S28, S29, S30, S31 = SINGLES[16:]
D0, D1, D2, D3, D4, D5, D6, D7, D8, D9, D10, D11, D12, D13, D14, D15 = DOUBLES
