"""Moves, stack frames, heap, lists and tuples: operations that BeamAsm has in instr_common.cpp."""

from __future__ import annotations

from typing import Any

from jit.arm32.conditions import AL, LO
from jit.arm32.operands import at
from jit.arm32.registers import R0, R1, R2, R3, R12, Register
from jit.beam.operands import Allocation, Operand, X, Y, register_of
from jit.beam.terms import Atom
from jit.codegen.cache import Keeps
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions
from jit.erts.arm32.conventions import HTOP, WORD, E
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.otp import tags

#: Loads reach 4095 bytes.
_MOST_ELEMENTS = 1000


@emits("line", "executable_line", "debug_line", "nif_start", keeps=Keeps.ALL)
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
    e.leave(info)


@emits("badmatch", "case_end", "if_end", "try_case_end", "badrecord", "raise", keeps=Keeps.ALL)
def raises(e: Emission, *_operands: Operand) -> None:
    """The interpreter raises it."""
    e.leave()


@emits("raw_raise")
def raw_raise(e: Emission) -> None:
    """The interpreter raises it."""
    e.leave()


@emits("jump", keeps=Keeps.ALL)
def jump(e: Emission, target: Any) -> None:
    e.a.b(e.label(target.number))


@emits("move", keeps=Keeps.ALL)
def move(e: Emission, source: Operand, destination: Operand) -> None:
    if isinstance(register_of(source), X):
        e.store(e.value(source, R0), destination)
    else:
        e.store(e.value(source, e.target(destination, R0)), destination)


@emits("swap", keeps=Keeps.ALL)
def swap(e: Emission, one: Operand, other: Operand) -> None:
    e.load(one, R0)
    e.load(other, R1)
    e.store(R0, other)
    e.store(R1, one)


# Stack frames and heap


@emits("allocate", keeps=Keeps.COPIES)
def allocate(e: Emission, stack: int, live: int) -> None:
    allocate_heap(e, stack, 0, live)


@emits("allocate_heap", keeps=Keeps.COPIES)
def allocate_heap(e: Emission, stack: int, heap: int | Allocation, live: int) -> None:
    words = stack + 1
    check_room(e, words + heap_words(e, heap), live)
    e.a.add_constant(E, E, -WORD * words)
    nil_frame_top(e)


@emits("test_heap", keeps=Keeps.COPIES)
def test_heap(e: Emission, heap: int | Allocation, live: int) -> None:
    check_room(e, heap_words(e, heap), live)


@emits("deallocate", keeps=Keeps.ALL)
def deallocate(e: Emission, stack: int) -> None:
    e.a.add_constant(E, E, WORD * (stack + 1))


@emits("trim", keeps=Keeps.ALL)
def trim(e: Emission, stack: int, _remaining: int) -> None:
    if stack:
        e.a.add_constant(E, E, WORD * stack)
        nil_frame_top(e)


@emits("init_yregs", keeps=Keeps.ALL)
def init_yregs(e: Emission, registers: tuple[Y, ...]) -> None:
    e.a.mov_constant(R0, tags.NIL)
    for register in registers:
        e.store(R0, register)


def nil_frame_top(e: Emission) -> None:
    """The slot of the return address holds NIL while no call is made, as the interpreter has it."""
    e.a.mov_constant(R0, tags.NIL)
    e.a.str(R0, at(E))


def heap_words(e: Emission, heap: int | Allocation) -> int:
    """Words to have free on the heap."""
    if isinstance(heap, int):
        return heap
    return heap.words + conventions.FLOAT_WORDS * heap.floats + e.shared.layout.fun_words * heap.funs


def check_room(e: Emission, words: int, live: int) -> None:
    """Collect garbage unless there are so many words between heap and stack.

    Of x registers the first *live* keep their values, also in the cache.
    """
    collect, go_on = Label(), Label()
    e.a.sub(R0, E, HTOP)
    e.a.cmp_constant(R0, WORD * (words + conventions.RESERVED))
    e.a.b(collect, AL if e.shared.stress else LO)
    e.a.bind(go_on)

    def cold() -> None:
        e.a.bind(collect)
        e.a.mov_constant(R1, words)
        e.a.mov_constant(R3, live)
        e.call("collect_garbage", live=live)
        e.reload()
        e.a.b(go_on)

    e.cold(cold, collects=live)


# Lists and tuples


@emits("get_list", keeps=Keeps.ALL)
def get_list(e: Emission, source: Operand, head: Operand, tail: Operand) -> None:
    cell = e.value(source, R0)
    first = e.target(head, R1)
    rest = e.target(tail, R2, last=cell)
    e.a.ldr(first, at(cell, -tags.CONS))
    e.a.ldr(rest, at(cell, WORD - tags.CONS))
    e.store(first, head)
    e.store(rest, tail)


@emits("get_hd", keeps=Keeps.ALL)
def get_hd(e: Emission, source: Operand, head: Operand) -> None:
    fetch(e, e.value(source, R0), -tags.CONS, head)


@emits("get_tl", keeps=Keeps.ALL)
def get_tl(e: Emission, source: Operand, tail: Operand) -> None:
    fetch(e, e.value(source, R0), WORD - tags.CONS, tail)


def fetch(e: Emission, pointer: Register, offset: int, destination: Operand) -> None:
    """The word so far behind a tagged pointer, which is not wanted any more."""
    target = e.target(destination, R1, last=pointer)
    e.a.ldr(target, at(pointer, offset))
    e.store(target, destination)


@emits("put_list", keeps=Keeps.ALL)
def put_list(e: Emission, head: Operand, tail: Operand, destination: Operand) -> None:
    first, rest = e.value(head, R0), e.value(tail, R12)
    if first.number >= rest.number:  # words are stored in the order of registers, each register once
        e.a.mov(R0, first)
        first = R0
    target = e.target(destination, R2)
    e.a.add(target, HTOP, tags.CONS)
    e.a.stm(HTOP, (first, rest), writeback=True)
    e.store(target, destination)


@emits("get_tuple_element", keeps=Keeps.ALL)
def get_tuple_element(e: Emission, source: Operand, index: int, destination: Operand) -> None:
    fetch(e, e.value(source, R0), element_offset(index), destination)


@emits("set_tuple_element", keeps=Keeps.ALL)
def set_tuple_element(e: Emission, value: Operand, source: Operand, index: int) -> None:
    element, tuple_ = e.value(value, R0), e.value(source, R1)
    e.a.str(element, at(tuple_, element_offset(index)))


@emits("put_tuple2", keeps=Keeps.ALL)
def put_tuple2(e: Emission, destination: Operand, elements: tuple[Operand, ...]) -> None:
    size = WORD * (len(elements) + 1)
    element_offset(len(elements))
    e.a.mov_constant(R0, conventions.tuple_header(len(elements)))
    e.a.str(R0, at(HTOP))
    for number, element in enumerate(elements, 1):
        e.a.str(e.value(element, R0), at(HTOP, WORD * number))
    target = e.target(destination, R1)
    e.a.add(target, HTOP, tags.BOXED)
    e.a.add_constant(HTOP, HTOP, size)
    e.store(target, destination)


def element_offset(index: int) -> int:
    """The offset of an element, counted from 0, from a tagged pointer."""
    if not reaches_element(index):
        raise Unsupported(f"a tuple of more than {index} elements")
    return WORD * (index + 1) - tags.BOXED


def reaches_element(index: int) -> bool:
    """Whether an instruction can load that element."""
    return index < _MOST_ELEMENTS
