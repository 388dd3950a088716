"""From ARM64 code to steps of the analysis: control flow, calls, constants in registers, and what BeamAsm's code does
with addresses that it takes.

Names of functions are those of erts/emulator/beam/jit/arm, OTP 27.
"""

from __future__ import annotations

import re
from typing import Final

from beamgdb.beamasm import facts as known
from beamgdb.beamasm.aarch64_instructions import C_P, effects
from beamgdb.beamasm.facts import WORD, Change
from beamgdb.beamasm.flow import TABLE_LIMIT, CodeBytes, Control, Step, Stretch
from beamgdb.machine_code.aarch64 import MEMORY, SIZE, inserted, instructions, to_number, wide
from beamgdb.machine_code.reading import ReadMemory

PROLOGUE_SIZES: Final = (12, 16)
"""`BEAM_ASM_FUNC_PROLOGUE_SIZE` (beam_asm.h): push of lr, and two words for breakpoints; in OTP 25 three."""
_PUSH_LR: Final = (0xF81F8E9E).to_bytes(SIZE, "little")
"""`str x30, [x20, #-8]!`, with which functions begin."""
AS_NATIVE: Final = "as native code"
"""Instead of a register with the number of x registers: x registers are treated as in a call of C code."""
LENGTH_LIVE: Final = "x1"
"""Register with the number of live x registers in a call of `i_length_*_shared`, which may yield and come back."""
_BIF_POINTERS: Final = ("x3", "x7")
"""Registers with the C function of a BIF (`ARG4` in i_bif_*_shared, `ARG8` in call_light_bif_shared): nothing of Erlang
is called through them."""
_RESUMING: Final = ("x0", "x2", "x3")
"""Registers in which fragments and C functions get the address where a process goes on later (`ARG1`, `ARG3`, `ARG4`);
other addresses of code that are taken are those of data, or say where an exception was raised."""
_WAITING: Final = "x1"
"""Register in which they get that of a receive's loop or its timeout, from a constant (`ARG2`)."""

_REACH: Final = 6
"""Instructions between loading a constant and its use."""
_HOPS: Final = 4
"""Jumps in a row between a call and what it calls: one that extends the reach, one that holds the address."""
_HOP_SIZE: Final = 5
"""Instructions of such a jump: up to four that make an address, one that goes there."""
_CATCHES: Final = re.compile(r"(x\d+), \[" + C_P + r", #(\w+)\]$")


def decode(code: CodeBytes, start: int) -> Stretch:
    """All instructions from offset `start` to the end of `code`: constants lie between them."""
    reader = _Aarch64Reader(code)
    for at, mnemonic, operands in instructions(code.code[start:], start):
        reader.instruction(at, mnemonic, operands)
    return Stretch(reader.steps, reader.landings, reader.tries, reader.opaque)


class _Aarch64Reader:
    """One pass over the instructions of a stretch of code."""

    def __init__(self, code: CodeBytes) -> None:
        self.code = code
        self.steps: list[Step] = []
        self.landings: list[int] = []
        self.tries: list[int] = []
        self.opaque = False
        self.numbers: dict[str, tuple[int, int]] = {}
        """Register -> (number of instruction, constant that it was set to)."""
        self.tables: dict[str, tuple[int, int, str]] = {}
        """Register -> (number of instruction that loaded it from a table, address of the table, register indexing)."""
        self.compared = (0, "", 0)
        """Number of the last comparison with a number, register, number."""
        self.last: list[tuple[int, str, str]] = []
        """The instructions before this one, latest first."""
        self.yielding: int | None = None
        """Number of the instruction that took the address of the function, for the test whether to yield."""

    def instruction(self, at: int, mnemonic: str, operands: str) -> None:
        control, resumption, kept, native = Control.NEXT, None, "", False
        targets: tuple[int, ...] = ()
        operations: tuple[Change, ...] = ()
        if mnemonic in ("b", "br"):
            control, targets = self._jump(mnemonic, operands)
        elif mnemonic.startswith("b.") or mnemonic in ("cbz", "cbnz", "tbz", "tbnz"):
            control, targets = Control.BRANCH, self._inside(to_number(operands.rpartition("#")[2]))
            self._end_of_yield_test(at + SIZE)
        elif mnemonic in ("bl", "blr"):
            control, kept, native = self._call(mnemonic, operands)
        elif mnemonic == "ret":
            control = Control.RETURN
        elif mnemonic in ("udf", "brk", ".byte"):
            control = Control.JUMP
        elif mnemonic in ("adr", "ldr") and ", #" in operands and "[" not in operands:
            operations, resumption = self._address(at, mnemonic, operands)
        else:
            operations = effects(mnemonic, operands, self.code.stop_offset)
            self._remember(mnemonic, operands)
            self._catch(mnemonic, operands)
        self.steps.append(Step(at, at + SIZE, operations, control, targets, resumption, kept, native))
        self.last = [(at, mnemonic, operands), *self.last[:2]]

    def _inside(self, target: int) -> tuple[int, ...]:
        """The target of a jump, if it is a path of this function: one to its entry is a tail call."""
        is_entry = target == 0 and self.code.code.startswith(_PUSH_LR)
        return (target,) if self.code.inside(target) and not is_entry else ()

    def _jump(self, mnemonic: str, operands: str) -> tuple[Control, tuple[int, ...]]:
        if mnemonic == "b":
            target = to_number(operands[1:])
            if self.code.inside(target):
                return Control.JUMP, self._inside(target)
            final = self._final(self.code.address + target)
            return (Control.RAISE if final in self.code.raising else Control.JUMP), ()
        known_address = self._constant(operands)
        if known_address is not None:
            return Control.JUMP, self._inside(known_address - self.code.address)
        number, table, index = self.tables.get(operands, (-_REACH, 0, ""))
        if len(self.steps) - number >= _REACH:
            return Control.JUMP, ()
        compared, register, size = self.compared
        bounded = register == index and len(self.steps) - compared <= _REACH
        entries = self.code.table_targets(table, size if bounded else TABLE_LIMIT)
        self.opaque |= not entries
        return Control.JUMP, entries

    def _call(self, mnemonic: str, operands: str) -> tuple[Control, str, bool]:
        if mnemonic == "blr":
            called = self._constant(operands)
            native = operands in _BIF_POINTERS or (called is not None and self.code.is_native(called))
            return Control.CALL, "", native
        final = self._final(self.code.address + to_number(operands[1:]))
        if final in self.code.raising or self._constant("x7") in self.code.raising:
            return Control.RAISE, "", False
        kept = self.code.keeping.get(final, "")
        if kept == AS_NATIVE:
            return Control.CALL, "", True
        if kept == LENGTH_LIVE and self.steps and self.steps[-1].resumption is not None:
            self.steps[-1] = self.steps[-1]._replace(kept=kept)
        return Control.CALL, kept, self.code.is_native(final)

    def _address(self, at: int, mnemonic: str, operands: str) -> tuple[tuple[Change, ...], int | None]:
        """An instruction that takes a position-relative address, or loads a constant from there."""
        register, _, target_text = operands.partition(", #")
        target = to_number(target_text)
        value: int | None = self.code.address + target
        if mnemonic == "ldr":
            value = self.code.word(self.code.address + target)
        resumption = None
        if value is not None:
            self.numbers[register] = len(self.steps), value
            offset = value - self.code.address
            if register in _RESUMING if mnemonic == "adr" else register == _WAITING:
                resumption = offset if offset > 0 and self.code.inside(offset) else None
            if mnemonic == "adr" and offset == 0 and at in PROLOGUE_SIZES:
                self.yielding = len(self.steps)
        return ((known.clobber, (wide(register),)),), resumption

    def _end_of_yield_test(self, end: int) -> None:
        """A function begins with the test whether to yield. It takes its own address, but goes on after the test
        (`TEST_YIELD_RETURN_OFFSET`)."""
        if self.yielding is not None:
            self.steps[self.yielding] = self.steps[self.yielding]._replace(resumption=end)
            self.yielding = None

    def _remember(self, mnemonic: str, operands: str) -> None:
        """Constants in registers, comparisons and loads from tables that a later call or jump may be about."""
        first, _, rest = operands.partition(", ")
        first = wide(first)
        if mnemonic == "mov" and rest.startswith("#"):
            self.numbers[first] = len(self.steps), to_number(rest[1:]) & (1 << 64) - 1
        elif mnemonic == "movk" and first in self.numbers:
            self.numbers[first] = len(self.steps), inserted(self.numbers[first][1], rest)
        elif mnemonic == "cmp" and rest.startswith("#"):
            self.compared = len(self.steps), first, to_number(rest.partition(",")[0][1:])
        else:
            self.numbers.pop(first, None)
            found = MEMORY.search(rest) if mnemonic == "ldr" else None
            table = self._constant(found[1]) if found and found[3] else None
            if found is not None and table is not None:
                self.tables[first] = len(self.steps), table, found[3]

    def _catch(self, mnemonic: str, operands: str) -> None:
        """`Process.catches` counted up or down (`emit_catch`, `emit_try_end`, `emit_try_case`)."""
        if mnemonic != "str" or not self.last or self.last[0][1] not in ("add", "sub"):
            return
        found = _CATCHES.match(operands)
        if found is None or self.last[0][2] != f"{found[1]}, {found[1]}, #1":
            return
        load = next((at for at, name, what in self.last[1:] if (name, what) == ("ldr", operands)), None)
        if load is not None:
            (self.landings if self.last[0][1] == "sub" else self.tries).append(load)

    def _constant(self, register: str) -> int | None:
        number, value = self.numbers.get(register, (-_REACH, 0))
        return value if len(self.steps) - number < _REACH else None

    def _final(self, address: int) -> int:
        """Where a call or jump to `address` leads in the end."""
        return final_target(address, self.code.at)


def final_target(address: int, read: ReadMemory) -> int:
    """Where code goes on that jumps to `address`, through jumps that only extend the reach of others (`emit_veneer`,
    `_dispatchTable` in beam_asm_module.cpp)."""
    for _ in range(_HOPS):
        beyond = _hop(address, read)
        if beyond is None:
            break
        address = beyond
    return address


def call_target(return_address: int, read: ReadMemory) -> int | None:
    """What the call that returns to `return_address` calls, None where it varies or is no call."""
    raw = read(return_address - SIZE, SIZE)
    if not raw or raw[3] >> 2 != 0b100101:
        return None
    ((at, _, operands),) = instructions(raw, return_address - SIZE)
    return final_target(to_number(operands[1:]), read)


def _hop(address: int, read: ReadMemory) -> int | None:
    """Where the jump at `address` leads, None if there is none that is unconditional and goes to a fixed address."""
    register, value = "", 0
    raw = read(address, SIZE * _HOP_SIZE) or read(address, SIZE) or b""
    for at, mnemonic, operands in instructions(raw, address):
        first, _, rest = operands.partition(", ")
        if mnemonic == "b" and at == address:
            return to_number(operands[1:])
        if mnemonic == "br" and first == register:
            return value
        if mnemonic == "movk" and wide(first) == register:
            value = inserted(value, rest)
        elif at == address and rest.startswith("#") and mnemonic in ("mov", "ldr"):
            register, value = wide(first), to_number(rest[1:]) & (1 << 64) - 1
            if mnemonic == "ldr":
                value = int.from_bytes(read(value, WORD) or b"", "little")
        else:
            return None
    return None
