"""Comments on machine instructions: what their constants, addresses and registers mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from beamgdb.code.module import Range
from beamgdb.memory import Unreadable
from beamgdb.native import registers as native
from beamgdb.unwinding.beamasm import FRAGMENT
from beamgdb.views.terms import Terms
from beamgdb.vm.model import Unavailable
from jit.otp.tags import ATOM, IMMED1_MASK, IMMED2_MASK, NIL, SMALL

if TYPE_CHECKING:
    # Not before it is needed: it loads a disassembler.
    from beamgdb.machine_code.text import Instruction

CName = Callable[[int], Optional[str]]
"""The symbol of C code or data at an address, None where there is none."""


class Comments:
    """Comments on the instructions of a function."""

    def __init__(self, terms: Terms, c_name: CName, code: Range, start: int, *, is_native: bool) -> None:
        """`start` may be before the function, where what belongs to it begins."""
        self._node = terms.node
        self._terms = terms
        self._c_name = c_name
        self._code = code
        self._start = start
        self._is_native = is_native

    def on(self, one: Instruction) -> str:
        """The comment, empty without one: also where a release without a table leaves too little known for one."""
        try:
            return self._on(one)
        except (Unavailable, Unreadable):
            return ""

    def _on(self, one: Instruction) -> str:
        near = one.target if one.target is not None else one.names
        if near is not None:
            return self._near(near)
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
        return f"{word:#x} {self._meaning(word)}".strip()

    def _meaning(self, word: int) -> str:
        try:
            return self._address(word) or self._export(word) or self._term(word)
        except (Unavailable, Unreadable):
            return ""

    def _export(self, address: int) -> str:
        """Whose export entry lies there, empty for none."""
        from beamgdb.disassembly.bytecode_text import export_name

        return export_name(self._node, address) or ""

    def _near(self, address: int) -> str:
        if self._start <= address < self._code.stop:
            return f"<{address - self._code.start:+}>"
        beyond = self._beyond(address)
        return (self._address(beyond) if beyond is not None else None) or self._address(address) or f"{address:#x}"

    def _beyond(self, address: int) -> int | None:
        """Where a jump leads that lies there on behalf of the module's functions."""
        place = self._node.code.find(address)
        if place is None or not place.is_fragment or place.code.name.startswith(FRAGMENT):
            return None
        from beamgdb.machine_code.text import LONGEST, instructions

        raw = self._node.memory.try_read(address, LONGEST)
        if raw is None:
            return None
        one = next(instructions(self._node.identity.arch or "", raw, address), None)
        return one.target if one is not None and one.ends else None

    def _term(self, word: int) -> str:
        text = self._terms.text(word)
        return "" if text.startswith("<") and not text.startswith("<<") else text

    def _constant(self, value: int) -> str:
        """An immediate term."""
        is_term = value & IMMED1_MASK == SMALL or value & IMMED2_MASK == ATOM or value == NIL
        text = self._term(value) if is_term else ""
        return f"{value} = {text}" if text else ""

    def _address(self, address: int) -> str | None:
        """Whose code or data lies there."""
        return self._node.describe(address) or self._c_name(address)

    def _register(self, base: str, distance: int) -> str:
        """The BEAM register behind a machine register of native code."""
        word = self._node.memory.word_size
        if base == native.REGISTERS:
            distance -= self._node.layout.offset("ErtsSchedulerRegisters", "x_reg_array.d")
            return f"x{distance // word}" if distance >= 0 and distance % word == 0 else ""
        if base == native.STACK and distance % word == 0:
            return f"y{distance // word - 1}" if distance > 0 else "return address"
        return ""
