"""Native code for AtomVM on 64-bit ARM as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from jit.aarch64.processor import AARCH64
from jit.aarch64.text import listing
from jit.atomvm.aarch64.conventions import CONTEXT, PRIMITIVES, STATE
from jit.atomvm.disassembly import AtomDisassembly, Syntax
from jit.atomvm.formats import F1
from jit.atomvm.module_emission import AtomNative
from jit.codegen.code_buffer import FinishedCode
from jit.codegen.disassembly import Instruction

_SYNTAX: Final = Syntax(
    registers="x19 context, x20 JIT state, x21 primitives, x22 module index, x23 beginning of the code",
    context=CONTEXT,
    state=STATE,
    primitives=PRIMITIVES,
    memory=re.compile(r"^\w+ \w+, \[(\w+)(?:, #(0x[0-9a-f]+|\d+))?\]"),
    constant=re.compile(r"(?:cmp|mov|movz) \w+, #(0x[0-9a-f]+|\d+)$"),
)
_ENTRY: Final = F1.targets[AARCH64.name].entry
#: b and bl, by their highest bits.
_B, _BL = 0x05, 0x25
_ADR: Final = 0x1000_0000
_ADR_MASK: Final = 0x9F00_001F


class Aarch64Disassembly(AtomDisassembly):
    """The code of one module."""

    def __init__(self, native: AtomNative) -> None:
        super().__init__(native, _SYNTAX)
        assert isinstance(native.code, FinishedCode)
        rows = listing(native.code.data, native.code.instructions, self.names)
        self.code = [Instruction(*row) for row in rows]


class Aarch64Reader:
    """See ``CodeReader``."""

    def entered(self, code: bytes, label: int) -> int | None:
        """Here, code that an entry leads to pushes, and calls some other, before it goes on there, or branches."""
        place = _branch(code, _ENTRY * label, _B)
        if place is None or _branch(code, place + 4, _BL) is None:
            return place
        return _branch(code, place + 8, _B) or place + 8

    def instructions(self, code: bytes, names: Mapping[int, str]) -> Iterator[Instruction]:
        """Up to the tables, which the code of entry 0 tells the place of."""
        place = _branch(code, 0, _B)
        tables = None if place is None else _adr(code, place)
        for row in listing(code, len(code) if tables is None else tables, names):
            yield Instruction(*row)


def _branch(code: bytes, offset: int, opcode: int) -> int | None:
    """Where the branch at an offset leads to."""
    word = int.from_bytes(code[offset : offset + 4], "little")
    if word >> 26 != opcode:
        return None
    distance = (word & 0x3FF_FFFF) << 2
    return offset + (distance - (1 << 28) if distance >> 27 else distance)


def _adr(code: bytes, offset: int) -> int | None:
    """What address the instruction at an offset gives in x0, if it is ahead."""
    word = int.from_bytes(code[offset : offset + 4], "little")
    return offset + (word >> 5 & 0x3_FFFF) * 4 + (word >> 29 & 3) if word & _ADR_MASK == _ADR else None
