"""The macro operations of ``jit/atomvm/macros.py`` on 32-bit ARM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from jit.arm32.conditions import CC, EQ, GE, GT, HI, LE, LT, NE, VS
from jit.arm32.immediates import modified
from jit.arm32.operands import asr, at, lsl, lsr, pre
from jit.arm32.processor import ARM32
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, SP, Register
from jit.atomvm import macros, terms
from jit.atomvm.arm32.assembler import CodeAssembler
from jit.atomvm.arm32.conventions import (
    ARGS,
    CALLED,
    CODE,
    CONTEXT,
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
from jit.atomvm.formats import MODULE_SHIFT, Format, Target
from jit.atomvm.macros import Argument, Special, Wide, in_order
from jit.atomvm.module_macros import ModuleMacros
from jit.atomvm.shared_code import SharedCode
from jit.codegen.native import Fragment
from jit.codegen.processor import Label

_CONDITIONS: Final = {
    macros.Condition.LESS: LT,
    macros.Condition.LESS_EQUAL: LE,
    macros.Condition.GREATER: GT,
    macros.Condition.GREATER_EQUAL: GE,
    macros.Condition.EQUAL: EQ,
    macros.Condition.DIFFERENT: NE,
    macros.Condition.BELOW: CC,
    macros.Condition.ABOVE: HI,
}
#: Words that instructions reach.
_WORDS: Final = 1024
_SPECIAL: Final = {Special.CONTEXT: CONTEXT, Special.STATE: STATE}

#: Arguments of primitives that are tail-called, behind context and state: two go on the stack.
_TAIL_ARGS: Final = (R2, R3, SAVED[0], SAVED[1])
#: By how much pc is ahead of an instruction.
_PC_AHEAD: Final = 8
#: Instructions from an entry on, up to where control may come from within: the push, and the call of ``setup``.
_ENTRY_SIZE: Final = 2 * WORD
#: A return point is not farther behind where its address is made.
_NEAR: Final = 4096


class Arm32Macros(ModuleMacros[Register]):
    """The code of one module."""

    processor = ARM32
    args: Sequence[Register] = ARGS
    saved: Sequence[Register] = SAVED
    stack: Register | None = STACK
    called = CALLED
    c_args: Sequence[Register] = ARGS
    a: CodeAssembler

    def __init__(self, format: Format, target: Target) -> None:
        self.a = CodeAssembler()
        self._format = format
        #: Bytes that ``keep`` has on the C stack.
        self._kept = 0
        self._layout = target.layout
        self._shared = SharedCode(self.a, INSIDE)
        self._setup, self._tables = Label(), Label()

    # Words

    def constant(self, into: Register, value: int) -> None:
        self.a.mov_constant(into, value)

    def load(self, into: Register, base: Register, word: int) -> None:
        self.a.ldr(into, at(base, WORD * word))

    def store(self, source: Register, base: Register, word: int) -> None:
        self.a.str(source, at(base, WORD * word))

    def load_of(self, into: Register, term: Register, tag: int, word: int) -> None:
        if word < _WORDS:
            self.a.ldr(into, at(term, WORD * word - tag))
        else:
            super().load_of(into, term, tag, word)

    def load_at(self, into: Register, base: Register, index: Register, word: int) -> None:
        self.a.add(SCRATCH, base, lsl(index, 2))
        self.a.ldr(into, at(SCRATCH, WORD * word))

    def store_at(self, source: Register, base: Register, index: Register, word: int) -> None:
        self.a.add(SCRATCH, base, lsl(index, 2))
        self.a.str(source, at(SCRATCH, WORD * word))

    def load_context(self, into: Register, offset: int) -> None:
        self.a.ldr(into, at(CONTEXT, offset))

    def store_context(self, source: Register, offset: int) -> None:
        self.a.str(source, at(CONTEXT, offset))

    def add(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int):
            self.a.add_constant(into, one, other, scratch=SCRATCH)
        else:
            self.a.add(into, one, other)

    def subtract(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int):
            self.a.add_constant(into, one, -other, scratch=SCRATCH)
        else:
            self.a.sub(into, one, other)

    def and_(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int):
            self.a.and_constant(into, one, other, scratch=SCRATCH)
        else:
            self.a.and_(into, one, other)

    def or_(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int) and modified(other) is None:
            self.a.mov_constant(SCRATCH, other)
            self.a.orr(into, one, SCRATCH)
        else:
            self.a.orr(into, one, other)

    def shift_left(self, into: Register, one: Register, by: int) -> None:
        self.a.lsl(into, one, by)

    def shift_right(self, into: Register, one: Register, by: int, *, sign: bool = False) -> None:
        self.a.mov(into, asr(one, by) if sign else lsr(one, by))

    def xor(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int) and modified(other) is None:
            self.a.mov_constant(SCRATCH, other)
            self.a.eor(into, one, SCRATCH)
        else:
            self.a.eor(into, one, other)

    def multiply(self, into: Register, one: Register, by: Register | int, overflow: Label) -> None:
        if isinstance(by, int):
            self.a.mov_constant(SCRATCH, by)
            by = SCRATCH
        self.a.smull(SCRATCH, SCRATCH_2, one, by)
        self.a.cmp(SCRATCH_2, asr(SCRATCH, 31))
        self.a.b(overflow, NE)
        self.a.mov(into, SCRATCH)

    def multiply_low(self, into: Register, one: Register, by: int) -> None:
        self.a.mov_constant(SCRATCH, by)
        self.a.mul(into, one, SCRATCH)

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
        operate: Callable[[Register, Register, Register | int], None],
        into: Register,
        one: Register,
        other: Register | int,
        slow: Label,
        checked: tuple[bool, bool],
    ) -> None:
        """A sum or difference of terms, from the second of which the tag is taken."""
        result = SCRATCH if into in (one, other) else into
        number = SCRATCH
        if isinstance(other, int):
            self._check_small(one, slow, checked[0])
            amount = other - terms.INTEGER
            if amount >= 0 and modified(amount) is not None:
                operate(result, one, amount)
            else:
                self.a.mov_constant(number, amount)
                operate(result, one, number)
        else:
            self._check_smalls(one, other, slow, checked)
            self.a.sub(number, other, terms.INTEGER)
            operate(result, one, number)
        self.a.b(slow, VS)
        self.a.move(into, result)

    def _check_small(self, one: Register, slow: Label, checked: bool) -> None:
        if not checked:
            self.branch_if_bits(macros.Condition.DIFFERENT, one, terms.TAG, terms.INTEGER, slow)

    def _check_smalls(self, one: Register, other: Register, slow: Label, checked: tuple[bool, bool]) -> None:
        if any(checked):
            self._check_small(one, slow, checked[0])
            self._check_small(other, slow, checked[1])
        else:
            self.a.and_(SCRATCH, one, other)
            self.branch_if_bits(macros.Condition.DIFFERENT, SCRATCH, terms.TAG, terms.INTEGER, slow)

    # Branches

    def branch_if(self, condition: macros.Condition, one: Register, other: Register | int, target: Label) -> None:
        if isinstance(other, int):
            self.a.cmp_constant(one, other, scratch=SCRATCH)
        else:
            self.a.cmp(one, other)
        self.a.b(target, _CONDITIONS[condition])

    def branch_if_bits(self, condition: macros.Condition, one: Register, mask: int, value: int, target: Label) -> None:
        if value:
            self.a.and_(SCRATCH, one, mask)
            self.a.cmp(SCRATCH, value)
        else:
            self.a.tst(one, mask)
        self.a.b(target, _CONDITIONS[condition])

    def branch_if_any(self, one: Register, mask: int, target: Label) -> None:
        if modified(mask) is None:
            self.a.mov_constant(SCRATCH, mask)
            self.a.tst(one, SCRATCH)
        else:
            self.a.tst(one, mask)
        self.a.b(target, NE)

    def branch_if_false(self, result: Register, target: Label) -> None:
        self.a.cmp(result, 0)
        self.a.b(target, EQ)

    # C functions

    def call(self, primitive: str, *arguments: Argument) -> None:
        size = self._arguments(arguments)
        self._load_primitive(primitive, size + self._kept)
        self._call(size)
        self._moved(primitive)

    def _load_primitive(self, name: str, below: int) -> None:
        """The scratch register = the address of a primitive; so many bytes are on the C stack beside an entry's."""
        self.a.ldr(SCRATCH_2, at(SP, PRIMITIVES_AT + below))
        self.a.ldr(SCRATCH, at(SCRATCH_2, WORD * self._format.primitives[name]))

    def _moved(self, primitive: str) -> None:
        """A primitive has been called: the stack may be elsewhere."""
        if primitive not in self._format.still:
            self._find_stack()

    def _find_stack(self) -> None:
        self.a.ldr(STACK, at(CONTEXT, self._layout.e))

    def call_pointer(self, pointer: Register, *arguments: Argument) -> None:
        self.a.mov(SCRATCH, pointer)
        size = self._arguments(arguments, SCRATCH_2)
        self._call(size)
        self._find_stack()

    def _call(self, size: int) -> None:
        self.a.blx(SCRATCH)
        if size:
            self.a.add(SP, SP, size)

    def _arguments(self, arguments: Sequence[Argument], spare: Register = SCRATCH) -> int:
        """Put arguments where the C ABI has them (AAPCS, 6.5); gives the bytes of those on the stack."""
        places: list[Argument] = []
        for argument in arguments:
            if isinstance(argument, Wide):
                places += [0] * (len(places) % 2)  # in a pair of registers, the first of which is even
                places += [argument.value & 0xFFFF_FFFF, argument.value >> 32 & 0xFFFF_FFFF]
            else:
                places.append(_SPECIAL.get(argument, argument) if isinstance(argument, Special) else argument)
        behind = places[len(ARGS) :]
        size = WORD * (len(behind) + len(behind) % 2)
        if size:
            self.a.sub(SP, SP, size)
        for number, argument in enumerate(behind):
            if isinstance(argument, int):
                self.a.mov_constant(SCRATCH_2, argument)
                argument = SCRATCH_2
            self.a.str(argument, at(SP, WORD * number))
        self._move(dict(zip(ARGS, places)), spare)
        return size

    def _move(self, places: Mapping[Register, Argument], spare: Register) -> None:
        registers = {into: source for into, source in places.items() if isinstance(source, Register)}
        for into, source in in_order(registers, spare):
            self.a.mov(into, source)
        for into, source in places.items():
            if not isinstance(source, Register):
                self.a.mov_constant(into, source)

    def _compare(self, options: int) -> None:
        a = self.a
        a.mov(SCRATCH, options)
        a.push(SCRATCH, LR)  # the fifth argument, and the way back
        a.mov(R0, CONTEXT)
        a.mov(R1, STATE)
        self._load_primitive("term_compare", 2 * WORD)
        a.blx(SCRATCH)
        a.pop(SCRATCH, LR)

    def _back(self) -> None:
        self.a.bx(LR)

    def _call_code(self, code: Label) -> None:
        self.a.bl(code)

    def _bif(self, collects: bool, count: int) -> None:
        a = self.a
        a.push(R2, R3, SCRATCH, LR)
        a.mov(R0, STATE)
        self._load_primitive("get_imported_bif", 4 * WORD)
        a.blx(SCRATCH)
        a.mov(SCRATCH, R0)
        a.mov(R0, CONTEXT)
        a.ldr(R1, at(SP, WORD))
        places = [R2, R3]
        if collects:
            a.ldr(R2, at(SP))
            places = [R3]
        terms_ = list(SAVED[:count])
        for place, term in zip(places, terms_):
            a.mov(place, term)
        for word, term in enumerate(terms_[len(places) :]):
            a.str(term, at(SP, WORD * word))
        a.blx(SCRATCH)
        a.add(SP, SP, 3 * WORD)
        a.pop(LR)
        self._find_stack()

    def _given(self, first: int, *arguments: Argument) -> None:
        self._move(dict(zip(_TAIL_ARGS[first:], arguments)), SCRATCH)

    def _leaving(self, primitive: str, count: int) -> Label:
        on_stack = count > len(ARGS) - 2
        return self._shared.label(f"tail {primitive}", lambda: self._tail(primitive, on_stack=on_stack))

    def _leave_for(self, primitive: str, count: int) -> None:
        self.a.b(self._leaving(primitive, count))

    def _tell_place(self, leaving: Label) -> None:
        self.a.sub(R2, LR, CODE)
        self.a.sub(R2, R2, WORD)
        self.a.b(leaving)

    def _tail(self, primitive: str, *, on_stack: bool) -> None:
        a = self.a
        self._load_primitive(primitive, 0)
        a.mov(R0, CONTEXT)
        a.mov(R1, STATE)
        if on_stack:
            a.push(*SAVED[:2])
            a.blx(SCRATCH)
            a.add(SP, SP, 2 * WORD)
            self._leave()
        else:
            a.add(SP, SP, WORD)
            a.pop(*PUSHED[1:])
            a.bx(SCRATCH)

    def _leave(self) -> None:
        self.a.add(SP, SP, WORD)
        self.a.pop(*PUSHED[1:-1], PC)

    def return_unless_context(self, context: Register) -> None:
        self.a.cmp(context, CONTEXT)
        self.a.b(self._shared.label("leave", self._leave), NE)

    def keep(self, register: Register) -> None:
        self.a.push(register, SCRATCH) if register.number < SCRATCH.number else self.a.push(SCRATCH, register)
        self._kept += 2 * WORD

    def take(self, register: Register) -> None:
        self._kept -= 2 * WORD
        self.a.ldr(register, at(SP))
        self.a.add(SP, SP, 2 * WORD)

    # The stack and the heap

    def _allocate_given(self, stack: int, heap: int, live: int) -> None:
        self.a.mov_constant(R1, live)
        self.a.mov_constant(R2, WORD * stack)
        self.a.mov_constant(R3, WORD * (stack + 1 + heap))

    def _allocate(self) -> None:
        a, slow = self.a, Label()
        self._room(R3, slow)
        a.ldr(R0, at(CONTEXT, self._layout.cp))
        a.str(R0, pre(STACK, -WORD))
        a.sub(STACK, STACK, R2)
        a.str(STACK, at(CONTEXT, self._layout.e))
        a.bx(LR)
        a.bind(slow)
        a.sub(R3, R3, R2)
        a.sub(R3, R3, WORD)
        a.lsr(R3, R3, 2)
        a.lsr(R2, R2, 2)
        a.push(R1, LR)
        a.sub(SP, SP, 2 * WORD)
        a.str(R1, at(SP))
        self._primitive("allocate", 2 * WORD)

    def _test_heap_given(self, words: int, live: int) -> None:
        self.a.mov_constant(R1, live)
        self.a.mov_constant(R2, WORD * words)

    def _test_heap(self) -> None:
        a, slow = self.a, Label()
        self._room(R2, slow)
        a.bx(LR)
        a.bind(slow)
        a.push(R3, LR)
        a.mov(R3, R1)
        a.lsr(R2, R2, 2)
        self._primitive("test_heap", 0)

    def _deallocate_given(self, words: int) -> None:
        self.a.mov_constant(R2, words)

    def _deallocate(self, go_on: Callable[[], None]) -> None:
        a, slow = self.a, Label()
        a.ldr(R0, at(CONTEXT, self._layout.root))
        a.ldr(R0, at(R0))
        a.cmp(R0, 0)
        a.b(slow, NE)
        a.ldr(R0, pre(STACK, lsl(R2, 2)))
        a.add(STACK, STACK, WORD)
        a.str(R0, at(CONTEXT, self._layout.cp))
        a.str(STACK, at(CONTEXT, self._layout.e))
        go_on()
        a.bind(slow)
        a.push(R3, LR)
        self._primitive("deallocate", 0, go_on)

    def _drop_call(self, go_on: Label) -> None:
        self.a.b(go_on)

    def _room(self, size: Register, slow: Label) -> None:
        """To *slow* if the heap has parts, or less than so many bytes up to the stack."""
        a = self.a
        a.ldr(R0, at(CONTEXT, self._layout.root))
        a.ldr(SCRATCH, at(CONTEXT, self._layout.heap))
        a.ldr(R0, at(R0))
        a.add(SCRATCH, SCRATCH, size)
        a.cmp(R0, 0)
        a.b(slow, NE)
        a.cmp(SCRATCH, STACK)
        a.b(slow, HI)

    def _primitive(self, name: str, on_stack: int, go_on: Callable[[], None] | None = None) -> None:
        """Let a primitive do it, and go back, whose place has been pushed, or on; an error is that of the call."""
        a = self.a
        self._load_primitive(name, on_stack + 2 * WORD)
        a.mov(R0, CONTEXT)
        a.mov(R1, STATE)
        a.blx(SCRATCH)
        if on_stack:
            a.add(SP, SP, on_stack)
        a.pop(R3, LR)
        self._moved(name)
        self._go_on_unless_false(go_on or self._back)

    # Ways in and out

    def begin(self, label_count: int, places: Mapping[int, Label], ways: Mapping[int, Label]) -> None:
        a, stubs = self.a, {number: Label() for number in places if number not in ways}
        with self._shared.part("labels", self.begin):
            with self._shared.framed(CALLED):
                a.b(self._tables)
                a.nop()
            for number in range(1, label_count):
                if number in places:
                    self._push()
                    a.b(ways.get(number) or stubs[number])
                else:
                    a.udf()
                    a.udf()
            self.entry()
        with self._shared.part("end", self.begin):
            self.tail("terminate_context")  # where returns come to, as behind any entry
        with self._shared.part("setup", self._emit_setup, CALLED):
            self._emit_setup()
        for number, stub in stubs.items():
            with self._shared.part(f"way in {number}", self.begin):
                a.bind(stub)
                a.bl(self._setup)
                a.b(places[number])

    def _emit_setup(self) -> None:
        """Called at every entry: the registers that native code has everywhere."""
        a = self.a
        a.bind(self._setup)
        a.mov(CONTEXT, R0)
        a.mov(STATE, R1)
        a.str(R2, at(SP, PRIMITIVES_AT))
        self._find_stack()
        a.ldr(INDEX, at(R1, self._layout.module))
        a.ldr(INDEX, at(INDEX))
        a.lsl(INDEX, INDEX, MODULE_SHIFT)
        a.mov_offset(SCRATCH, here := Label(), within=_NEAR)
        a.sub(CODE, PC, SCRATCH)
        a.bind(here)  # pc is two instructions ahead of the one that reads it
        a.sub(CODE, CODE, WORD)
        a.bx(LR)

    def _push(self) -> None:
        with self._shared.framed(CALLED):
            self.a.push(*PUSHED)

    def entry(self) -> None:
        self._push()
        self.a.bl(self._setup)

    def set_return(self, place: Label) -> None:
        self.a.mov_offset(SCRATCH, place, 2, within=_NEAR)
        self.a.orr(SCRATCH, SCRATCH, INDEX)
        self.a.str(SCRATCH, at(CONTEXT, self._layout.cp))

    def set_continuation(self, place: Label) -> None:
        self.a.mov_offset(SCRATCH, place)
        self._continue()

    def set_continuation_label(self, label: int) -> None:
        self.a.mov_constant(SCRATCH, 2 * WORD * label)
        self._continue()

    def _continue(self) -> None:
        self.a.add(SCRATCH, SCRATCH, CODE)
        self.a.str(SCRATCH, at(STATE, self._layout.continuation))

    def _way_in(self, way: Label) -> None:
        self._push()
        self.a.bind(way)
        self.a.bl(self._setup)

    def _yield(self) -> None:
        self.a.str(LR, at(STATE, self._layout.continuation))
        self.a.b(self._leaving("schedule_next_cp", 0))

    def _return_here(self) -> None:
        self.a.sub(SCRATCH, LR, CODE)
        self.a.orr(SCRATCH, INDEX, lsl(SCRATCH, 2))
        self.a.str(SCRATCH, at(CONTEXT, self._layout.cp))

    def _given_registers(self, *positions: int) -> Sequence[Register]:
        return [_TAIL_ARGS[position] for position in positions]

    def _together(self) -> AbstractContextManager[object]:
        self.a.together(8)
        return nullcontext()

    def _count_reduction(self, exhausted: Label) -> None:
        self.a.ldr(SCRATCH, at(STATE, self._layout.reductions))
        self.a.subs(SCRATCH, SCRATCH, 1)
        self.a.str(SCRATCH, at(STATE, self._layout.reductions))
        self.a.b(exhausted, EQ)

    def _return(self) -> None:
        """To a return point of this module behind its entry, as all registers have what that gives them."""
        a = self.a
        a.ldr(R3, at(CONTEXT, self._layout.cp))
        a.eor(R3, R3, INDEX)
        a.movs(SCRATCH, lsr(R3, MODULE_SHIFT))
        a.add(R3, CODE, lsr(R3, 2), EQ)
        a.add(PC, R3, _ENTRY_SIZE, EQ)
        self._tail("do_return", on_stack=False)

    def catch_term(self, into: Register, label: int) -> None:
        self.a.mov_constant(into, label << terms.SECOND_TAG_BITS | terms.CATCH)
        self.a.orr(into, into, INDEX)

    def finish(self, tables: Callable[[], bytes]) -> list[Fragment]:
        self._shared.emit()
        with self._shared.part("tables", self.finish, CALLED):
            data = Label()
            self.a.bind(self._tables)
            self.a.adr(R0, data)
            self.a.bx(LR)
            self.a.place_pool()
            self.a.bind(data)
            self.a.data(tables())
        return self._shared.fragments
