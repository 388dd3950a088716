"""Native code for AtomVM on 32-bit ARM as text."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from jit.arm32.buffer import FinishedCode
from jit.arm32.processor import ARM32
from jit.arm32.text import listing, text
from jit.atomvm.arm32.conventions import CONTEXT, SCRATCH_2, STATE, WORD
from jit.atomvm.disassembly import AtomDisassembly, Syntax
from jit.atomvm.formats import F1
from jit.atomvm.module_emission import AtomNative
from jit.codegen.disassembly import Instruction

_SYNTAX: Final = Syntax(
    registers="r4 context, r5 JIT state, r6 stack, r7 module index, r8 beginning of the code, [sp] primitives",
    context=CONTEXT,
    state=STATE,
    primitives=SCRATCH_2,
    memory=re.compile(r"^\w+ \w+, \[(\w+)(?:, #(-?\d+))?\]"),
    constant=re.compile(r"(?:cmp|mov|movw) \w+, #(\d+)"),
)


#: A branch, which the second word of an entry of the table of labels is, and what makes it a call (B, BL, A1).
_BRANCH, _BRANCH_MASK, _LINK = 0xEA00_0000, 0xFF00_0000, 1 << 24
_PC_AHEAD: Final = 8


class Arm32Disassembly(AtomDisassembly):
    """The code of one module."""

    def __init__(self, native: AtomNative) -> None:
        super().__init__(native, _SYNTAX)
        assert isinstance(native.code, FinishedCode)
        named = replace(native.code, symbols={name: offset for offset, name in self.names.items()})
        self.code = [Instruction(offset, f"{word:08x}", text) for offset, word, text in listing(named)]


class Arm32Reader:
    """See ``CodeReader``."""

    def entered(self, code: bytes, label: int) -> int | None:
        """Here, code that an entry leads to calls some other before it goes on there, or branches."""
        place = _branch(code, F1.targets[ARM32.name].entry * label + WORD)
        if place is None or _branch(code, place, _LINK) is None:
            return place
        return _branch(code, place + WORD) or place + WORD

    def instructions(self, code: bytes, names: Mapping[int, str]) -> Iterator[Instruction]:
        """Words, some of which may be data."""
        for at, (word,) in enumerate(struct.iter_unpack("<I", code[: len(code) // WORD * WORD])):
            yield Instruction(WORD * at, f"{word:08x}", text(word, WORD * at, names))


def _branch(code: bytes, offset: int, link: int = 0) -> int | None:
    """Where the branch at an offset leads to."""
    word = int.from_bytes(code[offset : offset + WORD], "little")
    if word & _BRANCH_MASK != _BRANCH | link:
        return None
    distance = (word & 0xFF_FFFF) << 2
    return offset + _PC_AHEAD + (distance - (1 << 26) if distance >> 25 else distance)
