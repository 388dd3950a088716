"""Native code for AtomVM on RISC-V as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from jit.atomvm.disassembly import AtomDisassembly, Syntax
from jit.atomvm.formats import F1
from jit.atomvm.module_emission import AtomNative
from jit.atomvm.riscv.conventions import CONTEXT, ENTERED_FROM, PRIMITIVES, STATE
from jit.codegen.code_buffer import FinishedCode
from jit.codegen.disassembly import Instruction
from jit.codegen.processor import Processor
from jit.riscv.operands import A0, ZERO, Register
from jit.riscv.text import listing

_SYNTAX: Final = Syntax(
    registers="s0 context, s1 JIT state, s3 primitives, s4 module index, s5 beginning of the code, s8 15",
    context=CONTEXT,
    state=STATE,
    primitives=PRIMITIVES,
    memory=re.compile(r"^\S+ \w+, (?=[^(]*\((\w+)\))(-?\w+)\("),
    constant=re.compile(r"(?:c\.li \w+|addi \w+, zero), (0x[0-9a-f]+|\d+)$"),
)
_JAL, _JALR, _AUIPC, _ADDI = 0x6F, 0x67, 0x17, 0x13


class RiscvDisassembly(AtomDisassembly):
    """The code of one module."""

    def __init__(self, native: AtomNative) -> None:
        super().__init__(native, _SYNTAX)
        assert isinstance(native.code, FinishedCode)
        word = native.target.layout.word
        rows = listing(word, native.code.data, native.code.instructions, self.names)
        self.code = [Instruction(*row) for row in rows]


class RiscvReader:
    """See ``CodeReader``."""

    def __init__(self, processor: Processor) -> None:
        self._word = processor.file.address_size
        self._entry = F1.targets[processor.name].entry

    def entered(self, code: bytes, label: int) -> int | None:
        """Here, an entry calls before it jumps; that of AtomVM's own compiler jumps."""
        place = self._entry * label
        if _goes(code, place, ENTERED_FROM) is not None:
            place += 4
        return _goes(code, place, ZERO)

    def instructions(self, code: bytes, names: Mapping[int, str]) -> Iterator[Instruction]:
        """Up to the tables, which the code of entry 0 tells the place of."""
        place = _goes(code, 0, ZERO)
        tables = None if place is None else _address(code, place)
        for row in listing(self._word, code, len(code) if tables is None else tables, names):
            yield Instruction(*row)


def _word(code: bytes, offset: int) -> int:
    return int.from_bytes(code[offset : offset + 4], "little")


def _signed(bits: int, count: int) -> int:
    return (bits ^ 1 << count - 1) - (1 << count - 1)


def _far(code: bytes, offset: int) -> int:
    """What auipc and an instruction with a number of 12 bits behind it tell."""
    return offset + _signed(_word(code, offset) >> 12 << 12, 32) + _signed(_word(code, offset + 4) >> 20, 12)


def _goes(code: bytes, offset: int, rd: Register) -> int | None:
    """Where a jump at an offset leads to, or a call that leaves its place in a register; past islands."""
    word = _word(code, offset)
    if word & 0xFFF == _JAL | rd.number << 7:
        bits = (word >> 31) << 20 | (word >> 12 & 0xFF) << 12 | (word >> 20 & 1) << 11 | (word >> 21 & 0x3FF) << 1
        place = offset + _signed(bits, 21)
        return _goes(code, place, ZERO) or place if _word(code, place) & 0x7F == _AUIPC else place
    if word & 0x7F == _AUIPC and _word(code, offset + 4) & 0xFFF == _JALR | rd.number << 7:
        return _far(code, offset)
    return None


def _address(code: bytes, offset: int) -> int | None:
    """What address the instructions at an offset give in a0, if it is ahead."""
    is_address = _word(code, offset) & 0xFFF == _AUIPC | A0.number << 7
    place = _far(code, offset)
    return place if is_address and _word(code, offset + 4) & 0x7F == _ADDI and place > offset else None
