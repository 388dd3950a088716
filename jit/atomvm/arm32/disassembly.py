"""Native code for AtomVM on 32-bit ARM as text, and what the operands of its instructions mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from jit.arm32.buffer import FinishedCode
from jit.arm32.text import listing
from jit.atomvm import terms
from jit.atomvm.arm32.conventions import CONTEXT, PRIMITIVES, STATE, WORD
from jit.atomvm.formats import F1, X_REGISTERS
from jit.atomvm.module_emission import AtomNative
from jit.beam.operations import Operation
from jit.beam.text import atom_text
from jit.codegen.describe import symbol
from jit.codegen.disassembly import Instruction, Part

_MEMORY: Final = re.compile(r"\w+ \w+, \[(\w+)(?:, #(-?\d+))?\]")
_CONSTANT: Final = re.compile(r"(?:cmp|mov|movw) \w+, #(\d+)")
_IS_ATOM: Final = {word: atom_text(name) for name, word in terms.ATOMS.items() if word > terms.NIL}


class Arm32Disassembly:
    """See ``Disassembly`` in jit/codegen/disassembly.py."""

    def __init__(self, native: AtomNative) -> None:
        code = native.code
        assert isinstance(code, FinishedCode)
        module = native.module.name
        self.names: dict[int, str] = {}
        for one in native.functions:
            self.names.update({place: f"L{number}" for number, place in one.labels})
        for one in native.functions:
            self.names[one.body] = symbol(module, one.function.name, one.function.arity)
        self.names.update({one.begin: one.name for one in native.fragments})
        named = replace(code, symbols={name: offset for offset, name in self.names.items()})
        self.code = [Instruction(*row) for row in listing(named)]
        self.parts: Sequence[Part] = ()
        self.about = (
            f"arm32, for AtomVM (format {F1.version})",
            "r4 context, r5 JIT state, r6 primitives, r7 module index, r8 beginning of the code",
        )
        layout = native.target.layout
        fields = {layout.e: "e", layout.cp: "cp", layout.fr: "fr", layout.bs: "bs", layout.bs + WORD: "bs_offset"}
        fields.update({layout.x + WORD * number: f"x{number}" for number in range(X_REGISTERS + 1)})
        state = {layout.module: "module", layout.continuation: "continuation", layout.reductions: "reductions"}
        primitives = {WORD * index: name for name, index in F1.primitives.items()}
        self._fields = {CONTEXT.name: fields, STATE.name: state, PRIMITIVES.name: primitives}

    def returns(self, function: int) -> Sequence[tuple[int, str]]:
        """Callees return into the midst of operations."""
        return ()

    def comments(self, code: Sequence[Instruction], operation: Operation | None) -> Iterator[str]:
        """A comment on each instruction, or nothing."""
        for one in code:
            yield self._comment(one.text)

    def _comment(self, text: str) -> str:
        if found := _MEMORY.match(text):
            return self._fields.get(found[1], {}).get(int(found[2] or 0), "")
        if found := _CONSTANT.match(text):
            return _IS_ATOM.get(int(found[1]), "")
        return ""
