"""Native code for AtomVM in Thumb code as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from jit.arm32.registers import SP
from jit.atomvm.armv6m.conventions import CONTEXT, PRIMITIVES_AT, STATE_AT
from jit.atomvm.disassembly import AtomDisassembly, Syntax
from jit.atomvm.formats import F1
from jit.atomvm.module_emission import AtomNative
from jit.beam.operations import Operation
from jit.codegen.disassembly import Instruction
from jit.thumb.buffer import FinishedCode
from jit.thumb.processor import ARMV6M
from jit.thumb.text import branch_target, listing

_SYNTAX: Final = Syntax(
    registers=f"r4 context, [sp, #{STATE_AT}] JIT state, [sp, #{PRIMITIVES_AT}] primitives, [sp, #12] module index",
    context=CONTEXT,
    state=SP,
    primitives=SP,
    memory=re.compile(r"^\w+(?:\.w)? \w+, \[(\w+)(?:, #(0x[0-9a-f]+|\d+))?\]"),
    constant=re.compile(r"(?:cmp|movs|movw) \w+, #(0x[0-9a-f]+|\d+)$"),
)
_OF_THUMB2: Final = F1.targets[f"{ARMV6M.name}+thumb2"].entry
_OF_ARMV6M: Final = F1.targets[ARMV6M.name].entry
#: The push of an entry; and how one of AtomVM's own compiler begins for ARMv6-M, ldr r3, [pc, #4].
_PUSH: Final = bytes.fromhex("f2b5")
_LOAD: Final = bytes.fromhex("014b")
#: adr r0, which code begins with that tells where the tables are.
_ADR: Final = 0xA0


class Armv6mDisassembly(AtomDisassembly):
    """The code of one module."""

    def __init__(self, native: AtomNative) -> None:
        super().__init__(native, _SYNTAX)
        assert isinstance(native.code, FinishedCode)
        self.code = [Instruction(*row) for row in listing(native.code.data, native.code.instructions, self.names)]
        layout = native.target.layout
        self._of_state = {layout.module: "module", layout.continuation: "continuation", layout.reductions: "reductions"}

    def comments(self, code: Sequence[Instruction], operation: Operation | None) -> Iterator[str]:
        """Also of what a register points to that has just been loaded with the JIT state."""
        state = ""
        for one in code:
            found = _SYNTAX.memory.search(one.text)
            if found and found[1] == state:
                yield self._of_state.get(int(found[2] or "0", 0), "")
            elif found and found[1] == SP.name:
                yield {STATE_AT: "JIT state", PRIMITIVES_AT: "primitives"}.get(int(found[2] or "0", 0), "")
            else:
                yield from super().comments([one], operation)
            if found and found[1] == SP.name and one.text.startswith("ldr") and int(found[2] or "0", 0) == STATE_AT:
                state = one.text.split()[1].rstrip(",")
            elif not one.text.startswith(("str", "cmp", "b")) and one.text.split()[1:2] == [f"{state},"]:
                state = ""


class Armv6mReader:
    """See ``CodeReader``."""

    def entered(self, code: bytes, label: int) -> int | None:
        """Here, an entry, or code that it leads to, calls some other before it goes there."""
        place = _entry_size(code) * label
        if code.startswith(_LOAD, place):
            distance = int.from_bytes(code[place + 8 : place + 12], "little", signed=True)
            return place + 8 + (distance & ~1)  # its lowest bit tells that this is Thumb code
        if not code.startswith(_PUSH, place):
            return None
        place += len(_PUSH)
        stub = branch_target(code, place, link=False)
        if stub is None:
            return branch_target(code, place + 4, link=True)
        if branch_target(code, stub, link=True) is None:
            return stub
        return branch_target(code, stub + 4, link=False) or stub

    def instructions(self, code: bytes, names: Mapping[int, str]) -> Iterator[Instruction]:
        """Up to the tables, which the code of entry 0 tells the place of."""
        place = branch_target(code, 0, link=False) or branch_target(code, 2, link=True) or self.entered(code, 0)
        tables = len(code)
        if place is not None and place % 4 == 0 and place + 1 < len(code) and code[place + 1] == _ADR:
            tables = place + 4 + 4 * code[place]
        for row in listing(code, tables, names):
            yield Instruction(*row)


def _entry_size(code: bytes) -> int:
    """Of an entry of the table of labels, which the first one tells."""
    return _OF_THUMB2 if code.startswith(_PUSH) or branch_target(code, 0, link=False) is not None else _OF_ARMV6M
