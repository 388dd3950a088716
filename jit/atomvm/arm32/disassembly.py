"""Native code for AtomVM on 32-bit ARM as text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from jit.arm32.buffer import FinishedCode
from jit.arm32.text import listing
from jit.atomvm.arm32.conventions import CONTEXT, PRIMITIVES, STATE
from jit.atomvm.disassembly import AtomDisassembly, Syntax
from jit.atomvm.module_emission import AtomNative
from jit.codegen.disassembly import Instruction

_SYNTAX: Final = Syntax(
    registers="r4 context, r5 JIT state, r6 primitives, r7 module index, r8 beginning of the code",
    context=CONTEXT,
    state=STATE,
    primitives=PRIMITIVES,
    memory=re.compile(r"^\w+ \w+, \[(\w+)(?:, #(-?\d+))?\]"),
    constant=re.compile(r"(?:cmp|mov|movw) \w+, #(\d+)"),
)


class Arm32Disassembly(AtomDisassembly):
    """The code of one module."""

    def __init__(self, native: AtomNative) -> None:
        super().__init__(native, _SYNTAX)
        assert isinstance(native.code, FinishedCode)
        named = replace(native.code, symbols={name: offset for offset, name in self.names.items()})
        self.code = [Instruction(offset, f"{word:08x}", text) for offset, word, text in listing(named)]
