"""Moves, stack frames, heap, terms, tests: the operations that BeamAsm has in instr_common.cpp."""

from __future__ import annotations

from typing import Any

from jit.arm32.conditions import AL, EQ, GE, LO, LT, NE, Condition
from jit.arm32.labels import Label
from jit.arm32.operands import at
from jit.arm32.registers import R0, R1, R2, R3, R12, SP, Register
from jit.arm32.relocations import External
from jit.beam.operands import Allocation, Operand, Y
from jit.beam.terms import Atom
from jit.codegen import machine
from jit.codegen.emission import Emission, Unsupported, immediate
from jit.codegen.emitters import Emitter, emits
from jit.codegen.machine import HTOP, WORD, E


@emits("line", "executable_line", "debug_line", "nif_start")
def nothing(_e: Emission, *_operands: Operand) -> None:
    """No code."""


@emits("label")
def label(e: Emission, number: int) -> None:
    e.a.bind(e.label(number))


@emits("func_info")
def func_info(e: Emission, _module: Atom, _name: Atom, _arity: int) -> None:
    """No clause fits: the interpreter raises it."""
    info = e.operations[0].operands[0]
    assert isinstance(info, int)
    e.a.b(e.to_interpreter(target=info))


@emits("badmatch", "case_end", "if_end", "try_case_end", "badrecord", "raise", "raw_raise")
def raises(e: Emission, *_operands: Operand) -> None:
    """The interpreter raises it."""
    e.a.b(e.to_interpreter())


@emits("jump")
def jump(e: Emission, target: Any) -> None:
    e.a.b(e.label(target.number))


@emits("move")
def move(e: Emission, source: Operand, destination: Operand) -> None:
    e.store(e.load(source, R0), destination)


@emits("swap")
def swap(e: Emission, one: Operand, other: Operand) -> None:
    e.load(one, R0)
    e.load(other, R1)
    e.store(R0, other)
    e.store(R1, one)


# Stack frames and heap


@emits("allocate")
def allocate(e: Emission, stack: int, live: int) -> None:
    allocate_heap(e, stack, 0, live)


@emits("allocate_heap")
def allocate_heap(e: Emission, stack: int, heap: int | Allocation, live: int) -> None:
    words = stack + 1
    check_room(e, words + heap_words(heap), live)
    e.a.add_constant(E, E, -WORD * words)
    nil_frame_top(e)


@emits("test_heap")
def test_heap(e: Emission, heap: int | Allocation, live: int) -> None:
    check_room(e, heap_words(heap), live)


@emits("deallocate")
def deallocate(e: Emission, stack: int) -> None:
    e.a.add_constant(E, E, WORD * (stack + 1))


@emits("trim")
def trim(e: Emission, stack: int, _remaining: int) -> None:
    if stack:
        e.a.add_constant(E, E, WORD * stack)
        nil_frame_top(e)


@emits("init_yregs")
def init_yregs(e: Emission, registers: tuple[Y, ...]) -> None:
    e.a.mov_constant(R0, machine.NIL_WORD)
    for register in registers:
        e.store(R0, register)


def nil_frame_top(e: Emission) -> None:
    """The slot of the return address holds NIL while no call is made, as the interpreter has it."""
    e.a.mov_constant(R0, machine.NIL_WORD)
    e.a.str(R0, at(E))


def heap_words(heap: int | Allocation) -> int:
    """Words to have free on the heap."""
    if isinstance(heap, int):
        return heap
    if heap.floats or heap.funs:
        raise Unsupported("allocation of floats or funs")
    return heap.words


def check_room(e: Emission, words: int, live: int) -> None:
    """Collect garbage unless there are so many words between heap and stack."""
    collect, go_on = Label(), Label()
    e.a.sub(R0, E, HTOP)
    e.a.cmp_constant(R0, WORD * (words + machine.RESERVED))
    e.a.b(collect, AL if e.shared.stress else LO)
    e.a.bind(go_on)

    def cold() -> None:
        e.a.bind(collect)
        e.a.mov_constant(R1, words)
        e.a.mov_constant(R3, live)
        e.a.bl(e.shared.fragments["collect_garbage"])
        e.a.b(go_on)

    e.cold(cold)


# Lists and tuples


@emits("get_list")
def get_list(e: Emission, source: Operand, head: Operand, tail: Operand) -> None:
    e.load(source, R0)
    e.a.ldr(R1, at(R0, -machine.LIST_TAG))
    e.a.ldr(R2, at(R0, WORD - machine.LIST_TAG))
    e.store(R1, head)
    e.store(R2, tail)


@emits("get_hd")
def get_hd(e: Emission, source: Operand, head: Operand) -> None:
    e.load(source, R0)
    e.a.ldr(R1, at(R0, -machine.LIST_TAG))
    e.store(R1, head)


@emits("get_tl")
def get_tl(e: Emission, source: Operand, tail: Operand) -> None:
    e.load(source, R0)
    e.a.ldr(R1, at(R0, WORD - machine.LIST_TAG))
    e.store(R1, tail)


@emits("put_list")
def put_list(e: Emission, head: Operand, tail: Operand, destination: Operand) -> None:
    e.load(head, R0)
    e.load(tail, R1)
    e.a.add(R2, HTOP, machine.LIST_TAG)
    e.a.stm(HTOP, (R0, R1), writeback=True)
    e.store(R2, destination)


@emits("get_tuple_element")
def get_tuple_element(e: Emission, source: Operand, index: int, destination: Operand) -> None:
    e.load(source, R0)
    e.a.ldr(R1, at(R0, _element(index)))
    e.store(R1, destination)


@emits("set_tuple_element")
def set_tuple_element(e: Emission, value: Operand, source: Operand, index: int) -> None:
    e.load(value, R0)
    e.load(source, R1)
    e.a.str(R0, at(R1, _element(index)))


@emits("put_tuple2")
def put_tuple2(e: Emission, destination: Operand, elements: tuple[Operand, ...]) -> None:
    size = WORD * (len(elements) + 1)
    e.a.mov_constant(R0, len(elements) << machine.HEADER_BITS | machine.TUPLE_HEADER)
    _element(len(elements))
    e.a.str(R0, at(HTOP))
    for number, element in enumerate(elements, 1):
        e.load(element, R0)
        e.a.str(R0, at(HTOP, WORD * number))
    e.a.add(R1, HTOP, machine.BOXED_TAG)
    e.a.add_constant(HTOP, HTOP, size)
    e.store(R1, destination)


def _element(index: int) -> int:
    """The offset of an element from a tagged pointer."""
    offset = WORD * (index + 1) - machine.BOXED_TAG
    if offset > 4000:
        raise Unsupported(f"a tuple of more than {index} elements")
    return offset


# Tests: control goes to the fail label unless the source is what is asked


@emits("is_nil")
def is_nil(e: Emission, fail: Operand, source: Operand) -> None:
    e.a.cmp_constant(e.load(source, R0), machine.NIL_WORD)
    e.a.b(e.failure(fail), NE)


@emits("is_atom")
def is_atom(e: Emission, fail: Operand, source: Operand) -> None:
    e.a.and_(R1, e.load(source, R0), machine.IMMEDIATE2_MASK)
    e.a.cmp(R1, machine.ATOM_TAG)
    e.a.b(e.failure(fail), NE)


@emits("is_boolean")
def is_boolean(e: Emission, fail: Operand, source: Operand) -> None:
    e.load(source, R0)
    e.load(Atom("true"), R1)
    e.a.cmp(R0, R1)
    e.load(Atom("false"), R1)
    e.a.cmp(R0, R1, NE)
    e.a.b(e.failure(fail), NE)


@emits("is_nonempty_list")
def is_nonempty_list(e: Emission, fail: Operand, source: Operand) -> None:
    _check_primary(e, e.load(source, R0), machine.LIST_TAG)
    e.a.b(e.failure(fail), NE)


@emits("is_list")
def is_list(e: Emission, fail: Operand, source: Operand) -> None:
    e.load(source, R0)
    e.a.cmp_constant(R0, machine.NIL_WORD)
    e.a.and_(R1, R0, machine.PRIMARY_MASK, NE)
    e.a.cmp(R1, machine.LIST_TAG, NE)
    e.a.b(e.failure(fail), NE)


@emits("is_integer")
def is_integer(e: Emission, fail: Operand, source: Operand) -> None:
    yes = Label()
    e.load(source, R0)
    e.a.and_(R1, R0, machine.SMALL_TAG)
    e.a.cmp(R1, machine.SMALL_TAG)
    e.a.b(yes, EQ)
    e.a.b(e.failure(fail), _header_differs(e, machine.BIGNUM_HEADER, machine.HEADER_MASK & ~machine.BIGNUM_SIGN, fail))
    e.a.bind(yes)


@emits("is_tuple")
def is_tuple(e: Emission, fail: Operand, source: Operand) -> None:
    e.load(source, R0)
    e.a.b(e.failure(fail), _header_differs(e, machine.TUPLE_HEADER, machine.HEADER_MASK, fail))


@emits("is_float")
def is_float(e: Emission, fail: Operand, source: Operand) -> None:
    e.load(source, R0)
    e.a.b(e.failure(fail), _header_differs(e, machine.FLOAT_HEADER, machine.HEADER_MASK, fail))


@emits("is_map")
def is_map(e: Emission, fail: Operand, source: Operand) -> None:
    e.load(source, R0)
    e.a.b(e.failure(fail), _header_differs(e, e.shared.layout.map_header, machine.HEADER_MASK, fail))


@emits("test_arity")
def test_arity(e: Emission, fail: Operand, source: Operand, arity: int) -> None:
    e.load(source, R0)
    _check_arity(e, arity)
    e.a.b(e.failure(fail), NE)


@emits("is_tagged_tuple")
def is_tagged_tuple(e: Emission, fail: Operand, source: Operand, arity: int, tag: Operand) -> None:
    e.load(source, R0)
    _check_primary(e, R0, machine.BOXED_TAG)
    e.a.b(e.failure(fail), NE)
    _check_arity(e, arity)
    e.a.b(e.failure(fail), NE)
    e.a.ldr(R1, at(R0, _element(0)))
    e.load(tag, R2)
    e.a.cmp(R1, R2)
    e.a.b(e.failure(fail), NE)


def _check_arity(e: Emission, arity: int) -> None:
    """The flags of: is the boxed term in r0 a tuple of so many elements?"""
    e.a.ldr(R1, at(R0, -machine.BOXED_TAG))
    e.a.cmp_constant(R1, arity << machine.HEADER_BITS | machine.TUPLE_HEADER)


def _check_primary(e: Emission, source: Register, tag: int) -> None:
    """The flags of: has it this primary tag?"""
    e.a.and_(R1, source, machine.PRIMARY_MASK)
    e.a.cmp(R1, tag)


def _header_differs(e: Emission, header: int, mask: int, fail: Operand) -> Condition:
    """The condition that r0 is no boxed term with such a header; if it is not boxed, control is at *fail* already."""
    _check_primary(e, R0, machine.BOXED_TAG)
    e.a.b(e.failure(fail), NE)
    e.a.ldr(R1, at(R0, -machine.BOXED_TAG))
    e.a.and_(R1, R1, mask)
    e.a.cmp(R1, header)
    return NE


def _by_bif(name: str) -> Emitter:
    """A test that a BIF of the VM makes, such as is_binary_1."""

    def test(e: Emission, fail: Operand, *arguments: Operand) -> None:
        for number, argument in enumerate(arguments):
            e.a.str(e.load(argument, R0), at(SP, machine.ARGUMENTS + WORD * number))
        e.a.ldr_literal(R12, External(f"{name}_{len(arguments)}"))
        e.a.bl(e.shared.fragments["guard_bif"])
        e.a.cmp(R0, machine.TRUE)
        e.a.b(e.failure(fail), NE)

    return test


for _test, _bif in {
    "is_binary": "is_binary",
    "is_bitstr": "is_bitstring",
    "is_function": "is_function",
    "is_function2": "is_function",
    "is_number": "is_number",
    "is_pid": "is_pid",
    "is_port": "is_port",
    "is_reference": "is_reference",
}.items():
    emits(_test)(_by_bif(_bif))


# Comparisons


@emits("is_eq_exact")
def is_eq_exact(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    equal = Label()
    if _compare_words(e, one, other):
        e.a.b(e.failure(fail), NE)
        return
    e.a.b(equal, EQ)
    _call_eq(e, e.failure(fail))
    e.a.cmp(R0, 0)
    e.a.b(e.failure(fail), EQ)
    e.a.bind(equal)


@emits("is_ne_exact")
def is_ne_exact(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    differ = Label()
    failure = e.failure(fail)
    equal_words = _compare_words(e, one, other)
    e.a.b(failure, EQ)
    if not equal_words:
        _call_eq(e, differ)
        e.a.cmp(R0, 0)
        e.a.b(failure, NE)
        e.a.bind(differ)


def _compare_words(e: Emission, one: Operand, other: Operand) -> bool:
    """The flags of the two words in r0 and r1; whether they tell all, as one is an immediate."""
    e.load(one, R0)
    word = immediate(other)
    if word is not None:
        e.a.cmp_constant(R0, word)
    else:
        e.load(other, R1)
        e.a.cmp(R0, R1)
    return any(immediate(operand) is not None or isinstance(operand, Atom) for operand in (one, other))


def _call_eq(e: Emission, differ: Label) -> None:
    """r0 = whether the terms in r0 and r1, whose words differ, are equal; immediates go to *differ* at once."""
    for register in (R0, R1):
        e.a.and_(R12, register, machine.PRIMARY_MASK)
        e.a.cmp(R12, machine.PRIMARY_MASK)
        e.a.b(differ, EQ)
    e.a.bl(e.shared.fragments["eq"])


@emits("is_lt")
def is_lt(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    _compare(e, one, other)
    e.a.b(e.failure(fail), GE)


@emits("is_ge")
def is_ge(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    _compare(e, one, other)
    e.a.b(e.failure(fail), LT)


@emits("is_eq")
def is_eq(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    _compare(e, one, other)
    e.a.b(e.failure(fail), NE)


@emits("is_ne")
def is_ne(e: Emission, fail: Operand, one: Operand, other: Operand) -> None:
    _compare(e, one, other)
    e.a.b(e.failure(fail), EQ)


def _compare(e: Emission, one: Operand, other: Operand) -> None:
    """The flags of a signed comparison of two terms in Erlang's order, where 1 == 1.0."""
    others, done = Label(), Label()
    e.load(one, R0)
    e.load(other, R1)
    e.a.and_(R2, R0, R1)
    e.a.and_(R2, R2, machine.SMALL_TAG)
    e.a.cmp(R2, machine.SMALL_TAG)
    e.a.b(others, NE)
    e.a.cmp(R0, R1)
    e.a.bind(done)

    def cold() -> None:
        e.a.bind(others)
        e.a.bl(e.shared.fragments["compare"])
        e.a.cmp(R0, 0)
        e.a.b(done)

    e.cold(cold)
