"""Loads and stores of several registers (the manual's A5.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jit.arm32.buffer import Buffer
from jit.arm32.conditions import AL, Condition
from jit.arm32.encoding import Encoding
from jit.arm32.operands import register_list
from jit.arm32.registers import Register
from jit.codegen.processor import Event, Jumped, RegisterLoaded, RegisterSaved, StackMoved

_LIST = {
    "register_list == 0": "the list of registers is empty",
    "W and register_list >> Rn & 1": "cannot write back to a register of the list",
}
_TWO = {
    "register_list == 0": "the list of registers is empty",
    "register_list & (register_list - 1) == 0": "this encoding is for two registers or more",
}

LDM = Encoding("ldm{cond} {Rn}{writeback}, {register_list}", "cond 100010 W 1 Rn register_list",
               "LDM/LDMIA/LDMFD (ARM), A1", never=_LIST)  # fmt: skip
LDMDA = Encoding("ldmda{cond} {Rn}{writeback}, {register_list}", "cond 100000 W 1 Rn register_list",
                 "LDMDA/LDMFA, A1", never=_LIST)  # fmt: skip
LDMDB = Encoding("ldmdb{cond} {Rn}{writeback}, {register_list}", "cond 100100 W 1 Rn register_list",
                 "LDMDB/LDMEA, A1", never=_LIST)  # fmt: skip
LDMIB = Encoding("ldmib{cond} {Rn}{writeback}, {register_list}", "cond 100110 W 1 Rn register_list",
                 "LDMIB/LDMED, A1", never=_LIST)  # fmt: skip
STM = Encoding("stm{cond} {Rn}{writeback}, {register_list}", "cond 100010 W 0 Rn register_list",
               "STM (STMIA, STMEA), A1", never=_LIST)  # fmt: skip
STMDA = Encoding("stmda{cond} {Rn}{writeback}, {register_list}", "cond 100000 W 0 Rn register_list",
                 "STMDA (STMED), A1", never=_LIST)  # fmt: skip
STMDB = Encoding("stmdb{cond} {Rn}{writeback}, {register_list}", "cond 100100 W 0 Rn register_list",
                 "STMDB (STMFD), A1", never=_LIST)  # fmt: skip
STMIB = Encoding("stmib{cond} {Rn}{writeback}, {register_list}", "cond 100110 W 0 Rn register_list",
                 "STMIB (STMFA), A1", never=_LIST)  # fmt: skip

PUSH = Encoding("push{cond} {register_list}", "cond 100100101101 register_list", "PUSH, A1",
                never={**_TWO, "register_list >> 13 & 1": "cannot push sp"})  # fmt: skip
PUSH_ONE = Encoding("push{cond} {{{Rt}}}", "cond 010100101101 Rt 000000000100", "PUSH, A2",
                    never={"Rt == 13": "cannot push sp"})  # fmt: skip
POP = Encoding("pop{cond} {register_list}", "cond 100010111101 register_list", "POP (ARM), A1",
               never={**_TWO, "register_list >> 13 & 1": "cannot pop sp"})  # fmt: skip
POP_ONE = Encoding("pop{cond} {{{Rt}}}", "cond 010010011101 Rt 000000000100", "POP (ARM), A2", pc="Rt",
                   never={"Rt == 13": "cannot pop sp"})  # fmt: skip

_PC_BIT = 1 << 15
_WORD = 4


class LoadStoreMultiple(Buffer):
    """Several registers and consecutive words: the lowest register always has the lowest address.

    With *writeback* rn becomes the address after the last word (or before the first, where addresses go down).
    """

    def ldm(self, rn: Register, registers: Iterable[Register], writeback: bool = False, cond: Condition = AL) -> None:
        """Load the words from rn up."""
        self._multiple(LDM, rn, registers, writeback, cond)

    def ldmda(self, rn: Register, registers: Iterable[Register], writeback: bool = False, cond: Condition = AL) -> None:
        """Load the words up to rn and with it."""
        self._multiple(LDMDA, rn, registers, writeback, cond)

    def ldmdb(self, rn: Register, registers: Iterable[Register], writeback: bool = False, cond: Condition = AL) -> None:
        """Load the words below rn."""
        self._multiple(LDMDB, rn, registers, writeback, cond)

    def ldmib(self, rn: Register, registers: Iterable[Register], writeback: bool = False, cond: Condition = AL) -> None:
        """Load the words above rn."""
        self._multiple(LDMIB, rn, registers, writeback, cond)

    def stm(self, rn: Register, registers: Iterable[Register], writeback: bool = False, cond: Condition = AL) -> None:
        """Store the words from rn up."""
        self._multiple(STM, rn, registers, writeback, cond)

    def stmda(self, rn: Register, registers: Iterable[Register], writeback: bool = False, cond: Condition = AL) -> None:
        """Store the words up to rn and with it."""
        self._multiple(STMDA, rn, registers, writeback, cond)

    def stmdb(self, rn: Register, registers: Iterable[Register], writeback: bool = False, cond: Condition = AL) -> None:
        """Store the words below rn."""
        self._multiple(STMDB, rn, registers, writeback, cond)

    def stmib(self, rn: Register, registers: Iterable[Register], writeback: bool = False, cond: Condition = AL) -> None:
        """Store the words above rn."""
        self._multiple(STMIB, rn, registers, writeback, cond)

    def push(self, *registers: Register, cond: Condition = AL) -> None:
        """Store below sp, and move sp down."""
        mask = register_list(registers)
        if len(registers) == 1:
            word = PUSH_ONE.encode(cond=cond.number, Rt=registers[0].number)
        else:
            word = PUSH.encode(cond=cond.number, register_list=mask)
        self._emit(word, *(self._pushed(mask) if cond is AL else ()))

    def pop(self, *registers: Register, cond: Condition = AL) -> None:
        """Load from sp up, and move sp up; a load of pc is a jump."""
        mask = register_list(registers)
        if len(registers) == 1:
            word = POP_ONE.encode(cond=cond.number, Rt=registers[0].number)
        else:
            word = POP.encode(cond=cond.number, register_list=mask)
        self._emit_jump(word, mask, cond, *(self._popped(mask) if cond is AL else ()))

    def _pushed(self, mask: int) -> Iterator[Event]:
        numbers = _numbers(mask)
        yield StackMoved(*self._next, _WORD * len(numbers))
        yield from (RegisterSaved(*self._next, number, _WORD * at) for at, number in enumerate(numbers))

    def _popped(self, mask: int) -> Iterator[Event]:
        numbers = _numbers(mask)
        yield from (RegisterLoaded(*self._next, number, _WORD * at) for at, number in enumerate(numbers))
        yield StackMoved(*self._next, -_WORD * len(numbers))

    def _multiple(
        self, encoding: Encoding, rn: Register, registers: Iterable[Register], writeback: bool, cond: Condition
    ) -> None:
        mask = register_list(registers)
        word = encoding.encode(cond=cond.number, W=int(writeback), Rn=rn.number, register_list=mask)
        self._emit_jump(word, 0 if encoding.mnemonic.startswith("st") else mask, cond)

    def _emit_jump(self, word: int, loaded: int, cond: Condition, *events: Event) -> None:
        jumped = [Jumped(*self._next, None, always=cond is AL)] if loaded & _PC_BIT else []
        self._emit(word, *events, *jumped)
        if jumped and cond is AL:
            self.unreachable()


def _numbers(mask: int) -> list[int]:
    """Of a list of registers, from the lowest address up."""
    return [number for number in range(16) if mask >> number & 1]
