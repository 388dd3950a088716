"""The macro operations of ``jit/atomvm/macros.py`` in Thumb code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from jit.arm32.conditions import CC, EQ, GE, GT, HI, LE, LT, NE, VS
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R4, R5, R6, R8, SP, Register
from jit.atomvm import macros, terms
from jit.atomvm.armv6m.conventions import (
    ARGS,
    CALLED,
    CONTEXT,
    ENTERED,
    ENTRY,
    INDEX_AT,
    INSIDE,
    KEPT,
    KEPT_R8,
    PRIMITIVES_AT,
    PUSHED,
    RETURN_AT,
    SAVED,
    SCRATCH,
    SPARE,
    STATE_AT,
    WAY,
    WORD,
)
from jit.atomvm.formats import MODULE_SHIFT, THUMB2, Format, Target
from jit.atomvm.macros import Argument, Special, Wide, in_order
from jit.atomvm.module_macros import ModuleMacros
from jit.atomvm.shared_code import SharedCode
from jit.codegen.native import Fragment
from jit.codegen.processor import Label
from jit.thumb.assembler import Assembler
from jit.thumb.processor import ARMV6M

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
#: Arguments of primitives that are tail-called, behind context and state: two go on the stack.
_TAIL_ARGS: Final = (R2, R3, *SAVED[:2])
#: What may be borrowed where one scratch register is not enough.
_LENDERS: Final = (R6, R5, R3)
#: Registers that most instructions know.
_LOW: Final = range(8)
_BYTE: Final = range(256)
_MASK: Final = 0xFFFF_FFFF
#: Bytes that ``keep`` takes: the stack is aligned to so many.
_KEPT_SIZE: Final = 2 * WORD
#: A return point is not farther behind where its address is made.
_NEAR: Final = 4096

#: A method of the assembler: a register = an operation on itself and another one.
_OfTwo = Callable[[Register, Register], None]
#: A register = an operation on two.
_OfThree = Callable[[Register, Register, "Register | int"], None]

#: Bytes where a function begins, at most.
_TOGETHER: Final = 32

_LEAST: Final = -(1 << 31)
"""Of the numbers that a register has."""


class Armv6mMacros(ModuleMacros[Register]):
    """The code of one module."""

    processor = ARMV6M
    args: Sequence[Register] = ARGS
    saved: Sequence[Register] = SAVED
    called = CALLED
    c_args: Sequence[Register] = ARGS
    a: Assembler

    def __init__(self, format: Format, target: Target) -> None:
        self.a = Assembler(thumb2=bool(target.variant & THUMB2))
        self._primitives = format.primitives
        self._layout, self._entry = target.layout, target.entry
        self._shared = SharedCode(self.a, INSIDE)
        self._setup, self._tables = Label(), Label()
        #: By how many bytes the stack pointer is lower than behind an entry.
        self._depth = 0

    # Registers that few instructions know

    def _read(self, register: Register) -> Register:
        """A register that instructions know with the value of any, which may be the scratch register."""
        if register.number in _LOW:
            return register
        self.a.mov(SCRATCH, register)
        return SCRATCH

    def _written(self, register: Register) -> Register:
        """Where what any register is to have is made first."""
        return register if register.number in _LOW else SCRATCH

    @contextmanager
    def _borrowed(self, *used: Register) -> Iterator[Register]:
        """One more scratch register, none of those that are used meanwhile. Flags stay at the end."""
        lender = next(one for one in _LENDERS if one not in used)
        self.a.mov(SPARE, lender)
        yield lender
        self.a.mov(lender, SPARE)

    # Words

    def constant(self, into: Register, value: int) -> None:
        low = self._written(into)
        self.a.constant(low, value)
        self.a.move(into, low)

    def load(self, into: Register, base: Register, word: int) -> None:
        self._load(into, base, WORD * word)

    def _load(self, into: Register, base: Register, offset: int) -> None:
        low, base = self._written(into), self._read(base)
        if self.a.reaches(offset):
            self.a.ldr(low, base, offset)
        elif base is not SCRATCH:
            self.a.constant(SCRATCH, offset)
            self.a.ldr_at(low, base, SCRATCH)
        else:
            with self._borrowed(low) as other:
                self.a.constant(other, offset)
                self.a.ldr_at(low, base, other)
        self.a.move(into, low)

    def store(self, source: Register, base: Register, word: int) -> None:
        offset = WORD * word
        if self.a.reaches(offset) and (source.number in _LOW or base.number in _LOW):
            self.a.str(self._read(source), self._read(base), offset)
        else:
            with self._borrowed(source, base) as address:
                self.a.mov(address, base)
                self.a.constant(SCRATCH, offset)
                self.a.adds(address, address, SCRATCH)
                self.a.str(self._read(source), address)

    def load_at(self, into: Register, base: Register, index: Register, word: int) -> None:
        self._element(base, index)
        self._load(into, SCRATCH, WORD * word)

    def store_at(self, source: Register, base: Register, index: Register, word: int) -> None:
        self._element(base, index)
        if source.number in _LOW:
            self.store(source, SCRATCH, word)
        else:
            with self._borrowed() as low:
                self.a.mov(low, source)
                self.a.str(low, SCRATCH, WORD * word)

    def _element(self, base: Register, index: Register) -> None:
        """The scratch register = the address of a word that *index* counts."""
        self.a.lsls(SCRATCH, self._read(index), 2)
        self.a.add_hi(SCRATCH, base)

    def load_context(self, into: Register, offset: int) -> None:
        low = self._written(into)
        self.a.ldr(low, CONTEXT, offset)
        self.a.move(into, low)

    def store_context(self, source: Register, offset: int) -> None:
        self.a.str(self._read(source), CONTEXT, offset)

    def add(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int):
            self._sum_of_number(into, one, other)
        else:
            self._operate(self.a.adds, into, one, other)

    def subtract(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int):
            self._sum_of_number(into, one, -other)
        else:
            self._operate(self.a.subs, into, one, other)

    def _operate(self, operate: _OfThree, into: Register, one: Register, other: Register) -> None:
        low = self._written(into)
        if one.number in _LOW or other.number in _LOW:
            operate(low, self._read(one), self._read(other))
        else:
            with self._borrowed(low) as second:
                self.a.mov(second, other)
                operate(low, self._read(one), second)
        self.a.move(into, low)

    def _sum_of_number(self, into: Register, one: Register, number: int) -> None:
        """A sum, of which one is a number."""
        low, operate, size = self._written(into), self.a.adds if number >= 0 else self.a.subs, abs(number)
        if size in range(8):
            operate(low, self._read(one), size)
        elif size in _BYTE and (low is one or low is SCRATCH):
            self.a.move(low, one)
            operate(low, low, size)
        elif low is not one and one.number in _LOW:
            self.a.constant(low, size)
            operate(low, one, low)
        elif one.number in _LOW:
            self.a.constant(SCRATCH, size)
            operate(low, one, SCRATCH)
        else:
            with self._borrowed(low) as second:
                self.a.constant(second, size)
                operate(low, self._read(one), second)
        self.a.move(into, low)

    def and_(self, into: Register, one: Register, other: Register | int) -> None:
        if isinstance(other, int) and ~other & _MASK in _BYTE:
            self._logical(self.a.bic, into, one, ~other & _MASK)
        else:
            self._logical(self.a.and_, into, one, other)

    def or_(self, into: Register, one: Register, other: Register | int) -> None:
        self._logical(self.a.orr, into, one, other)

    def xor(self, into: Register, one: Register, other: Register | int) -> None:
        self._logical(self.a.eor, into, one, other)

    def _logical(self, operate: _OfTwo, into: Register, one: Register, other: Register | int) -> None:
        """Numbers come last, for some leave out what the other one has."""
        if isinstance(other, int):
            if into.number in _LOW:
                self.a.constant(SCRATCH, other)
                self.a.move(into, one)
                operate(into, SCRATCH)
            else:
                with self._borrowed(one) as second:
                    self.a.constant(second, other)
                    self.a.mov(SCRATCH, one)
                    operate(SCRATCH, second)
                self.a.mov(into, SCRATCH)
        elif into is other and into is not one:
            self._logical(operate, into, other, one)
        elif into.number in _LOW:
            self.a.move(into, one)
            operate(into, self._read(other))
        else:
            with self._borrowed(one, other) as second:
                self.a.mov(second, other)
                self.a.mov(SCRATCH, one)
                operate(SCRATCH, second)
            self.a.mov(into, SCRATCH)

    def shift_left(self, into: Register, one: Register, by: int) -> None:
        self._shift(self.a.lsls, into, one, by)

    def shift_right(self, into: Register, one: Register, by: int, *, sign: bool = False) -> None:
        self._shift(self.a.asrs if sign else self.a.lsrs, into, one, by)

    def _shift(self, shift: Callable[[Register, Register, int], None], into: Register, one: Register, by: int) -> None:
        low = self._written(into)
        shift(low, self._read(one), by)
        self.a.move(into, low)

    def multiply(self, into: Register, one: Register, by: Register | int, overflow: Label) -> None:
        a = self.a
        if isinstance(by, int):
            a.constant(SCRATCH, by)
            by = SCRATCH
        if a.thumb2:
            a.smull(SCRATCH, SPARE, one, by)
            a.cmp_sign(SPARE, SCRATCH)
        else:
            a.move(SCRATCH, by)
            a.mov(SPARE, one)
            a.bl(self._shared.label("multiply", self._multiply, CALLED))
        a.jump_if(NE, overflow)
        a.mov(into, SCRATCH)

    def _multiply(self) -> None:
        """r7 = r7 * r12; flags tell whether the upper word is but its sign. By halves: the upper word is what their
        products carry into it."""
        a, low, high, other_low, other_high, upper = self.a, R0, R1, R2, R3, R4
        a.push(R0, R1, R2, R3, R4, LR)
        a.mov(other_high, SPARE)
        a.uxth(low, SCRATCH)
        a.asrs(high, SCRATCH, 16)
        a.muls(SCRATCH, other_high)
        a.uxth(other_low, other_high)
        a.asrs(other_high, other_high, 16)
        a.mov(upper, high)
        a.muls(upper, other_high)
        a.muls(high, other_low)
        a.muls(other_high, low)
        a.muls(low, other_low)
        a.lsrs(low, low, 16)
        a.adds(high, high, low)
        a.uxth(low, high)
        a.adds(other_high, other_high, low)
        a.asrs(high, high, 16)
        a.asrs(other_high, other_high, 16)
        a.adds(upper, upper, high)
        a.adds(upper, upper, other_high)
        a.asrs(low, SCRATCH, 31)
        a.cmp(upper, low)
        a.pop(R0, R1, R2, R3, R4, PC)

    def multiply_low(self, into: Register, one: Register, by: int) -> None:
        self.a.constant(SCRATCH, by)
        if one.number in _LOW:
            self.a.muls(SCRATCH, one)
        else:
            with self._borrowed() as second:
                self.a.mov(second, one)
                self.a.muls(SCRATCH, second)
        self.a.mov(into, SCRATCH)

    def add_smalls(
        self, into: Register, one: Register, other: Register | int, slow: Label, *, checked: tuple[bool, bool]
    ) -> None:
        self._smalls(self.a.adds, self.a.subs, into, one, other, slow, checked)

    def subtract_smalls(
        self, into: Register, one: Register, other: Register | int, slow: Label, *, checked: tuple[bool, bool]
    ) -> None:
        self._smalls(self.a.subs, self.a.adds, into, one, other, slow, checked)

    def _smalls(
        self,
        operate: _OfThree,
        opposite: _OfThree,
        into: Register,
        one: Register,
        other: Register | int,
        slow: Label,
        checked: tuple[bool, bool],
    ) -> None:
        """A sum or difference of terms, from the second of which the tag is taken."""
        result = SCRATCH if into in (one, other) else into
        if isinstance(other, int):
            self._check_smalls((one,), slow, checked)
            amount = other - terms.INTEGER
            self.a.constant(SCRATCH, abs(amount))
            # The least number is its own opposite, but not in what overflows.
            (opposite if _LEAST < amount < 0 else operate)(result, one, SCRATCH)
        else:
            self._check_smalls((one, other), slow, checked)
            self.a.mov(SCRATCH, other)
            self.a.subs(SCRATCH, SCRATCH, terms.INTEGER)
            operate(result, one, SCRATCH)
        self.a.jump_if(VS, slow)
        self.a.move(into, result)

    def _check_smalls(self, given: Sequence[Register], slow: Label, checked: tuple[bool, bool]) -> None:
        left = [term for term, known in zip(given, checked) if not known]
        if len(left) > 1:
            self.a.movs(SCRATCH, terms.TAG)
            for term in left:
                self.a.and_(SCRATCH, term)
            self.a.cmp(SCRATCH, terms.INTEGER)
            self.a.jump_if(NE, slow)
        else:
            for term in left:
                self.branch_if_bits(macros.Condition.DIFFERENT, term, terms.TAG, terms.INTEGER, slow)

    # Branches

    def branch_if(self, condition: macros.Condition, one: Register, other: Register | int, target: Label) -> None:
        if isinstance(other, int) and other in _BYTE and one.number in _LOW:
            self.a.cmp(one, other)
        elif isinstance(other, int):
            self.a.constant(SCRATCH, other)
            self.a.cmp(one, SCRATCH)
        else:
            self.a.cmp(one, other)
        self.a.jump_if(_CONDITIONS[condition], target)

    def branch_if_bits(self, condition: macros.Condition, one: Register, mask: int, value: int, target: Label) -> None:
        self._bits(one, mask, value)
        self.a.jump_if(_CONDITIONS[condition], target)

    def branch_if_any(self, one: Register, mask: int, target: Label) -> None:
        self._bits(one, mask, 0)
        self.a.jump_if(NE, target)

    def _bits(self, one: Register, mask: int, value: int) -> None:
        """Flags of whether the bits of a word under a mask are equal to a value."""
        if one.number not in _LOW:
            with self._borrowed() as low:
                self.a.mov(low, one)
                self._bits(low, mask, value)
            return
        self.a.constant(SCRATCH, mask)
        if value == 0:
            self.a.tst(one, SCRATCH)
        elif value == mask:
            self.a.bic(SCRATCH, one)
        else:
            self.a.and_(SCRATCH, one)
            self.a.cmp(SCRATCH, value)

    def branch_if_false(self, result: Register, target: Label) -> None:
        self.a.cmp(result, 0)
        self.a.jump_if(EQ, target)

    # C functions. What loads their addresses is called, and they return to behind that call.

    def call(self, primitive: str, *arguments: Argument) -> None:
        places, size = self._arguments(arguments)
        given = [one for one in places[: len(ARGS)] if isinstance(one, Special)]
        below = self._depth + size
        name = " ".join([primitive, *(one.name for one in given), *([f"+{below}"] if below else [])])

        def emit() -> None:
            for into, one in zip(ARGS, places):
                if isinstance(one, Special):
                    self._special(into, one, below)
            self._load_primitive(primitive, below)
            self.a.bx(SCRATCH)

        self.a.bl(self._shared.label(name, emit, CALLED))
        self._drop(size)

    def call_pointer(self, pointer: Register, *arguments: Argument) -> None:
        self.a.mov(LR, pointer)
        places, size = self._arguments(arguments)
        for into, one in zip(ARGS, places):
            if isinstance(one, Special):
                self._special(into, one, self._depth + size)
        self.a.blx(LR)
        self._drop(size)

    def _drop(self, size: int) -> None:
        if size:
            self.a.add_sp(size)

    def _special(self, into: Register, one: Special, below: int) -> None:
        if one is Special.CONTEXT:
            self.a.mov(into, CONTEXT)
        else:
            self.a.ldr(into, SP, STATE_AT + below)

    def _load_primitive(self, name: str, below: int) -> None:
        """The scratch register = a primitive's address; the stack is so many bytes lower than behind an entry."""
        offset = WORD * self._primitives[name]
        self.a.ldr(SCRATCH, SP, PRIMITIVES_AT + below)
        while not self.a.reaches(offset):
            step = min(offset - WORD * (_LOW.stop * 4 - 1), _BYTE.stop - WORD)
            self.a.adds(SCRATCH, SCRATCH, step)
            offset -= step
        self.a.ldr(SCRATCH, SCRATCH, offset)

    def _arguments(self, arguments: Sequence[Argument]) -> tuple[list[Argument], int]:
        """Put arguments where the C ABI has them (AAPCS, 6.5), but the context and the state in registers.

        Gives what all of them are, and the bytes of those on the stack.
        """
        places: list[Argument] = []
        for argument in arguments:
            if isinstance(argument, Wide):
                places += [0] * (len(places) % 2)  # in a pair of registers, the first of which is even
                places += [argument.value & _MASK, argument.value >> 32 & _MASK]
            else:
                places.append(argument)
        behind = places[len(ARGS) :]
        size = WORD * (len(behind) + len(behind) % 2)
        if size:
            self.a.sub_sp(size)
        for number, argument in enumerate(behind):
            if isinstance(argument, int):
                self.a.constant(SCRATCH, argument)
                argument = SCRATCH
            self.a.str(self._read(argument), SP, WORD * number)
        self._move({into: one for into, one in zip(ARGS, places) if not isinstance(one, Special)})
        return places, size

    def _move(self, places: Mapping[Register, Argument]) -> None:
        registers = {into: source for into, source in places.items() if isinstance(source, Register)}
        for into, source in in_order(registers, SCRATCH):
            self.a.mov(into, source)
        for into, source in places.items():
            if not isinstance(source, Register):
                self.constant(into, source)

    def _compare(self, options: int) -> None:
        a = self.a
        a.movs(SCRATCH, options)
        a.push(SCRATCH, LR)  # the fifth argument, and the way back
        self._call_inside("term_compare", 2 * WORD)
        self._take_way_back(WORD, 2 * WORD)

    def _take_way_back(self, place: int, size: int) -> None:
        """LR = what has been pushed of it, with other things of that size in all, which are taken from the stack."""
        self.a.ldr(R2, SP, place)
        self.a.mov(LR, R2, restores=place)
        self.a.add_sp(size)

    def _back(self) -> None:
        self.a.bx(LR)

    def _call_inside(self, primitive: str, below: int) -> None:
        """Call a primitive with context and state."""
        self.a.mov(R0, CONTEXT)
        self._special(R1, Special.STATE, below)
        self._load_primitive(primitive, below)
        self.a.blx(SCRATCH)

    def _call_code(self, code: Label) -> None:
        self.a.bl(code)

    def _bif(self, collects: bool, count: int) -> None:
        a, size = self.a, 4 * WORD
        a.push(R2, R3, R4, LR)
        self._special(R0, Special.STATE, size)
        self._load_primitive("get_imported_bif", size)
        a.blx(SCRATCH)
        a.mov(SPARE, R0)
        a.mov(R0, CONTEXT)
        a.ldr(R1, SP, WORD)
        places = [R2, R3]
        if collects:
            a.ldr(R2, SP)
            places = [R3]
        given = list(SAVED[:count])
        for place, term in zip(places, given):
            a.mov(place, term)
        for word, term in enumerate(given[len(places) :]):
            a.str(self._read(term), SP, WORD * word)
        a.blx(SPARE)
        self._take_way_back(3 * WORD, size)

    # Tail calls. The scratch register has where a primitive's address is, and code that all of them share goes there.

    def _given(self, first: int, *arguments: Argument) -> None:
        self._move(dict(zip(_TAIL_ARGS[first:], arguments)))

    def _leaving(self, primitive: str, count: int) -> Label:
        on_stack = count > len(ARGS) - 2
        return self._shared.label(f"tail {primitive}", lambda: self._tail(primitive, on_stack=on_stack))

    def _leave_for(self, primitive: str, count: int) -> None:
        self.a.jump_far(self._leaving(primitive, count))

    def _tell_place(self, leaving: Label) -> None:
        """LR has the place to return to, in which the lowest bit is set, as in no place of the code."""
        a = self.a
        a.mov(R2, LR)
        a.address_of(R0, 0)
        a.subs(R2, R2, R0)
        a.subs(R2, R2, WORD)
        a.jump_far(leaving)

    def _tail(self, primitive: str, *, on_stack: bool) -> None:
        self.a.constant(SCRATCH, WORD * self._primitives[primitive])
        if on_stack:
            self.a.jump(self._shared.label("tail on stack", self._tail_on_stack))
        else:
            self.a.jump(self._shared.label("tail", self._tail_any))

    def _tail_any(self) -> None:
        """The address that the VM is to return to goes to where C functions have that, what they called into its
        place: so it is gone to as all registers are what they were before the entry."""
        a = self.a
        a.ldr(R0, SP, PRIMITIVES_AT)
        a.ldr_at(SCRATCH, R0, SCRATCH)
        a.ldr(R0, SP, RETURN_AT)
        a.mov(LR, R0, restores=RETURN_AT)
        a.str(SCRATCH, SP, RETURN_AT)
        a.mov(R0, CONTEXT)
        a.ldr(R1, SP, STATE_AT)
        self._leave()

    def _tail_on_stack(self) -> None:
        a, size = self.a, 2 * WORD
        a.push(*SAVED[:2])
        a.ldr(R0, SP, PRIMITIVES_AT + size)
        a.ldr_at(SCRATCH, R0, SCRATCH)
        a.mov(R0, CONTEXT)
        a.ldr(R1, SP, STATE_AT + size)
        a.blx(SCRATCH)
        a.add_sp(size)
        self._leave()

    def _leave(self) -> None:
        a = self.a
        a.ldr(SCRATCH, SP, KEPT_R8)
        a.mov(R8, SCRATCH, restores=KEPT_R8)
        a.add_sp(WORD * (len(KEPT) + 1))
        a.pop(*PUSHED[1:-1], PC)

    def return_unless_context(self, context: Register) -> None:
        same = Label()
        self.a.cmp(context, CONTEXT)
        self.a.jump_if(EQ, same)
        self.a.jump_far(self._shared.label("leave", self._leave))
        self.a.bind(same)

    def keep(self, register: Register) -> None:
        self.a.sub_sp(_KEPT_SIZE)
        self.a.str(self._read(register), SP)
        self._depth += _KEPT_SIZE

    def take(self, register: Register) -> None:
        low = self._written(register)
        self.a.ldr(low, SP)
        self.a.move(register, low)
        self.a.add_sp(_KEPT_SIZE)
        self._depth -= _KEPT_SIZE

    # The stack and the heap

    def _allocate_given(self, stack: int, heap: int, live: int) -> None:
        self.a.constant(R1, live)
        self.a.constant(R2, WORD * stack)
        self.a.constant(R3, WORD * (stack + 1 + heap))

    def _allocate(self) -> None:
        a, slow = self.a, Label()
        stack = SAVED[0]
        self._room(R3, stack, slow)
        a.ldr(R0, CONTEXT, self._layout.cp)
        a.subs(stack, stack, WORD)
        a.str(R0, stack)
        a.subs(stack, stack, R2)
        a.str(stack, CONTEXT, self._layout.e)
        a.bx(LR)
        a.bind(slow)
        a.subs(R3, R3, R2)
        a.subs(R3, R3, WORD)
        a.lsrs(R3, R3, 2)
        a.lsrs(R2, R2, 2)
        a.push(R0, R1, R3, LR)
        a.str(R1, SP)
        self._primitive("allocate", 2 * WORD)

    def _test_heap_given(self, words: int, live: int) -> None:
        self.a.constant(R1, live)
        self.a.constant(R2, WORD * words)

    def _test_heap(self) -> None:
        a, slow = self.a, Label()
        self._room(R2, SAVED[0], slow)
        a.bx(LR)
        a.bind(slow)
        a.mov(R3, R1)
        a.lsrs(R2, R2, 2)
        a.push(R3, LR)
        self._primitive("test_heap", 0)

    def _deallocate_given(self, words: int) -> None:
        self.a.constant(R2, words)

    def _deallocate(self, go_on: Callable[[], None]) -> None:
        a, slow = self.a, Label()
        self._check_whole(slow)
        a.ldr(R1, CONTEXT, self._layout.e)
        a.lsls(R0, R2, 2)
        a.adds(R1, R1, R0)
        a.ldr(R0, R1)
        a.adds(R1, R1, WORD)
        a.str(R0, CONTEXT, self._layout.cp)
        a.str(R1, CONTEXT, self._layout.e)
        go_on()
        a.bind(slow)
        a.push(R3, LR)
        self._primitive("deallocate", 0, go_on)

    def _drop_call(self, go_on: Label) -> None:
        self.a.jump_far(go_on)

    def _check_whole(self, slow: Label) -> None:
        """To *slow* if the heap has parts."""
        self.a.ldr(R0, CONTEXT, self._layout.root)
        self.a.ldr(R0, R0)
        self.branch_if(macros.Condition.DIFFERENT, R0, 0, slow)

    def _room(self, size: Register, stack: Register, slow: Label) -> None:
        """To *slow* if the heap has parts, or less than so many bytes up to the stack, whose pointer is given."""
        self._check_whole(slow)
        self.a.ldr(SCRATCH, CONTEXT, self._layout.heap)
        self.a.ldr(stack, CONTEXT, self._layout.e)
        self.a.adds(SCRATCH, SCRATCH, size)
        self.branch_if(macros.Condition.ABOVE, SCRATCH, stack, slow)

    def _primitive(self, name: str, on_stack: int, go_on: Callable[[], None] | None = None) -> None:
        """Let a primitive do it, and go back, whose place has been pushed, or on; an error is that of the call."""
        self._call_inside(name, on_stack + 2 * WORD)
        self._drop(on_stack)
        self._take_way_back(WORD, 2 * WORD)
        self._go_on_unless_false(go_on or self._back)

    # Ways in and out

    def begin(self, label_count: int, places: Mapping[int, Label], ways: Mapping[int, Label]) -> None:
        a, stubs = self.a, {number: Label() for number in places}
        a.elsewhere = frozenset(places.values())  # what debuggers take for code of a function is of that function
        with self._shared.part("labels", self.begin):
            with self._shared.framed(CALLED):
                self._go_to_tables()
                self._fill(0)
            for number in range(1, label_count):
                if number in stubs:
                    self._push()
                    self._go_in(places[number], stubs[number])
                else:
                    a.udf()
                self._fill(number)
            self.entry()
        self._shared.label("tail", self._tail_any)  # the first: those that go there are near
        with self._shared.part("end", self.begin):
            self.tail("terminate_context")  # where returns come to, as behind any entry
        with self._shared.part("setup", self._emit_setup, CALLED):
            self._emit_setup()
        if a.thumb2:
            with self._shared.part("ways in", self.begin):
                for number, stub in stubs.items():
                    a.bind(stub)
                    self._set_up()
                    a.jump_far(places[number])

    def _go_to_tables(self) -> None:
        a = self.a
        if a.thumb2:
            a.jump_far(self._tables)
        else:  # what reaches far uses up the address to return to
            a.push(R4, LR)
            a.bl(self._tables)
            a.pop(R4, PC)

    def _go_in(self, place: Label, stub: Label) -> None:
        """Behind the push of an entry of the table of labels, in which there is room for all or only for a jump."""
        if self.a.thumb2:
            with self._shared.framed(ENTERED):
                self.a.jump_far(stub)
        else:
            self._set_up()
            self.a.jump_far(place)

    def _fill(self, number: int) -> None:
        """Up to the end of an entry of the table of labels."""
        while self.a.offset < self._entry * (number + 1):
            self.a.udf()

    def _emit_setup(self) -> None:
        """Called at every entry: what native code has everywhere in registers and on the stack."""
        a = self.a
        a.bind(self._setup)
        a.ldr(R3, R1, self._layout.module)
        a.ldr(R3, R3)
        a.lsls(R3, R3, MODULE_SHIFT)
        a.mov(CONTEXT, R0)
        a.mov(R0, R8)
        a.push(*KEPT)
        a.bx(LR)

    def _push(self) -> None:
        with self._shared.framed(CALLED):
            self.a.push(*PUSHED)

    def _set_up(self) -> None:
        with self._shared.framed(ENTERED):
            self.a.bl(self._setup)

    def entry(self) -> None:
        self._push()
        self._set_up()

    def set_return(self, place: Label) -> None:
        self.a.offset_of(SCRATCH, place, 2, within=_NEAR)
        self.a.ldr(WAY, SP, INDEX_AT)
        self.a.orr(SCRATCH, WAY)
        self.a.str(SCRATCH, CONTEXT, self._layout.cp)

    def set_continuation(self, place: Label) -> None:
        self._continue(place)

    def set_continuation_label(self, label: int) -> None:
        self._continue(self._entry * label)

    def _continue(self, place: Label | int) -> None:
        self.a.address_of(SCRATCH, place)
        self.a.ldr(WAY, SP, STATE_AT)
        self.a.str(SCRATCH, WAY, self._layout.continuation)

    def _way_in(self, way: Label) -> None:
        self.entry()  # of which the table of labels has one too

    def _yield(self) -> None:
        a = self.a
        a.ldr(WAY, SP, STATE_AT)
        a.mov(SCRATCH, LR)
        a.str(SCRATCH, WAY, self._layout.continuation)
        a.jump_far(self._leaving("schedule_next_cp", 0))

    def _return_here(self) -> None:
        a = self.a
        a.mov(SCRATCH, LR)
        a.address_of(R0, 0)
        a.subs(SCRATCH, SCRATCH, R0)
        a.lsls(SCRATCH, SCRATCH, 2)
        a.ldr(R0, SP, INDEX_AT)
        a.orr(SCRATCH, R0)
        a.str(SCRATCH, CONTEXT, self._layout.cp)

    def _given_registers(self, *positions: int) -> Sequence[Register]:
        return [_TAIL_ARGS[position] for position in positions]

    def _together(self) -> AbstractContextManager[object]:
        self.a.together(_TOGETHER)
        return nullcontext()

    def _count_reduction(self, exhausted: Label) -> None:
        self.a.ldr(SCRATCH, SP, STATE_AT)
        self.a.ldr(WAY, SCRATCH, self._layout.reductions)
        self.a.subs(WAY, WAY, 1)
        self.a.str(WAY, SCRATCH, self._layout.reductions)
        self.a.jump_if(EQ, exhausted)

    def return_(self) -> None:
        self.a.jump_far(self._shared.label("return", self._return))

    def _return(self) -> None:
        """To a return point of this module behind its entry, as all registers have what that gives them."""
        a, elsewhere = self.a, Label()
        a.ldr(R3, CONTEXT, self._layout.cp)
        a.ldr(R2, SP, INDEX_AT)
        a.eor(R3, R2)
        a.lsrs(R2, R3, MODULE_SHIFT)
        a.jump_if(NE, elsewhere)
        a.lsrs(R3, R3, 2)
        a.address_of(R2, ENTRY)
        a.adds(R3, R3, R2)
        a.bx(R3)
        a.bind(elsewhere)
        self._tail("do_return", on_stack=False)

    def catch_term(self, into: Register, label: int) -> None:
        self.a.constant(SCRATCH, label << terms.SECOND_TAG_BITS | terms.CATCH)
        self.a.ldr(into, SP, INDEX_AT)
        self.a.orr(into, SCRATCH)

    def finish(self, tables: Callable[[], bytes]) -> list[Fragment]:
        self.a.place_islands()
        self._shared.emit()
        self.a.place_islands()
        if self.a.offset % WORD:
            self.a.udf()
        with self._shared.part("tables", self.finish, CALLED):
            self.a.bind(self._tables)
            self.a.adr(R0, 0)
            self.a.bx(LR)
            self.a.data(tables())
        return self._shared.fragments
