"""The macro operations of ``jit/atomvm/macros.py`` on RISC-V, of 32 and 64 bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final

from jit.atomvm import macros, terms
from jit.atomvm.formats import MODULE_SHIFT, Format, Target
from jit.atomvm.macros import Argument, Special, Wide, in_place
from jit.atomvm.module_macros import InRegisters
from jit.atomvm.riscv.conventions import (
    ALIGNMENT,
    ARGS,
    C_ARGS,
    CALLED,
    CODE,
    CONTEXT,
    ENTERED_FROM,
    ENTRY,
    INDEX,
    KEPT,
    OF_CALLS,
    OF_CALLS_2,
    PRIMITIVES,
    SAVED,
    SCRATCH,
    SCRATCH_2,
    SMALL,
    STATE,
    Stack,
)
from jit.atomvm.shared_code import SharedCode
from jit.codegen.native import Fragment
from jit.codegen.processor import Label, Processor
from jit.riscv.assembler import Assembler
from jit.riscv.buffer import TOGETHER
from jit.riscv.encoding import is_twelve
from jit.riscv.operands import A0, A1, A2, A3, A4, A5, RA, SP, ZERO, Condition, Register

#: Of two registers; those that there are not are others with the registers exchanged.
_CONDITIONS: Final = {
    macros.Condition.LESS: (Condition.LESS, False),
    macros.Condition.LESS_EQUAL: (Condition.GREATER_EQUAL, True),
    macros.Condition.GREATER: (Condition.LESS, True),
    macros.Condition.GREATER_EQUAL: (Condition.GREATER_EQUAL, False),
    macros.Condition.EQUAL: (Condition.EQUAL, False),
    macros.Condition.DIFFERENT: (Condition.DIFFERENT, False),
    macros.Condition.BELOW: (Condition.BELOW, False),
    macros.Condition.ABOVE: (Condition.BELOW, True),
}
#: Words that instructions reach.
_WORDS: Final = 256
_SPECIAL: Final = {Special.CONTEXT: CONTEXT, Special.STATE: STATE}
#: A return point is not farther behind where its address is made.
_NEAR: Final = 4096
#: How far a call goes back, less what may come between.
_CALL_BACK: Final = (1 << 20) - 4096
#: Code that functions share has not more bytes than that.
_SHARED: Final = 1 << 14


class RiscvMacros(InRegisters[Register]):
    """The code of one module."""

    args: Sequence[Register] = ARGS
    saved: Sequence[Register] = SAVED
    called = CALLED
    c_args: Sequence[Register] = C_ARGS
    a: Assembler

    def __init__(self, processor: Processor, format: Format, target: Target) -> None:
        self.processor = processor
        self.a = Assembler(target.layout.word, self._apart)
        self._format = format
        self._layout, self._entry = target.layout, target.entry
        self._word = target.layout.word
        self._stack = Stack(self._word)
        self._shared = SharedCode(self.a, self._stack.inside)
        self._code, self._tables = Label(), Label()
        #: By the label of each: where there is code for entries to call; the last one may not be bound yet.
        self._setups = [Label()]

    def _apart(self, called: bool) -> AbstractContextManager[None]:
        """Islands stand between operations, those of calls in the frame with which what they lead to begins."""
        return self._shared.framed(CALLED if called else self._stack.inside)

    # Words

    def load(self, into: Register, base: Register, word: int) -> None:
        self.a.load(into, *self._at(base, self._word * word))

    def store(self, source: Register, base: Register, word: int) -> None:
        self.a.store(source, *self._at(base, self._word * word))

    def _at(self, base: Register, offset: int) -> tuple[Register, int]:
        """A register and an offset that instructions hold, for an offset from a register."""
        if is_twelve(offset):
            return base, offset
        self.a.constant(SCRATCH, offset)
        self.a.add(SCRATCH, SCRATCH, base)
        return SCRATCH, 0

    def load_of(self, into: Register, term: Register, tag: int, word: int) -> None:
        if word < _WORDS:
            self.a.load(into, term, self._word * word - tag)
        else:
            super().load_of(into, term, tag, word)

    def load_at(self, into: Register, base: Register, index: Register, word: int) -> None:
        self._index(base, index)
        self.a.load(into, SCRATCH, self._word * word)

    def store_at(self, source: Register, base: Register, index: Register, word: int) -> None:
        self._index(base, index)
        self.a.store(source, SCRATCH, self._word * word)

    def _index(self, base: Register, index: Register) -> None:
        self._words(SCRATCH, index)
        self.a.add(SCRATCH, SCRATCH, base)

    def _words(self, into: Register, count: Register) -> None:
        """Bytes of so many words."""
        self.a.slli(into, count, 3 if self._word > 4 else 2)

    def load_context(self, into: Register, offset: int) -> None:
        self.a.load(into, CONTEXT, offset)

    def store_context(self, source: Register, offset: int) -> None:
        self.a.store(source, CONTEXT, offset)

    def add(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int) and is_twelve(other):
            self.a.addi(into, one, other)
        else:
            self.a.add(into, one, self._number(other))

    def subtract(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int):
            self.add(into, one, -other)
        else:
            self.a.sub(into, one, other)

    def _number(self, value: Register | int, scratch: Register = SCRATCH) -> Register:
        """A register that has a number."""
        if isinstance(value, Register):
            return value
        if value == 0:
            return ZERO
        if value == terms.INTEGER:
            return SMALL
        self.a.constant(scratch, value)
        return scratch

    def and_(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int) and is_twelve(other):
            self.a.andi(into, one, other)
        else:
            self.a.and_(into, one, self._number(other))

    def or_(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int) and is_twelve(other):
            self.a.ori(into, one, other)
        else:
            self.a.or_(into, one, self._number(other))

    def xor(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int) and is_twelve(other):
            self.a.xori(into, one, other)
        else:
            self.a.xor(into, one, self._number(other))

    def shift_left(self, into: Register, one: Register, by: int) -> None:
        self.a.slli(into, one, by)

    def shift_right(self, into: Register, one: Register, by: int, *, sign: bool = False) -> None:
        (self.a.srai if sign else self.a.srli)(into, one, by)

    def multiply(self, into: Register, one: Register, by: Register | int, overflow: Label) -> None:
        a, upper, factor = self.a, SCRATCH_2, self._number(by)
        a.mulh(upper, one, factor)
        a.mul(SCRATCH, one, factor)
        a.srai(OF_CALLS, SCRATCH, 8 * self._word - 1)
        a.branch(Condition.DIFFERENT, upper, OF_CALLS, overflow)
        a.move(into, SCRATCH)

    def multiply_low(self, into: Register, one: Register, by: int) -> None:
        self.a.mul(into, one, self._number(by))

    def add_smalls(
        self, into: Register, one: Register, other: Register | int, slow: Label, *, checked: tuple[bool, bool]
    ) -> None:
        if isinstance(other, int):
            self._check_smalls((one,), slow, checked)
            self._add_number(into, one, other - terms.INTEGER, slow)
            return
        self._check_smalls((one, other), slow, checked)
        self.a.addi(SCRATCH_2, other, -terms.INTEGER)
        self.a.add(SCRATCH, one, SCRATCH_2)
        self.a.slti(SCRATCH_2, SCRATCH_2, 0)
        self._unless_overflown(into, one, slow)

    def subtract_smalls(
        self, into: Register, one: Register, other: Register | int, slow: Label, *, checked: tuple[bool, bool]
    ) -> None:
        if isinstance(other, int):
            self._check_smalls((one,), slow, checked)
            self._add_number(into, one, terms.INTEGER - other, slow)
            return
        self._check_smalls((one, other), slow, checked)
        self.a.addi(SCRATCH_2, other, -terms.INTEGER)
        self.a.sub(SCRATCH, one, SCRATCH_2)
        self.a.slt(SCRATCH_2, ZERO, SCRATCH_2)
        self._unless_overflown(into, one, slow)

    def _unless_overflown(self, into: Register, one: Register, slow: Label) -> None:
        """A result, which is to be less than the first operand just if the second was to make it so."""
        self.a.slt(OF_CALLS, SCRATCH, one)
        self.a.branch(Condition.DIFFERENT, OF_CALLS, SCRATCH_2, slow)
        self.a.move(into, SCRATCH)

    def _add_number(self, into: Register, one: Register, number: int, slow: Label) -> None:
        """A sum, which is to be less than the term just if the number is less than 0."""
        result = SCRATCH if into is one else into
        if is_twelve(number):
            self.a.addi(result, one, number)
        else:
            self.a.constant(SCRATCH_2, number)
            self.a.add(result, one, SCRATCH_2)
        less, more = (result, one) if number >= 0 else (one, result)
        if number:
            self.a.branch(Condition.LESS, less, more, slow)
        self.a.move(into, result)

    def _check_smalls(self, given: Sequence[Register], slow: Label, checked: tuple[bool, bool]) -> None:
        left = [term for term, known in zip(given, checked) if not known]
        if len(left) > 1:
            self.a.and_(SCRATCH, left[0], left[1])
            left = [SCRATCH]
        for term in left:
            self.branch_if_bits(macros.Condition.DIFFERENT, term, terms.TAG, terms.INTEGER, slow)

    # Branches

    def branch_if(self, condition: macros.Condition, one: Register, other: Register | int, target: Label) -> None:
        kind, exchanged = _CONDITIONS[condition]
        first, second = (self._number(other), one) if exchanged else (one, self._number(other))
        self.a.branch(kind, first, second, target)

    def branch_if_bits(self, condition: macros.Condition, one: Register, mask: int, value: int, target: Label) -> None:
        self.a.andi(SCRATCH, one, mask)
        if value in (0, terms.INTEGER):
            self.branch_if(condition, SCRATCH, value, target)
        else:
            self.a.addi(SCRATCH, SCRATCH, -value)
            self.branch_if(condition, SCRATCH, 0, target)

    def branch_if_any(self, one: Register, mask: int, target: Label) -> None:
        self.and_(SCRATCH, one, mask)
        self.a.branch(Condition.DIFFERENT, SCRATCH, ZERO, target)

    def branch_if_false(self, result: Register, target: Label) -> None:
        self.a.branch(Condition.EQUAL, result, ZERO, target)

    # C functions

    def call_pointer(self, pointer: Register, *arguments: Argument) -> None:
        self.a.move(OF_CALLS_2, pointer)
        self._arguments(C_ARGS, arguments)
        self.a.jalr(OF_CALLS_2)

    def _load_primitive(self, name: str) -> None:
        self.a.load(OF_CALLS, PRIMITIVES, self._word * self._format.primitives[name])

    def _call(self, primitive: str, below: int = 0) -> None:
        """Call a primitive; in the register of the result is a word (see ``C_ARGS``)."""
        self._load_primitive(primitive)
        self.a.jalr(OF_CALLS)

    def _arguments(self, places: Sequence[Register], arguments: Sequence[Argument]) -> None:
        """Put arguments where a C function has them: in words, of which an integer of 64 bits may need two."""
        words: list[Argument] = []
        for one in arguments:
            if isinstance(one, Wide) and self._word == 4:
                words += [one.value & 0xFFFF_FFFF, one.value >> 32 & 0xFFFF_FFFF]
            else:
                words.append(one)
        for into, source in in_place(places, words, _SPECIAL, OF_CALLS):
            if isinstance(source, int):
                self.a.constant(into, source)
            else:
                self.a.move(into, source)

    def _call_code(self, code: Label) -> None:
        self.a.call(code)

    def _compare(self, options: int) -> None:
        self.a.constant(A4, options)
        self._call_framed("term_compare")

    def _call_framed(self, primitive: str) -> None:
        """Call a primitive with context and state from code that is called."""
        self.a.addi(SP, SP, -ALIGNMENT)
        self.a.store(RA, SP)
        self._arguments(C_ARGS, (Special.CONTEXT, Special.STATE))
        self._call(primitive)
        self.a.load(RA, SP)
        self.a.addi(SP, SP, ALIGNMENT)

    def _bif(self, collects: bool, count: int) -> None:
        a, size = self.a, 2 * ALIGNMENT
        a.addi(SP, SP, -size)
        a.store(RA, SP)
        if collects:
            a.store(A2, SP, self._word)
        a.store(A3, SP, 2 * self._word)
        a.move(A0, STATE)
        self._call("get_imported_bif")
        a.move(OF_CALLS, A0)
        if collects:
            a.load(A2, SP, self._word)
        a.load(A1, SP, 2 * self._word)
        self._arguments(C_ARGS[3 if collects else 2 :], SAVED[:count])
        a.move(A0, CONTEXT)
        a.jalr(OF_CALLS)
        a.load(RA, SP)
        a.addi(SP, SP, size)

    def _tail(self, primitive: str) -> None:
        self._load_primitive(primitive)
        self._arguments(C_ARGS, (Special.CONTEXT, Special.STATE))
        self._pop()
        self.a.jr(OF_CALLS)

    def _pop(self) -> None:
        for at, register in enumerate(KEPT):
            self.a.load(register, SP, self._word * at)
        self.a.addi(SP, SP, self._stack.size)

    def return_unless_context(self, context: Register) -> None:
        same = Label()
        self.a.branch(Condition.EQUAL, context, CONTEXT, same)
        self.a.jump(self._leave_label())
        self.a.bind(same)

    def keep(self, register: Register) -> None:
        self.a.reach(TOGETHER)  # no island stands up to ``take``, which comes soon
        self.a.addi(SP, SP, -ALIGNMENT)
        self.a.store(register, SP)

    def take(self, register: Register) -> None:
        self.a.load(register, SP)
        self.a.addi(SP, SP, ALIGNMENT)

    # The stack and the heap. Primitives are called with what these have in registers for them.

    def _allocate(self) -> None:
        a, slow = self.a, Label()
        stack, wanted = A1, A5
        a.add(wanted, A2, A3)
        a.addi(wanted, wanted, 1)
        self._room(wanted, stack, slow)
        a.load(A0, CONTEXT, self._layout.cp)
        a.store(A0, stack, -self._word)
        self._words(A0, A2)
        a.sub(stack, stack, A0)
        a.addi(stack, stack, -self._word)
        a.store(stack, CONTEXT, self._layout.e)
        a.ret()
        a.bind(slow)
        self._slowly("allocate")

    def _test_heap(self) -> None:
        slow = Label()
        self._room(A2, A1, slow)
        self.a.ret()
        self.a.bind(slow)
        self._slowly("test_heap")

    def _deallocate(self, go_on: Callable[[], None]) -> None:
        a, slow = self.a, Label()
        stack, back = A1, A0
        self._check_whole(slow)
        a.load(stack, CONTEXT, self._layout.e)
        self._words(back, A2)
        a.add(stack, stack, back)
        a.load(back, stack)
        a.addi(stack, stack, self._word)
        a.store(back, CONTEXT, self._layout.cp)
        a.store(stack, CONTEXT, self._layout.e)
        go_on()
        a.bind(slow)
        self._slowly("deallocate", go_on)

    def _drop_call(self, go_on: Label) -> None:
        self.a.jump(go_on)

    def _check_whole(self, slow: Label) -> None:
        """To *slow* if the heap has parts."""
        self.a.load(A0, CONTEXT, self._layout.root)
        self.a.load(A0, A0)
        self.a.branch(Condition.DIFFERENT, A0, ZERO, slow)

    def _room(self, words: Register, stack: Register, slow: Label) -> None:
        """To *slow* if the heap has parts, or less than so many words up to the stack, whose pointer is given."""
        a = self.a
        self._check_whole(slow)
        a.load(A0, CONTEXT, self._layout.heap)
        a.load(stack, CONTEXT, self._layout.e)
        self._words(SCRATCH, words)
        a.add(SCRATCH, SCRATCH, A0)
        a.branch(Condition.BELOW, stack, SCRATCH, slow)

    def _slowly(self, primitive: str, go_on: Callable[[], None] | None = None) -> None:
        """Let a primitive do it, and go back or on; an error is that of the call."""
        self._call_framed(primitive)
        self._go_on_unless_false(go_on or self._back)

    def _tell_place(self, leaving: Label) -> None:
        self.a.sub(A2, RA, CODE)
        self.a.addi(A2, A2, -2)  # within the call
        self.a.jump(leaving)

    # Ways in and out

    def begin(self, label_count: int, places: Mapping[int, Label], ways: Mapping[int, Label]) -> None:
        a = self.a
        a.bind(self._code)
        with self._shared.part("labels", self.begin), a.whole(self._entry * label_count):
            with self._shared.framed(CALLED):
                a.jump(self._tables)
                a.unimp()
            for number in range(1, label_count):
                if number in places:
                    self.entry()
                    a.jump(places[number])
                else:
                    a.unimp()
                    a.unimp()
        with self._shared.part("end", self.begin):
            self.entry()
            self.tail("terminate_context")  # where returns come to, as behind any entry
        with self._shared.part("setup", self._emit_setup, CALLED):
            a.bind(self._setups[-1])
            self._emit_setup()

    def _emit_setup(self) -> None:
        """Called at every entry: the registers that native code has everywhere."""
        a = self.a
        a.addi(SP, SP, -self._stack.size)
        for at, register in enumerate(KEPT):
            a.store(register, SP, self._word * at)
        a.move(CONTEXT, A0)
        a.move(STATE, A1)
        a.move(PRIMITIVES, A2)
        a.load(INDEX, STATE, self._layout.module)
        a.load_unsigned(INDEX, INDEX)
        a.slli(INDEX, INDEX, MODULE_SHIFT)
        a.address(CODE, self._code)
        a.constant(SMALL, terms.INTEGER)
        a.jr(ENTERED_FROM)

    def entry(self) -> None:
        with self._shared.framed(CALLED):
            self.a.call(self._setup(), ENTERED_FROM)

    def _setup(self) -> Label:
        """The code to call at an entry; that is asked for again where what there is of it is too far away."""
        last = self._setups[-1]
        if last.offset is not None and self.a.offset - last.offset > _CALL_BACK:
            again = f"setup {len(self._setups) + 1}"
            self._setups.append(self._shared.label(again, self._emit_setup, CALLED))
        return self._setups[-1]

    def set_return(self, place: Label) -> None:
        self.a.offset_of(SCRATCH, place, 2, within=_NEAR)
        self.a.add(SCRATCH, SCRATCH, INDEX)
        self.a.store(SCRATCH, CONTEXT, self._layout.cp)

    def set_continuation(self, place: Label) -> None:
        self.a.address(SCRATCH, place)
        self.a.store(SCRATCH, STATE, self._layout.continuation)

    def set_continuation_label(self, label: int) -> None:
        self.add(SCRATCH, CODE, self._entry * label)
        self.a.store(SCRATCH, STATE, self._layout.continuation)

    def _way_in(self, way: Label) -> None:
        self.entry()  # of which the table of labels has one too

    def _yield(self) -> None:
        self.a.store(RA, STATE, self._layout.continuation)
        self.a.jump(self._leaving("schedule_next_cp", 0))

    def _return_here(self) -> None:
        self.a.sub(OF_CALLS, RA, CODE)  # all registers of arguments may be in use
        self.a.slli(OF_CALLS, OF_CALLS, 2)
        self.a.add(OF_CALLS, OF_CALLS, INDEX)
        self.a.store(OF_CALLS, CONTEXT, self._layout.cp)

    def _together(self) -> AbstractContextManager[object]:
        return self.a.whole()

    def _count_reduction(self, exhausted: Label) -> None:
        self.a.load(SCRATCH, STATE, self._layout.reductions, 4)
        self.a.addi(SCRATCH, SCRATCH, -1)
        self.a.store(SCRATCH, STATE, self._layout.reductions, 4)
        self.a.branch(Condition.EQUAL, SCRATCH, ZERO, exhausted)

    def _return(self) -> None:
        """To a return point of this module behind its entry, as all registers have what that gives them."""
        a, elsewhere = self.a, Label()
        a.load(A3, CONTEXT, self._layout.cp)
        a.xor(A3, A3, INDEX)
        a.srli(SCRATCH, A3, MODULE_SHIFT)
        a.branch(Condition.DIFFERENT, SCRATCH, ZERO, elsewhere)
        a.srli(A3, A3, 2)
        a.add(A3, A3, CODE)
        a.jr(A3, ENTRY)
        a.bind(elsewhere)
        self._tail("do_return")

    def catch_term(self, into: Register, label: int) -> None:
        self.a.constant(into, label << terms.SECOND_TAG_BITS | terms.CATCH)
        self.a.add(into, into, INDEX)

    def finish(self, tables: Callable[[], bytes]) -> list[Fragment]:
        with self.a.whole(_SHARED):
            self._shared.emit()
            with self._shared.part("tables", self.finish, CALLED):
                data = Label()
                self.a.bind(self._tables)
                self.a.address(A0, data)
                self.a.ret()
                self.a.bind(data)
                self.a.data(tables())
        return self._shared.fragments
