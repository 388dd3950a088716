"""Hypothesis strategies for Erlang values."""

from collections.abc import Sequence

from hypothesis import strategies as st

from beamgdb.terms.values import (
    Atom,
    Bitstring,
    ExternalFun,
    Fun,
    List,
    Map,
    NativeRecord,
    NodeOfTerm,
    Pid,
    Port,
    Reference,
    Tuple,
    Value,
)
from tests.terms.heap_encoder import AtomTable, Heap

U32 = st.integers(0, (1 << 32) - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


def integers() -> st.SearchStrategy[int]:
    edges = [27, 28, 31, 32, 59, 60, 63, 64, 128]
    near = st.builds(lambda bits, off, sign: sign * ((1 << bits) + off), st.sampled_from(edges),
                     st.integers(-2, 2), st.sampled_from([1, -1]))  # fmt: skip
    return st.one_of(st.integers(-300, 300), near, st.integers(-(1 << 300), 1 << 300))


def atoms(table: AtomTable) -> st.SearchStrategy[Atom]:
    names = st.one_of(st.sampled_from(["ok", "undefined", "and", "maybe", "", "a b", "Äb", "äb@x"]), TEXT)
    return names.map(table.make)


def bitstrings(release: int) -> st.SearchStrategy[Bitstring]:
    def cut(data: bytes, drop: int, storage: str) -> Bitstring:
        whole_bytes = storage != "sub" and release == 25
        bits = max(0, 8 * len(data) - (0 if whole_bytes else drop))
        data = data[: (bits + 7) // 8]
        if bits % 8:
            data = data[:-1] + bytes([data[-1] & 0xFF << (8 - bits % 8) & 0xFF])
        return Bitstring(data, bits, storage)

    storages = ["heap", "refc", "writable"] + (["sub"] if release == 25 else [])
    return st.builds(cut, st.binary(max_size=50), st.integers(0, 7), st.sampled_from(storages))


def identifiers(heap: Heap) -> st.SearchStrategy[Value]:
    number_bits, serial_bits, port_bits = {
        (25, 4): (15, 13, 28), (25, 8): (15, 13, 28), (27, 4): (28, 0, 28), (27, 8): (28, 32, 60),
        (29, 4): (28, 0, 28), (29, 8): (28, 32, 60),
    }[heap.release, heap.word_size]  # fmt: skip
    nodes = st.builds(NodeOfTerm, st.sampled_from(["a@b", "x@y.z"]).map(heap.atoms.make), U32)
    return st.one_of(
        st.builds(Pid, st.integers(0, (1 << number_bits) - 1), st.integers(0, (1 << serial_bits) - 1)),
        st.builds(Port, st.integers(0, (1 << port_bits) - 1)),
        st.builds(Reference, st.tuples(U32, U32, U32)),
        st.builds(Pid, U32, U32, nodes),
        st.builds(Port, st.integers(0, (1 << 64) - 1), nodes),
        st.builds(Reference, st.one_of(st.tuples(U32, U32, U32), st.tuples(U32, U32, U32, U32, U32)), nodes),
    )


def funs(heap: Heap) -> st.SearchStrategy[Value]:
    names = atoms(heap.atoms)
    small, int32 = st.integers(0, 255), st.integers(-(1 << 31), (1 << 31) - 1)
    return st.one_of(st.builds(Fun, names, int32, int32, small, small), st.builds(ExternalFun, names, names, small))


def _map(pairs: Sequence[tuple[Value, Value]]) -> Map:
    return Map(tuple(pairs), len(pairs))


def _list(elements: list[Value], tail: Value | None) -> Value:
    """An improper tail counts only after an element, and only if it is no list itself."""
    return List(tuple(elements), None if not elements or isinstance(tail, List) else tail)


def containers(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    elements = st.lists(inner, max_size=6)
    return st.one_of(
        elements.map(lambda items: Tuple(tuple(items))),
        st.builds(_list, elements, st.one_of(st.none(), st.none(), inner)),
        st.text(max_size=12).map(lambda text: List(tuple(map(ord, text)))),
        st.lists(st.tuples(inner, inner), max_size=5).map(_map),
        st.lists(st.tuples(st.integers(0, 99), inner), min_size=33, max_size=40).map(_map),
    )


def native_records(heap: Heap, inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """Field names are different ones."""
    names = atoms(heap.atoms)
    fields = st.lists(st.tuples(names, inner), max_size=5, unique_by=lambda field: field[0].index).map(tuple)
    return st.builds(NativeRecord, names, names, fields)


def terms(heap: Heap) -> st.SearchStrategy[Value]:
    """Any term, for a heap of some release and word size."""
    floats = st.floats(allow_nan=False, allow_infinity=False)
    leaves: st.SearchStrategy[Value] = st.one_of(
        integers(), floats, atoms(heap.atoms), bitstrings(heap.release), identifiers(heap), funs(heap)
    )
    if heap.release < 29:
        return st.recursive(leaves, containers, max_leaves=25)
    return st.recursive(leaves, lambda inner: containers(inner) | native_records(heap, inner), max_leaves=25)
