"""Native code for AtomVM on x86-64 as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from jit.atomvm.disassembly import AtomDisassembly, Syntax
from jit.atomvm.formats import F1
from jit.atomvm.module_emission import AtomNative
from jit.atomvm.x86_64.conventions import CONTEXT, SCRATCH, STATE
from jit.codegen.code_buffer import FinishedCode
from jit.codegen.disassembly import Instruction
from jit.x86_64.processor import X86_64
from jit.x86_64.text import listing

_SYNTAX: Final = Syntax(
    registers="rbx context, r13 JIT state, rbp stack, [rsp] module index, [rsp + 8] primitives",
    context=CONTEXT,
    state=STATE,
    primitives=SCRATCH,
    memory=re.compile(r"\[(\w+)(?: \+ (0x[0-9a-f]+|\d+))?\]"),
    constant=re.compile(r"(?:cmp|mov) \w+, (0x[0-9a-f]+|\d+)$"),
)


_ENTRY: Final = F1.targets[X86_64.name].entry
#: jmp, call, and lea of rax, with distances of 32 bits.
_JUMP, _CALL, _LEA_RAX = b"\xe9", b"\xe8", b"\x48\x8d\x05"


class X86Disassembly(AtomDisassembly):
    """The code of one module."""

    def __init__(self, native: AtomNative) -> None:
        super().__init__(native, _SYNTAX)
        assert isinstance(native.code, FinishedCode)
        rows = listing(native.code.data, native.code.instructions, self.names)
        self.code = [Instruction(*row) for row in rows]


class X86Reader:
    """See ``CodeReader``."""

    def entered(self, code: bytes, label: int) -> int | None:
        """Here, code that an entry leads to calls some other before it goes on there, or jumps."""
        place = _target(code, _ENTRY * label, _JUMP)
        if place is None or _target(code, place, _CALL) is None:
            return place
        return _target(code, place + _ENTRY, _JUMP) or place + _ENTRY

    def instructions(self, code: bytes, names: Mapping[int, str]) -> Iterator[Instruction]:
        """Up to the tables, which the code of entry 0 tells the place of."""
        place = _target(code, 0, _JUMP)
        tables = None if place is None else _target(code, place, _LEA_RAX)
        for row in listing(code, len(code) if tables is None else tables, names):
            yield Instruction(*row)


def _target(code: bytes, offset: int, opcode: bytes) -> int | None:
    """What an instruction at an offset tells by the distance from its end; None if it is another one."""
    end = offset + len(opcode) + 4
    if offset < 0 or not code.startswith(opcode, offset) or end > len(code):
        return None
    target = end + int.from_bytes(code[end - 4 : end], "little", signed=True)
    return target if 0 <= target <= len(code) else None
