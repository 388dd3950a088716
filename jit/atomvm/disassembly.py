"""Native code for AtomVM as text, and what the operands of its instructions mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from jit.atomvm import terms
from jit.atomvm.formats import F1, X_REGISTERS
from jit.atomvm.module_emission import AtomNative
from jit.beam.operations import Operation
from jit.beam.text import atom_text
from jit.codegen.describe import symbol
from jit.codegen.disassembly import Instruction, Part
from jit.codegen.processor import Register

_IS_ATOM: Final = {word: atom_text(name) for name, word in terms.ATOMS.items() if word > terms.NIL}


@dataclass(frozen=True)
class Syntax:
    """How a processor's instructions are written.

    ``registers`` says what CPU registers hold. ``memory`` finds in an instruction a base register and an offset, if
    there is one; ``constant`` a number that may be an atom.
    """

    registers: str
    context: Register
    state: Register
    primitives: Register
    memory: re.Pattern[str]
    constant: re.Pattern[str]


class CodeReader(Protocol):
    """Reads code that a file carries, whichever compiler has made it."""

    def entered(self, code: bytes, label: int) -> int | None:
        """Where an entry of the table of labels leads to, past what only the VM comes to; None if it does not."""
        ...

    def instructions(self, code: bytes, names: Mapping[int, str]) -> Iterator[Instruction]:
        """All instructions, with names of places."""
        ...


class AtomDisassembly:
    """See ``Disassembly`` in jit/codegen/disassembly.py."""

    parts: Sequence[Part] = ()

    def __init__(self, native: AtomNative, syntax: Syntax) -> None:
        module, layout = native.module.name, native.target.layout
        self.code: Sequence[Instruction] = ()
        self.names: dict[int, str] = {}
        for one in native.functions:
            self.names.update({place: f"L{number}" for number, place in one.labels})
        for one in native.functions:
            self.names[one.body] = symbol(module, one.function.name, one.function.arity)
        self.names.update({one.begin: one.name for one in native.fragments})
        self.about = (f"{native.macros.processor.name}, for AtomVM (format {F1.version})", syntax.registers)
        word = layout.word
        fields = {layout.e: "e", layout.cp: "cp", layout.fr: "fr", layout.bs: "bs", layout.bs + word: "bs_offset"}
        fields.update({layout.x + word * number: f"x{number}" for number in range(X_REGISTERS + 1)})
        state = {layout.module: "module", layout.continuation: "continuation", layout.reductions: "reductions"}
        self._fields: Mapping[str, Mapping[int, str]] = {
            syntax.context.name: fields,
            syntax.state.name: state,
            syntax.primitives.name: {word * index: name for name, index in F1.primitives.items()},
        }
        self._syntax = syntax

    def returns(self, function: int) -> Sequence[tuple[int, str]]:
        """Callees return into the midst of operations."""
        return ()

    def comments(self, code: Sequence[Instruction], operation: Operation | None) -> Iterator[str]:
        """A comment on each instruction, or nothing."""
        for one in code:
            yield self._comment(one.text)

    def _comment(self, text: str) -> str:
        if found := self._syntax.memory.search(text):
            return self._fields.get(found[1], {}).get(int(found[2] or "0", 0), "")
        if found := self._syntax.constant.match(text):
            return _IS_ATOM.get(int(found[1], 0), "")
        return ""
