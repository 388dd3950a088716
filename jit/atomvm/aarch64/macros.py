"""The macro operations of ``jit/atomvm/macros.py`` on 64-bit ARM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from jit.aarch64.assembler import Assembler, Operand
from jit.aarch64.operands import LR, X0, X1, X2, X3, X4, X5, X29, Condition, Register, asr, bitmask, lsl, lsr
from jit.aarch64.processor import AARCH64
from jit.atomvm import macros, terms
from jit.atomvm.aarch64.conventions import (
    ARGS,
    C_ARGS,
    CALLED,
    CODE,
    CONTEXT,
    ENTERED,
    ENTRY,
    FRAME_SIZE,
    INDEX,
    INSIDE,
    KEPT,
    PRIMITIVES,
    PUSHED,
    SAVED,
    SCRATCH,
    SCRATCH_2,
    STATE,
    WORD,
)
from jit.atomvm.formats import MODULE_SHIFT, Format, Target
from jit.atomvm.macros import Argument, Special, in_place
from jit.atomvm.module_macros import InRegisters
from jit.atomvm.shared_code import SharedCode
from jit.codegen.native import Fragment
from jit.codegen.processor import Label

_CONDITIONS: Final = {one: Condition[one.name] for one in macros.Condition}
#: Offsets below that need not be those of whole words.
_NEGATIVE: Final = 256
_SPECIAL: Final = {Special.CONTEXT: CONTEXT, Special.STATE: STATE}
#: Numbers that sums and comparisons hold.
_IMMEDIATE: Final = range(1 << 12)
#: A return point is not farther behind where its address is made.
_NEAR: Final = 4096

#: A method of the assembler.
_Operate = Callable[[Register, Register, Operand], None]


class Aarch64Macros(InRegisters[Register]):
    """The code of one module."""

    processor = AARCH64
    args: Sequence[Register] = ARGS
    saved: Sequence[Register] = SAVED
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
        self.a.ldr(into, base, WORD * word)

    def store(self, source: Register, base: Register, word: int) -> None:
        self.a.str(source, base, WORD * word)

    def load_of(self, into: Register, term: Register, tag: int, word: int) -> None:
        offset = WORD * word - tag
        if offset < _NEGATIVE:
            self.a.ldr(into, term, offset)
        else:
            super().load_of(into, term, tag, word)

    def load_at(self, into: Register, base: Register, index: Register, word: int) -> None:
        self.a.add(SCRATCH, base, lsl(index, 3))
        self.a.ldr(into, SCRATCH, WORD * word)

    def store_at(self, source: Register, base: Register, index: Register, word: int) -> None:
        self.a.add(SCRATCH, base, lsl(index, 3))
        self.a.str(source, SCRATCH, WORD * word)

    def load_context(self, into: Register, offset: int) -> None:
        self.a.ldr(into, CONTEXT, offset)

    def store_context(self, source: Register, offset: int) -> None:
        self.a.str(source, CONTEXT, offset)

    def add(self, into: Register, one: Register, other: Register | int) -> None:
        self._sum(self.a.add, self.a.sub, into, one, other)

    def subtract(self, into: Register, one: Register, other: Register | int) -> None:
        self._sum(self.a.sub, self.a.add, into, one, other)

    def _sum(self, operate: _Operate, opposite: _Operate, into: Register, one: Register, other: Register | int) -> None:
        """A sum or difference; of a number less than nothing the other one."""
        if isinstance(other, int) and -other in _IMMEDIATE:
            opposite(into, one, -other)
        else:
            operate(into, one, self._number(other))

    def _number(self, value: Register | int) -> Register | int:
        """A register, or a number that sums and comparisons hold."""
        if isinstance(value, Register) or value in _IMMEDIATE:
            return value
        self.a.constant(SCRATCH, value)
        return SCRATCH

    def _mask(self, value: Register | int) -> Register | int:
        """A register, or a number that logical instructions hold."""
        if isinstance(value, Register) or bitmask(value) is not None:
            return value
        self.a.constant(SCRATCH, value)
        return SCRATCH

    def and_(self, into: Register, one: Register, other: Register | int) -> None:
        self.a.and_(into, one, self._mask(other))

    def or_(self, into: Register, one: Register, other: Register | int) -> None:
        self.a.orr(into, one, self._mask(other))

    def xor(self, into: Register, one: Register, other: Register | int) -> None:
        self.a.eor(into, one, self._mask(other))

    def shift_left(self, into: Register, one: Register, by: int) -> None:
        self.a.lsl(into, one, by)

    def shift_right(self, into: Register, one: Register, by: int, *, sign: bool = False) -> None:
        (self.a.asr if sign else self.a.lsr)(into, one, by)

    def multiply(self, into: Register, one: Register, by: Register | int, overflow: Label) -> None:
        by = self._factor(by)
        self.a.smulh(SCRATCH_2, one, by)
        self.a.mul(SCRATCH, one, by)
        self.a.cmp(SCRATCH_2, asr(SCRATCH, 63))
        self.a.jump_if(Condition.DIFFERENT, overflow)
        self.a.mov(into, SCRATCH)

    def multiply_low(self, into: Register, one: Register, by: int) -> None:
        self.a.mul(into, one, self._factor(by))

    def _factor(self, by: Register | int) -> Register:
        if isinstance(by, Register):
            return by
        self.a.constant(SCRATCH, by)
        return SCRATCH

    def add_smalls(
        self, into: Register, one: Register, other: Register | int, slow: Label, *, checked: tuple[bool, bool]
    ) -> None:
        self._smalls(self.a.adds, into, one, other, slow, checked)

    def subtract_smalls(
        self, into: Register, one: Register, other: Register | int, slow: Label, *, checked: tuple[bool, bool]
    ) -> None:
        self._smalls(self.a.subs, into, one, other, slow, checked)

    def _smalls(
        self,
        operate: _Operate,
        into: Register,
        one: Register,
        other: Register | int,
        slow: Label,
        checked: tuple[bool, bool],
    ) -> None:
        """A sum or difference of terms, from the second of which the tag is taken."""
        number: Register | int
        if isinstance(other, int):
            self._check_smalls((one,), slow, checked)
            number = self._number(other - terms.INTEGER)
        else:
            self._check_smalls((one, other), slow, checked)
            number = SCRATCH
            self.a.sub(number, other, terms.INTEGER)
        result = SCRATCH if into in (one, other) else into
        operate(result, one, number)
        self.a.jump_if(Condition.OVERFLOW, slow)
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
        if other == 0 and condition is macros.Condition.EQUAL:
            self.a.cbz(one, target)
        elif other == 0 and condition is macros.Condition.DIFFERENT:
            self.a.cbnz(one, target)
        else:
            if isinstance(other, int) and -other in _IMMEDIATE[1:]:
                self.a.cmn(one, -other)
            else:
                self.a.cmp(one, self._number(other))
            self.a.jump_if(_CONDITIONS[condition], target)

    def branch_if_bits(self, condition: macros.Condition, one: Register, mask: int, value: int, target: Label) -> None:
        if value:
            self.a.and_(SCRATCH, one, self._mask(mask))
            self.a.cmp(SCRATCH, value)
        else:
            self.a.tst(one, self._mask(mask))
        self.a.jump_if(_CONDITIONS[condition], target)

    def branch_if_any(self, one: Register, mask: int, target: Label) -> None:
        self.a.tst(one, self._mask(mask))
        self.a.jump_if(Condition.DIFFERENT, target)

    def branch_if_false(self, result: Register, target: Label) -> None:
        self.a.cbz(result, target)

    # C functions

    def call_pointer(self, pointer: Register, *arguments: Argument) -> None:
        self.a.mov(SCRATCH_2, pointer)
        self._arguments(C_ARGS, arguments)
        self.a.blr(SCRATCH_2)

    def _load_primitive(self, name: str) -> None:
        self.a.ldr(SCRATCH, PRIMITIVES, WORD * self._format.primitives[name])

    def _call(self, primitive: str, below: int = 0) -> None:
        """Call a primitive; what the C ABI leaves open in the register of the result is made to be of a word."""
        self._load_primitive(primitive)
        self.a.blr(SCRATCH)
        size = self._format.narrow.get(primitive)
        if size == 1:
            self.a.uxtb(X0, X0)
        elif size == 4:
            self.a.sxtw(X0, X0)

    def _arguments(self, places: Sequence[Register], arguments: Sequence[Argument]) -> None:
        """Put arguments where a C function has them."""
        for into, source in in_place(places, arguments, _SPECIAL, SCRATCH):
            if isinstance(source, int):
                self.a.constant(into, source)
            else:
                self.a.mov(into, source)

    def _call_code(self, code: Label) -> None:
        self.a.bl(code)

    def _compare(self, options: int) -> None:
        self.a.constant(X4, options)
        self._call_framed("term_compare")

    def _call_framed(self, primitive: str) -> None:
        """Call a primitive with context and state from code that is called."""
        self.a.push(*PUSHED)
        self._arguments(C_ARGS, (Special.CONTEXT, Special.STATE))
        self._call(primitive)
        self.a.pop(*PUSHED)

    def _bif(self, collects: bool, count: int) -> None:
        a = self.a
        a.push(X29, LR, 4 * WORD)
        a.stp(X2, X3, 2 * WORD)
        a.mov(X0, STATE)
        self._call("get_imported_bif")
        a.mov(SCRATCH, X0)
        a.ldp(X2, X1, 2 * WORD)
        self._arguments(C_ARGS[3 if collects else 2 :], SAVED[:count])
        a.mov(X0, CONTEXT)
        a.blr(SCRATCH)
        a.pop(X29, LR, 4 * WORD)

    def _tail(self, primitive: str) -> None:
        self._load_primitive(primitive)
        self._arguments(C_ARGS, (Special.CONTEXT, Special.STATE))
        self._pop()
        self.a.br(SCRATCH)

    def _pop(self) -> None:
        for at, pair in enumerate(KEPT, 1):
            self.a.ldp(*pair, 2 * WORD * at)
        self.a.pop(*PUSHED, FRAME_SIZE)

    def return_unless_context(self, context: Register) -> None:
        same = Label()
        self.a.cmp(context, CONTEXT)
        self.a.jump_if(Condition.EQUAL, same)
        self.a.jump(self._leave_label())
        self.a.bind(same)

    def keep(self, register: Register) -> None:
        self.a.push(register, SCRATCH)  # two, for the stack is aligned to that

    def take(self, register: Register) -> None:
        self.a.pop(register, SCRATCH)

    # The stack and the heap. Primitives are called with what these have in registers for them.

    def _allocate(self) -> None:
        a, slow = self.a, Label()
        stack, back = X1, X0
        a.add(X5, X2, X3)
        a.add(X5, X5, 1)
        self._room(X5, stack, slow)
        a.ldr(back, CONTEXT, self._layout.cp)
        a.str(back, stack, -WORD)
        a.sub(stack, stack, lsl(X2, 3))
        a.sub(stack, stack, WORD)
        a.str(stack, CONTEXT, self._layout.e)
        a.ret()
        a.bind(slow)
        self._slowly("allocate")

    def _test_heap(self) -> None:
        slow = Label()
        self._room(X2, X1, slow)
        self.a.ret()
        self.a.bind(slow)
        self._slowly("test_heap")

    def _deallocate(self, go_on: Callable[[], None]) -> None:
        a, slow = self.a, Label()
        stack, back = X1, X0
        self._check_whole(slow)
        a.ldr(stack, CONTEXT, self._layout.e)
        a.add(stack, stack, lsl(X2, 3))
        a.ldr(back, stack)
        a.add(stack, stack, WORD)
        a.str(back, CONTEXT, self._layout.cp)
        a.str(stack, CONTEXT, self._layout.e)
        go_on()
        a.bind(slow)
        self._slowly("deallocate", go_on)

    def _drop_call(self, go_on: Label) -> None:
        self.a.jump(go_on)

    def _check_whole(self, slow: Label) -> None:
        """To *slow* if the heap has parts."""
        self.a.ldr(X0, CONTEXT, self._layout.root)
        self.a.ldr(X0, X0)
        self.a.cbnz(X0, slow)

    def _room(self, words: Register, stack: Register, slow: Label) -> None:
        """To *slow* if the heap has parts, or less than so many words up to the stack, whose pointer is given."""
        a = self.a
        self._check_whole(slow)
        a.ldr(SCRATCH, CONTEXT, self._layout.heap)
        a.ldr(stack, CONTEXT, self._layout.e)
        a.add(SCRATCH, SCRATCH, lsl(words, 3))
        a.cmp(SCRATCH, stack)
        a.jump_if(Condition.ABOVE, slow)

    def _slowly(self, primitive: str, go_on: Callable[[], None] | None = None) -> None:
        """Let a primitive do it, and go back or on; an error is that of the call."""
        self._call_framed(primitive)
        self._go_on_unless_false(go_on or self._back)

    def _tell_place(self, leaving: Label) -> None:
        self.a.sub(X2, LR, CODE)
        self.a.sub(X2, X2, 4)
        with self._shared.framed(INSIDE):
            self.a.jump(leaving)

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
                    a.udf()
        with self._shared.part("end", self.begin):
            self.entry()
            self.tail("terminate_context")  # where returns come to, as behind any entry
        with self._shared.part("setup", self._emit_setup, CALLED):
            self._emit_setup()
        for number, stub in stubs.items():
            with self._shared.part(f"way in {number}", self.begin):
                a.bind(stub)
                self.entry()
                a.jump(places[number])

    def _emit_setup(self) -> None:
        """Called at every entry: the registers that native code has everywhere."""
        a = self.a
        a.bind(self._setup)
        for at, pair in enumerate(KEPT, 1):
            a.stp(*pair, 2 * WORD * at)
        a.mov(CONTEXT, X0)
        a.mov(STATE, X1)
        a.mov(PRIMITIVES, X2)
        a.ldr(INDEX, STATE, self._layout.module)
        a.ldr(INDEX, INDEX, wide=False)
        a.lsl(INDEX, INDEX, MODULE_SHIFT)
        a.adr(CODE, self._code)
        a.ret()

    def entry(self) -> None:
        with self._shared.framed(CALLED):
            self.a.push(*PUSHED, FRAME_SIZE)
        with self._shared.framed(ENTERED):
            self.a.bl(self._setup)

    def set_return(self, place: Label) -> None:
        self.a.offset_of(SCRATCH, place, 2, within=_NEAR)
        self.a.orr(SCRATCH, SCRATCH, INDEX)
        self.a.str(SCRATCH, CONTEXT, self._layout.cp)

    def set_continuation(self, place: Label) -> None:
        self.a.adr(SCRATCH, place)
        self.a.str(SCRATCH, STATE, self._layout.continuation)

    def set_continuation_label(self, label: int) -> None:
        self.add(SCRATCH, CODE, self._entry * label)
        self.a.str(SCRATCH, STATE, self._layout.continuation)

    def _way_in(self, way: Label) -> None:
        self.a.bind(way)
        self.entry()

    def _yield(self) -> None:
        self.a.str(LR, STATE, self._layout.continuation)
        self.a.jump(self._leaving("schedule_next_cp", 0))

    def _return_here(self) -> None:
        self.a.sub(SCRATCH, LR, CODE)
        self.a.orr(SCRATCH, INDEX, lsl(SCRATCH, 2))
        self.a.str(SCRATCH, CONTEXT, self._layout.cp)

    def _count_reduction(self, exhausted: Label) -> None:
        self.a.ldr(SCRATCH, STATE, self._layout.reductions, wide=False)
        self.a.subs32(SCRATCH, SCRATCH, 1)
        self.a.str(SCRATCH, STATE, self._layout.reductions, wide=False)
        self.a.jump_if(Condition.EQUAL, exhausted)

    def _return(self) -> None:
        """To a return point of this module behind its entry, as all registers have what that gives them."""
        a, elsewhere = self.a, Label()
        a.ldr(X3, CONTEXT, self._layout.cp)
        a.eor(X3, X3, INDEX)
        a.lsr(SCRATCH, X3, MODULE_SHIFT)
        a.cbnz(SCRATCH, elsewhere)
        a.add(X3, CODE, lsr(X3, 2))
        a.add(X3, X3, ENTRY)
        a.br(X3)
        a.bind(elsewhere)
        self._tail("do_return")

    def catch_term(self, into: Register, label: int) -> None:
        self.a.constant(into, label << terms.SECOND_TAG_BITS | terms.CATCH)
        self.a.orr(into, into, INDEX)

    def finish(self, tables: Callable[[], bytes]) -> list[Fragment]:
        self._shared.emit()
        with self._shared.part("tables", self.finish, CALLED):
            data = Label()
            self.a.bind(self._tables)
            self.a.adr(X0, data)
            self.a.ret()
            self.a.bind(data)
            self.a.data(tables())
        return self._shared.fragments
