"""Maps: a boxed term with a tuple of keys, and values."""

from __future__ import annotations

from collections.abc import Iterator

from jit.atomvm import formats, terms
from jit.atomvm.emission import Emission, plain
from jit.atomvm.emitters import emits
from jit.atomvm.macros import CONTEXT, STATE, Condition
from jit.beam.operands import Operand, X, Y
from jit.beam.terms import Atom
from jit.beam.types import TypeKind
from jit.codegen.processor import Label, Register


def _find(e: Emission, map_: Register, key: Operand, missing: Label) -> None:
    """The place of a key, in the register of results. The VM looks for one that is no immediate term."""
    m = e.m
    place, here, wanted, *_ = m.args
    e.load(key, wanted)
    constant = plain(key)
    immediate = isinstance(constant, Atom) or terms.immediate(constant, e.word) is not None
    immediate = immediate or e.is_small(key) or e.is_sure(key, TypeKind.ATOM)
    slow, found = Label(), Label()
    if not immediate:
        no_memory = e.raises("out_of_memory")

        def ask() -> None:
            m.call("term_find_map_pos", CONTEXT, map_, wanted)
            m.branch_if(Condition.EQUAL, place, formats.NOT_FOUND, missing)
            m.branch_if(Condition.EQUAL, place, formats.NO_MEMORY, no_memory)

        def cold() -> None:
            e.a.bind(slow)
            ask()
            e.a.jump(found)

        if not isinstance(constant, X | Y):
            ask()
            return
        e.cold(cold)
        m.branch_if_bits(Condition.DIFFERENT, wanted, terms.PRIMARY, terms.IMMEDIATE, slow)
    m.a.move(here, map_)
    m.shared("immediate key", lambda: _emit_search(e))
    m.branch_if(Condition.EQUAL, place, formats.NOT_FOUND, missing)
    e.a.bind(found)


def _emit_search(e: Emission) -> None:
    """An immediate term is the same as no other word. From the last key to the first."""
    m = e.m
    place, map_, wanted, keys, *_ = m.args
    again, missing, end = Label(), Label(), Label()
    m.load_of(keys, map_, terms.BOXED, terms.MAP_KEYS)
    e.pointer(keys, keys)
    m.load(place, keys, 0)
    m.shift_right(place, place, terms.HEADER_BITS)
    e.a.bind(again)
    m.branch_if(Condition.EQUAL, place, 0, missing)
    m.load_at(map_, keys, place, 0)
    m.subtract(place, place, 1)
    m.branch_if(Condition.DIFFERENT, map_, wanted, again)
    e.a.jump(end)
    e.a.bind(missing)
    m.constant(place, formats.NOT_FOUND)
    e.a.bind(end)


def _pairs(operands: tuple[Operand, ...]) -> Iterator[tuple[Operand, Operand]]:
    return zip(operands[::2], operands[1::2])


@emits("has_map_fields")
def has_map_fields(e: Emission, fail: Operand, source: Operand, keys: tuple[Operand, ...]) -> None:
    map_ = e.m.saved[0]
    e.load(source, map_)
    for key in keys:
        _find(e, map_, key, e.fail(fail))


@emits("get_map_elements")
def get_map_elements(e: Emission, fail: Operand, source: Operand, pairs: tuple[Operand, ...]) -> None:
    map_, words, *_ = e.m.saved
    place = e.m.args[0]
    e.load(source, map_)
    e.pointer(words, map_)
    for key, destination in _pairs(pairs):
        _find(e, map_, key, e.fail(fail))
        e.m.load_at(place, words, place, terms.MAP_VALUES)
        e.store(place, destination)


def _size(e: Emission, into: Register, map_: Register) -> None:
    """How many keys a map has."""
    e.pointer(into, map_)
    e.m.load(into, into, terms.MAP_KEYS)
    e.pointer(into, into)
    e.m.load(into, into, 0)
    e.m.shift_right(into, into, terms.HEADER_BITS)


@emits("put_map_assoc")
def put_map_assoc(
    e: Emission, _fail: Operand, source: Operand, destination: Operand, live: int, pairs: tuple[Operand, ...]
) -> None:
    m = e.m
    map_, new, values = m.saved
    result, size, *_ = m.args
    e.load(source, map_)
    m.constant(new, 0)
    for key, _ in _pairs(pairs):
        missing, found = Label(), Label()
        _find(e, map_, key, missing)
        e.a.jump(found)
        e.a.bind(missing)
        m.add(new, new, 1)
        e.a.bind(found)
    same = Label()
    _size(e, size, map_)
    m.branch_if(Condition.EQUAL, new, 0, same)
    m.add(size, size, new)
    m.shift_left(size, size, 1)
    m.add(size, size, 1)
    e.a.bind(same)
    m.add(size, size, terms.MAP_VALUES)
    e.ensure(size, live, (map_, source))
    m.call("malloc", CONTEXT, STATE, e.word * len(pairs), raises=True)
    m.a.move(values, result)
    for at, operand in enumerate(pairs):
        e.load(operand, result)
        m.store(result, values, at)
    m.call("put_map_assoc", CONTEXT, STATE, map_, new, len(pairs) // 2, values)
    m.a.move(map_, result)
    m.call("free", values)
    m.branch_if_false(map_, e.error())
    e.store(map_, destination)


@emits("put_map_exact")
def put_map_exact(
    e: Emission, fail: Operand, source: Operand, destination: Operand, live: int, pairs: tuple[Operand, ...]
) -> None:
    """The place of the first key is kept; those of others are looked for again, in the copy."""
    m = e.m
    map_, copy, kept = m.saved
    result, size, words, *_ = m.args
    (first, operand), *others = _pairs(pairs)
    e.load(source, map_)
    for key, _ in others:
        _find(e, map_, key, e.fail(fail))
    _find(e, map_, first, e.fail(fail))
    m.a.move(kept, result)
    _size(e, size, map_)
    m.add(size, size, terms.MAP_VALUES)
    e.ensure(size, live, (map_, source))
    m.call("term_copy_map", CONTEXT, map_)
    m.a.move(copy, result)
    e.load(operand, result)
    e.pointer(words, copy)
    m.store_at(result, words, kept, terms.MAP_VALUES)
    for key, operand in others:
        e.load(operand, kept)
        _find(e, map_, key, e.fail(fail))
        e.pointer(words, copy)
        m.store_at(kept, words, result, terms.MAP_VALUES)
    e.store(copy, destination)
