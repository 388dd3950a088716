"""Moves, stack frames, heap, lists and tuples."""

from __future__ import annotations

from collections.abc import Iterator

from jit.atomvm import terms
from jit.atomvm.emission import Emission, plain
from jit.atomvm.emitters import emits
from jit.beam.operands import Allocation, Operand, Y
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Register


@emits("label")
def label(e: Emission, number: int) -> None:
    place = e.label(number)
    if number != e.function.entry:  # which is where the function begins
        e.a.bind(place)


@emits(
    "line", "executable_line", "debug_line", "nif_start", "on_load", "fclearerror", "fcheckerror", "recv_mark",
    "recv_set", "recv_marker_bind", "recv_marker_clear", "recv_marker_use",
)  # fmt: skip
def nothing(e: Emission, *_operands: object) -> None:
    """No code: AtomVM looks at all messages from the first one on, and at floats when they are made. Lines are told of
    where each operation begins."""


@emits("move")
def move(e: Emission, source: Operand, destination: Operand) -> None:
    e.load(source, e.m.args[0])
    e.store(e.m.args[0], destination)


@emits("swap")
def swap(e: Emission, one: Operand, other: Operand) -> None:
    first, second, *_ = e.m.saved
    e.loads((one, first), (other, second))
    e.store(first, other)
    e.store(second, one)


@emits("init", "recv_marker_reserve")
def clear(e: Emission, register: Operand) -> None:
    e.m.constant(e.m.args[0], terms.NIL)
    e.store(e.m.args[0], register)


@emits("init_yregs")
def init_yregs(e: Emission, registers: tuple[Operand, ...]) -> None:
    if not registers:
        return
    nil, scratch, *_ = e.m.args
    e.m.constant(nil, terms.NIL)
    stack = e.stack(scratch)
    for one in registers:
        if not isinstance(one, Y):
            raise Unsupported(f"destination {one}")
        e.m.store(nil, stack, one.number)


# The stack and the heap


def heap_words(e: Emission, need: Operand) -> int:
    """How many words are asked for."""
    if isinstance(need, Allocation):
        return need.words + terms.float_words(e.shared.target) * need.floats + terms.FUN_SIZE * need.funs
    if not isinstance(need, int):
        raise Unsupported(f"heap need {need}")
    return need


@emits("allocate", "allocate_zero")
def allocate(e: Emission, stack: int, live: int) -> None:
    allocate_heap(e, stack, 0, live)


@emits("allocate_heap", "allocate_heap_zero")
def allocate_heap(e: Emission, stack: int, heap: Operand, live: int) -> None:
    e.m.allocate(stack, heap_words(e, heap), live)
    if e.operations[e.index].name.endswith("_zero"):
        init_yregs(e, tuple(Y(number) for number in range(stack)))


@emits("test_heap")
def test_heap(e: Emission, heap: Operand, live: int) -> None:
    e.m.test_heap(heap_words(e, heap), live)


@emits("deallocate")
def deallocate(e: Emission, words: int) -> None:
    after = e.index + 1
    returns = after < len(e.operations) and e.operations[after].name == "return"
    e.m.deallocate(words, returns=returns)
    if returns:
        e.done.add(after)


@emits("trim")
def trim(e: Emission, words: int, _remaining: int) -> None:
    e.move_stack(words, e.m.args[0])


def leave_frame(e: Emission, words: int) -> None:
    """The frame is given up, and the function is to return to where its caller is to."""
    scratch, back, *_ = e.m.args

    def emit() -> None:
        e.m.load(back, e.stack(scratch), words)
        e.m.store_context(back, e.shared.target.layout.cp)
        e.move_stack(words + 1, scratch)

    e.m.shared(f"leave {words}", emit)


# Lists


@emits("put_list")
def put_list(e: Emission, head: Operand, tail: Operand, destination: Operand) -> None:
    cell, one, other, end = e.m.args
    e.loads((head, one), (tail, other))

    def emit() -> None:
        _new(e, cell, 2, end)
        e.m.store(other, cell, terms.TAIL)
        e.m.store(one, cell, terms.HEAD)
        e.m.or_(cell, cell, terms.LIST)

    e.m.shared("cons", emit)
    for another in _put_before(e, destination):
        e.a.move(other, cell)
        e.load(another, one)
        e.m.shared("cons", emit)
    e.store(cell, destination)


def _put_before(e: Emission, cell: Operand) -> Iterator[Operand]:
    """The elements that the next operations put before a new cell, one after the other, into the same register."""
    for index in range(e.index + 1, len(e.operations)):
        operation = e.operations[index]
        if operation.name != "put_list" or operation.operands[1:] != (cell, cell):
            return
        head = operation.operands[0]
        if not e.is_cheap(head) or plain(head) == cell:
            return
        e.done.add(index)
        yield head


def _new(e: Emission, into: Register, words: int, scratch: Register) -> None:
    """So many words of the heap, which an operation before has made sure of."""
    heap = e.shared.target.layout.heap
    e.m.load_context(into, heap)
    e.m.add(scratch, into, e.word * words)
    e.m.store_context(scratch, heap)


def _new_tuple(e: Emission, size: int) -> Register:
    """The words of a tuple whose elements are still to be stored, in the first register that calls leave alone."""
    into: Register = e.m.saved[0]
    scratch = e.m.args[0]

    def emit() -> None:
        _new(e, into, 1 + size, scratch)
        e.m.constant(scratch, size << terms.HEADER_BITS | terms.TUPLE)
        e.m.store(scratch, into, 0)

    e.m.shared(f"tuple {size}", emit)
    return into


@emits("get_list")
def get_list(e: Emission, source: Operand, head: Operand, tail: Operand) -> None:
    cell, first = (e.m.args if e.is_cheap(head) else e.m.saved)[:2]
    e.load(source, cell)
    e.m.load_of(first, cell, terms.LIST, terms.HEAD)
    e.m.load_of(cell, cell, terms.LIST, terms.TAIL)
    e.store(first, head)
    e.store(cell, tail)


@emits("get_hd")
def get_hd(e: Emission, source: Operand, destination: Operand) -> None:
    _part(e, source, terms.HEAD, destination)


@emits("get_tl")
def get_tl(e: Emission, source: Operand, destination: Operand) -> None:
    _part(e, source, terms.TAIL, destination)


def _part(e: Emission, source: Operand, word: int, destination: Operand) -> None:
    cell = e.m.args[0]
    e.load(source, cell)
    e.m.load_of(cell, cell, terms.LIST, word)
    e.store(cell, destination)


# Tuples


@emits("get_tuple_element")
def get_tuple_element(e: Emission, source: Operand, index: int, destination: Operand) -> None:
    tuple_ = e.m.args[0]
    e.load(source, tuple_)
    e.m.load_of(tuple_, tuple_, terms.BOXED, 1 + index)
    e.store(tuple_, destination)


@emits("set_tuple_element")
def set_tuple_element(e: Emission, value: Operand, destination: Operand, index: int) -> None:
    new, tuple_, *_ = e.m.args
    e.loads((value, new), (destination, tuple_))
    e.pointer(tuple_, tuple_)
    e.m.store(new, tuple_, 1 + index)


@emits("put_tuple2")
def put_tuple2(e: Emission, destination: Operand, elements: tuple[Operand, ...]) -> None:
    tuple_ = _new_tuple(e, len(elements))
    fill(e, tuple_, 1, elements)
    e.store(tuple_, destination)


def fill(e: Emission, boxed: Register, word: int, elements: tuple[Operand, ...]) -> None:
    """Store elements from a word on into a new boxed term, whose address becomes the term; calls leave it."""
    for at, element in enumerate(elements):
        e.load(element, e.m.args[0])
        e.m.store(e.m.args[0], boxed, word + at)
    e.m.or_(boxed, boxed, terms.BOXED)


@emits("update_record")
def update_record(
    e: Emission, _hint: Operand, size: int, source: Operand, destination: Operand, updates: tuple[Operand, ...]
) -> None:
    """A copy: that of the hint is one that may be left out where nothing changes."""
    old, value = e.m.saved[1], e.m.args[0]
    e.load(source, old)
    new = _new_tuple(e, size)
    e.pointer(old, old)
    changed = dict(zip(updates[::2], updates[1::2]))
    for at in range(1, size + 1):
        if at not in changed:
            e.m.load(value, old, at)
            e.m.store(value, new, at)
    for index, element in changed.items():
        if not isinstance(index, int):
            raise Unsupported(f"index {index}")
        e.load(plain(element), value)
        e.m.store(value, new, index)
    e.m.or_(new, new, terms.BOXED)
    e.store(new, destination)
