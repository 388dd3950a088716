"""Native code for AtomVM on x86-64 as text."""

from __future__ import annotations

import re
from typing import Final

from jit.atomvm.disassembly import AtomDisassembly, Syntax
from jit.atomvm.module_emission import AtomNative
from jit.atomvm.x86_64.conventions import CONTEXT, PRIMITIVES, STATE
from jit.codegen.disassembly import Instruction
from jit.x86_64.assembler import FinishedCode
from jit.x86_64.text import listing

_SYNTAX: Final = Syntax(
    registers="rbx context, r13 JIT state, rbp primitives, [rsp] module index",
    context=CONTEXT,
    state=STATE,
    primitives=PRIMITIVES,
    memory=re.compile(r"\[(\w+)(?: \+ (0x[0-9a-f]+|\d+))?\]"),
    constant=re.compile(r"(?:cmp|mov) \w+, (0x[0-9a-f]+|\d+)$"),
)


class X86Disassembly(AtomDisassembly):
    """The code of one module."""

    def __init__(self, native: AtomNative) -> None:
        super().__init__(native, _SYNTAX)
        assert isinstance(native.code, FinishedCode)
        rows = listing(native.code.data, native.code.instructions, self.names)
        self.code = [Instruction(*row) for row in rows]
