"""Comments on machine instructions: what their constants, addresses and registers mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import gdb

from beamgdb.beamasm.registrations import Range
from beamgdb.gdbext import term_printing
from beamgdb.memory import Unreadable
from beamgdb.native import machine as native
from beamgdb.terms.tags import ATOM, IMMED1_MASK, IMMED2_MASK, NIL, SMALL
from beamgdb.vm.node import Node

if TYPE_CHECKING:
    # Not before it is needed: it loads a disassembler.
    from beamgdb.disassembly.machine_code import Instruction

_SYMBOL = re.compile(r"(?P<name>\S+)(?: \+ (?P<offset>\d+))? in section ")


class Comments:
    """Comments on the instructions of a function."""

    def __init__(self, node: Node, code: Range, start: int, *, is_native: bool) -> None:
        """`start` may be before the function, where what belongs to it begins."""
        self._node = node
        self._code = code
        self._start = start
        self._is_native = is_native

    def on(self, one: Instruction) -> str:
        """The comment, empty without one."""
        if one.target is not None:
            return self._near(one.target)
        if one.loads is not None:
            return self.word(one.loads)
        if one.constant is not None:
            # To compare with the tag is more usual than with the small integer 0, which is the same word.
            return self._constant(one.constant) if one.constant != SMALL else ""
        return self._register(*one.field) if one.field is not None and self._is_native else ""

    def word(self, address: int) -> str:
        """A word in memory, and what it means."""
        try:
            word = self._node.memory.word(address)
        except Unreadable:
            return ""
        goes_on = self._node.code.goes_on(word)
        if goes_on != word:
            return f"{word:#x} goes on at {self._near(goes_on)}"
        return f"{word:#x} {self._address(word) or self._export(word) or self._term(word)}".strip()

    def _export(self, address: int) -> str:
        """Whose export entry lies there, empty for none."""
        from beamgdb.disassembly.bytecode_text import export_name

        return export_name(self._node, address) or ""

    def _near(self, address: int) -> str:
        inside = self._start <= address < self._code.stop
        offset = address - self._code.start
        return f"<{offset:+}>" if inside else self._address(address) or f"{address:#x}"

    def _term(self, word: int) -> str:
        text = term_printing.text(self._node, word)
        return "" if text.startswith("<") and not text.startswith("<<") else text

    def _constant(self, value: int) -> str:
        """An immediate term."""
        is_term = value & IMMED1_MASK == SMALL or value & IMMED2_MASK == ATOM or value == NIL
        text = self._term(value) if is_term else ""
        return f"{value} = {text}" if text else ""

    def _address(self, address: int) -> str | None:
        """Whose code or data lies there."""
        return self._node.describe(address) or c_name(address)

    def _register(self, base: str, distance: int) -> str:
        """The BEAM register behind a machine register of native code."""
        word = self._node.memory.word_size
        if base == native.REGISTERS:
            distance -= self._node.layout.offset("ErtsSchedulerRegisters", "x_reg_array.d")
            return f"x{distance // word}" if distance >= 0 and distance % word == 0 else ""
        if base == native.STACK and distance % word == 0:
            return f"y{distance // word - 1}" if distance > 0 else "return address"
        return ""


def c_name(address: int) -> str | None:
    """The symbol of C code or data at an address, None where there is none."""
    try:
        told = gdb.execute(f"info symbol {address & ~1:#x}", to_string=True)
    except gdb.error:
        return None
    match = _SYMBOL.match(told)
    if match is None:
        return None
    return match["name"] + (f"+{match['offset']}" if match["offset"] else "")
