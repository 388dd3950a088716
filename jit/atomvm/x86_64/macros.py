"""The macro operations of ``jit/atomvm/macros.py`` on x86-64."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from jit.atomvm import macros, terms
from jit.atomvm.formats import MODULE_SHIFT, Format, Target
from jit.atomvm.macros import Argument, Special, in_place
from jit.atomvm.module_macros import InRegisters
from jit.atomvm.shared_code import SharedCode
from jit.atomvm.x86_64.conventions import (
    ARGS,
    BELOW,
    C_ARGS,
    CALLED,
    CALLED_TWICE,
    CONTEXT,
    ENTRY,
    INDEX,
    INSIDE,
    PRIMITIVES_AT,
    PUSHED,
    SAVED,
    SCRATCH,
    SCRATCH_2,
    STACK,
    STATE,
    WORD,
)
from jit.codegen.native import Fragment
from jit.codegen.processor import Label
from jit.x86_64.assembler import Assembler
from jit.x86_64.operands import R8, RAX, RCX, RDI, RDX, RSI, RSP, Condition, Memory, Register, at
from jit.x86_64.processor import X86_64

_CONDITIONS: Final = {one: Condition[one.name] for one in macros.Condition}
_SPECIAL: Final = {Special.CONTEXT: CONTEXT, Special.STATE: STATE}
#: Numbers that instructions hold.
_IMMEDIATE: Final = range(-0x8000_0000, 0x8000_0000)

#: A method of the assembler.
_Operate = Callable[[Register, Register | Memory | int], None]


class X86Macros(InRegisters[Register]):
    """The code of one module."""

    processor = X86_64
    args: Sequence[Register] = ARGS
    saved: Sequence[Register] = SAVED
    stack: Register | None = STACK
    called = CALLED
    c_args: Sequence[Register] = C_ARGS
    a: Assembler

    def __init__(self, format: Format, target: Target) -> None:
        self.a = Assembler()
        self._format = format
        self._layout, self._entry = target.layout, target.entry
        self._shared = SharedCode(self.a, INSIDE)
        self._code, self._setup, self._tables = Label(), Label(), Label()

    # Words

    def load(self, into: Register, base: Register, word: int) -> None:
        self.a.mov(into, at(base, WORD * word))

    def store(self, source: Register, base: Register, word: int) -> None:
        self.a.store(at(base, WORD * word), source)

    def load_of(self, into: Register, term: Register, tag: int, word: int) -> None:
        self.a.mov(into, at(term, WORD * word - tag))

    def load_at(self, into: Register, base: Register, index: Register, word: int) -> None:
        self.a.mov(into, at(base, WORD * word, index, WORD))

    def store_at(self, source: Register, base: Register, index: Register, word: int) -> None:
        self.a.store(at(base, WORD * word, index, WORD), source)

    def load_context(self, into: Register, offset: int) -> None:
        self.a.mov(into, at(CONTEXT, offset))

    def store_context(self, source: Register, offset: int) -> None:
        self.a.store(at(CONTEXT, offset), source)

    def add(self, into: Register, one: Register, other: Register | int) -> None:
        other = self._immediate(other)
        if into in (one, other):
            self._commute(self.a.add, into, one, other)
        else:
            self.a.lea(into, at(one, other) if isinstance(other, int) else at(one, 0, other))

    def subtract(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int):
            self.add(into, one, -other)
        elif into is other:
            self.a.neg(into)
            self.a.add(into, one)
        else:
            self.a.move(into, one)
            self.a.sub(into, other)

    def and_(self, into: Register, one: Register, other: Register | int) -> None:
        self._commute(self.a.and_, into, one, other)

    def or_(self, into: Register, one: Register, other: Register | int) -> None:
        self._commute(self.a.or_, into, one, other)

    def xor(self, into: Register, one: Register, other: Register | int) -> None:
        self._commute(self.a.xor, into, one, other)

    def _commute(self, operate: _Operate, into: Register, one: Register, other: Register | int) -> None:
        """An operation of two operands, in which they may change places."""
        if into is other:
            one, other = into, one
        self.a.move(into, one)
        operate(into, self._immediate(other))

    def _immediate(self, value: Register | int) -> Register | int:
        """A register, or a number that instructions hold."""
        if isinstance(value, Register) or value in _IMMEDIATE:
            return value
        self.a.constant(SCRATCH, value)
        return SCRATCH

    def shift_left(self, into: Register, one: Register, by: int) -> None:
        self.a.move(into, one)
        self.a.shl(into, by)

    def shift_right(self, into: Register, one: Register, by: int, *, sign: bool = False) -> None:
        self.a.move(into, one)
        (self.a.sar if sign else self.a.shr)(into, by)

    def multiply(self, into: Register, one: Register, by: Register | int, overflow: Label) -> None:
        self._multiply(into, one, by)
        self.a.jump_if(Condition.OVERFLOW, overflow)

    def multiply_low(self, into: Register, one: Register, by: int) -> None:
        self._multiply(into, one, by)

    def _multiply(self, into: Register, one: Register, by: Register | int) -> None:
        by = self._immediate(by)
        if isinstance(by, int):
            self.a.imul(into, one, by)
        elif into is by:
            self.a.imul(into, one)
        else:
            self.a.move(into, one)
            self.a.imul(into, by)

    def add_smalls(
        self, into: Register, one: Register, other: Register | int, slow: Label, *, checked: tuple[bool, bool]
    ) -> None:
        """The tag is taken from the first term, so that the sum has that of the second."""
        self._check_smalls(one, other, slow, checked)
        if isinstance(other, int):
            self._number(self.a.add, into, one, other - terms.INTEGER, slow)
            return
        result = SCRATCH if into in (one, other) else into
        self.add(result, one, -terms.INTEGER)
        self.a.add(result, other)
        self.a.jump_if(Condition.OVERFLOW, slow)
        self.a.move(into, result)

    def subtract_smalls(
        self, into: Register, one: Register, other: Register | int, slow: Label, *, checked: tuple[bool, bool]
    ) -> None:
        """Tags go away, and the difference gets one."""
        self._check_smalls(one, other, slow, checked)
        if isinstance(other, int):
            self._number(self.a.sub, into, one, other - terms.INTEGER, slow)
            return
        self.a.mov(SCRATCH, one)
        self.a.sub(SCRATCH, other)
        self.a.jump_if(Condition.OVERFLOW, slow)
        self.add(into, SCRATCH, terms.INTEGER)

    def _number(self, operate: _Operate, into: Register, one: Register, number: int, slow: Label) -> None:
        """A sum or difference with a number, which leaves the operand as it is where it goes to *slow*."""
        amount = number if number in _IMMEDIATE else SCRATCH_2
        if amount is SCRATCH_2:
            self.a.constant(SCRATCH_2, number)
        result = SCRATCH if into is one else into
        self.a.mov(result, one)
        operate(result, amount)
        self.a.jump_if(Condition.OVERFLOW, slow)
        self.a.move(into, result)

    def _check_smalls(self, one: Register, other: Register | int, slow: Label, checked: tuple[bool, bool]) -> None:
        terms_ = [term for term, known in zip((one, other), checked) if isinstance(term, Register) and not known]
        if len(terms_) == 2:
            self.a.mov(SCRATCH, terms_[0], wide=False)
            self.a.and_(SCRATCH, terms_[1], wide=False)
            terms_ = [SCRATCH]
        for term in terms_:
            self.branch_if_bits(macros.Condition.DIFFERENT, term, terms.TAG, terms.INTEGER, slow)

    # Branches

    def branch_if(self, condition: macros.Condition, one: Register, other: Register | int, target: Label) -> None:
        if other == 0:
            self.a.test(one, one)
        else:
            self.a.cmp(one, self._immediate(other))
        self.a.jump_if(_CONDITIONS[condition], target)

    def branch_if_bits(self, condition: macros.Condition, one: Register, mask: int, value: int, target: Label) -> None:
        if value and mask & mask + 1:
            self.a.mov(SCRATCH, one, wide=False)
            self.a.and_(SCRATCH, mask, wide=False)
            self.a.cmp(SCRATCH, value, wide=False)
        elif value:  # all bits of the mask and below it: they are equal where those of the difference are 0
            self.a.lea(SCRATCH, at(one, -value), wide=False)
            self.a.test_bits(SCRATCH, mask)
        else:
            self.a.test_bits(one, mask)
        self.a.jump_if(_CONDITIONS[condition], target)

    def branch_if_any(self, one: Register, mask: int, target: Label) -> None:
        self.a.test_bits(one, mask)
        self.a.jump_if(Condition.DIFFERENT, target)

    def branch_if_false(self, result: Register, target: Label) -> None:
        self.a.test(result, result)
        self.a.jump_if(Condition.EQUAL, target)

    # C functions

    def call_pointer(self, pointer: Register, *arguments: Argument) -> None:
        self.a.mov(SCRATCH_2, pointer)
        self._arguments(C_ARGS, arguments)
        self.a.call(SCRATCH_2)
        self._find_stack()

    def _primitive(self, name: str, below: int = 0) -> Memory:
        """Where the address of a primitive is, by a scratch register; *below*: see ``_call``."""
        self.a.mov(SCRATCH, at(RSP, PRIMITIVES_AT + below))
        return at(SCRATCH, WORD * self._format.primitives[name])

    def _moved(self, primitive: str) -> None:
        if primitive not in self._format.still:
            self._find_stack()

    def _find_stack(self) -> None:
        self.a.mov(STACK, at(CONTEXT, self._layout.e))

    def _call(self, primitive: str, below: int = 0) -> None:
        """Call a primitive; what the C ABI leaves open in the register of the result is made to be of a word."""
        self.a.call(self._primitive(primitive, below))
        size = self._format.narrow.get(primitive)
        if size == 1:
            self.a.movzx(RAX, RAX)
        elif size == 4:
            self.a.movsxd(RAX, RAX)

    def _arguments(self, places: Sequence[Register], arguments: Sequence[Argument]) -> None:
        """Put arguments where a C function has them."""
        for into, source in in_place(places, arguments, _SPECIAL, SCRATCH):
            if isinstance(source, Register):
                self.a.mov(into, source)
            elif source:
                self.a.constant(into, source)
            else:
                self.a.xor(into, into, wide=False)

    def _call_code(self, code: Label) -> None:
        self.a.call(code)

    def _compare(self, options: int) -> None:
        self.a.constant(R8, options)
        self._call_aligned("term_compare")

    def _call_aligned(self, primitive: str) -> None:
        """Call a primitive with context and state from code that is called, in which the stack is a word off."""
        self._arguments(C_ARGS, (Special.CONTEXT, Special.STATE))
        self.a.sub(RSP, WORD)
        self._call(primitive, 2 * WORD)
        self.a.add(RSP, WORD)
        self._moved(primitive)

    def _bif(self, collects: bool, count: int) -> None:
        a = self.a
        kept = (RDX, RCX) if collects else (RCX,)
        a.push(*kept)
        a.mov(RDI, STATE)
        if collects:  # three words are on the stack, with the place to return to
            a.sub(RSP, WORD)
        self._call("get_imported_bif", 4 * WORD if collects else 2 * WORD)
        if collects:
            a.add(RSP, WORD)
        a.pop(*reversed((RDX, RSI) if collects else (RSI,)))
        self._arguments(C_ARGS[1 + len(kept) :], SAVED[:count])
        a.mov(RDI, CONTEXT)
        a.sub(RSP, WORD)
        a.call(RAX)
        a.add(RSP, WORD)
        self._find_stack()

    def _tail(self, primitive: str) -> None:
        self.a.mov(RAX, self._primitive(primitive))
        self._arguments(C_ARGS, (Special.CONTEXT, Special.STATE))
        self._pop()
        self.a.jump_to(RAX)

    def _pop(self) -> None:
        self.a.add(RSP, BELOW)
        self.a.pop(*reversed(PUSHED))

    def return_unless_context(self, context: Register) -> None:
        self.a.cmp(context, CONTEXT)
        self.a.jump_if(Condition.DIFFERENT, self._leave_label())

    def keep(self, register: Register) -> None:
        self.a.push(register, register)  # twice, for the stack is aligned to two words
        self._kept += 2 * WORD

    def take(self, register: Register) -> None:
        self.a.pop(register, register)
        self._kept -= 2 * WORD

    # The stack and the heap. Primitives are called with what these have in registers for them.

    def _allocate(self) -> None:
        a, slow = self.a, Label()
        self._room(slow, at(SCRATCH, WORD, RCX, WORD), at(SCRATCH, 0, RDX, WORD))
        a.mov(RAX, at(CONTEXT, self._layout.cp))
        a.store(at(STACK, -WORD), RAX)
        a.neg(RDX)
        a.lea(STACK, at(STACK, -WORD, RDX, WORD))
        a.store(at(CONTEXT, self._layout.e), STACK)
        a.ret()
        a.bind(slow)
        self._slowly("allocate")

    def _test_heap(self) -> None:
        slow = Label()
        self._room(slow, at(SCRATCH, 0, RDX, WORD))
        self.a.ret()
        self.a.bind(slow)
        self._slowly("test_heap")

    def _deallocate(self, go_on: Callable[[], None]) -> None:
        a, slow = self.a, Label()
        self._check_whole(slow)
        a.mov(RAX, at(STACK, 0, RDX, WORD))
        a.lea(STACK, at(STACK, WORD, RDX, WORD))
        a.store(at(CONTEXT, self._layout.cp), RAX)
        a.store(at(CONTEXT, self._layout.e), STACK)
        go_on()
        a.bind(slow)
        self._slowly("deallocate", go_on)

    def _drop_call(self, go_on: Label) -> None:
        self.a.add(RSP, WORD)
        with self._shared.framed(INSIDE):
            self.a.jump(go_on)

    def _check_whole(self, slow: Label) -> None:
        """To *slow* if the heap has parts."""
        self.a.mov(RAX, at(CONTEXT, self._layout.root))
        self.a.cmp_memory(at(RAX), 0)
        self.a.jump_if(Condition.DIFFERENT, slow)

    def _room(self, slow: Label, *beyond: Memory) -> None:
        """To *slow* if the heap has parts, or no room up to the stack.

        How much is wanted is told by what the end of the heap becomes, step by step.
        """
        a = self.a
        self._check_whole(slow)
        a.mov(SCRATCH, at(CONTEXT, self._layout.heap))
        for end in beyond:
            a.lea(SCRATCH, end)
        a.cmp(SCRATCH, STACK)
        a.jump_if(Condition.ABOVE, slow)

    def _slowly(self, primitive: str, go_on: Callable[[], None] | None = None) -> None:
        """Let a primitive do it, and go back or on; an error is that of the call."""
        self._call_aligned(primitive)
        self._go_on_unless_false(go_on or self._back)

    def _tell_place(self, leaving: Label) -> None:
        a = self.a
        a.mov(RDX, at(RSP))
        a.lea(SCRATCH, self._code)
        a.sub(RDX, SCRATCH)
        a.sub(RDX, ENTRY)
        a.add(RSP, WORD)
        with self._shared.framed(INSIDE):
            a.jump(leaving)

    # Ways in and out

    def begin(self, label_count: int, places: Mapping[int, Label], ways: Mapping[int, Label]) -> None:
        a, stubs = self.a, {number: Label() for number in places if number not in ways}
        a.bind(self._code)
        with self._shared.part("labels", self.begin, CALLED):
            a.jump(self._tables)
            for number in range(1, label_count):
                if number in places:
                    a.jump(ways.get(number) or stubs[number])
                else:
                    a.ud2()
                    while a.offset < self._entry * (number + 1):
                        a.int3()
            a.call(self._setup)
        with self._shared.part("end", self.begin):
            self.tail("terminate_context")  # where returns come to, as behind any entry
        with self._shared.part("setup", self._emit_setup, CALLED_TWICE):
            self._emit_setup()
        for number, stub in stubs.items():
            with self._shared.part(f"way in {number}", self.begin):
                a.bind(stub)
                self.entry()
                a.jump(places[number])

    def _emit_setup(self) -> None:
        """Called at every entry: the registers that native code has everywhere, and its frame."""
        a = self.a
        a.bind(self._setup)
        a.pop(RAX)
        a.push(*PUSHED)
        a.mov(CONTEXT, RDI)
        a.mov(STATE, RSI)
        a.mov(RCX, at(STATE, self._layout.module))
        a.mov(RCX, at(RCX), wide=False)
        a.shl(RCX, MODULE_SHIFT)
        a.push(RDX, RDX, RCX)
        self._find_stack()
        a.jump_to(RAX)

    def entry(self) -> None:
        with self._shared.framed(CALLED):
            self.a.call(self._setup)

    def set_return(self, place: Label) -> None:
        self.a.offset_of(SCRATCH, place, 2)
        self.a.or_(SCRATCH, INDEX)
        self.a.store(at(CONTEXT, self._layout.cp), SCRATCH)

    def set_continuation(self, place: Label) -> None:
        self.a.lea(SCRATCH, place)
        self.a.store(at(STATE, self._layout.continuation), SCRATCH)

    def set_continuation_label(self, label: int) -> None:
        self.set_continuation(Label(offset=self._entry * label))

    def _way_in(self, way: Label) -> None:
        self.a.bind(way)
        self.entry()

    def _yield(self) -> None:
        a = self.a
        a.mov(SCRATCH, at(RSP))
        a.store(at(STATE, self._layout.continuation), SCRATCH)
        a.add(RSP, WORD)
        with self._shared.framed(INSIDE):
            a.jump(self._leaving("schedule_next_cp", 0))

    def _return_here(self) -> None:
        a = self.a
        a.mov(SCRATCH, at(RSP))
        a.lea(RAX, self._code)
        a.sub(SCRATCH, RAX)
        a.shl(SCRATCH, 2)
        a.or_(SCRATCH, at(RSP, WORD))  # the index, above the address to return to
        a.store(at(CONTEXT, self._layout.cp), SCRATCH)

    def _count_reduction(self, exhausted: Label) -> None:
        self.a.dec32(at(STATE, self._layout.reductions))
        self.a.jump_if(Condition.EQUAL, exhausted)

    def _return(self) -> None:
        """To a return point of this module behind its entry, as all registers have what that gives them."""
        a, elsewhere = self.a, Label()
        a.mov(RAX, at(CONTEXT, self._layout.cp))
        a.xor(RAX, INDEX)
        a.mov(RCX, RAX)
        a.shr(RCX, MODULE_SHIFT)
        a.jump_if(Condition.DIFFERENT, elsewhere)
        a.shr(RAX, 2)
        a.lea(RCX, self._code)
        a.lea(RAX, at(RAX, ENTRY, RCX))
        a.jump_to(RAX)
        a.bind(elsewhere)
        self._tail("do_return")

    def catch_term(self, into: Register, label: int) -> None:
        self.a.constant(into, label << terms.SECOND_TAG_BITS | terms.CATCH)
        self.a.or_(into, INDEX)

    def finish(self, tables: Callable[[], bytes]) -> list[Fragment]:
        self._shared.emit()
        with self._shared.part("tables", self.finish, CALLED):
            data = Label()
            self.a.bind(self._tables)
            self.a.lea(RAX, data)
            self.a.ret()
            self.a.bind(data)
            self.a.data(tables())
        return self._shared.fragments
