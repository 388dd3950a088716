"""Random terms of every kind that a .beam file can hold."""

from __future__ import annotations

from hypothesis import strategies as st

from jit.beam.terms import NIL, Atom, Bitstring, ExternalFun, List, Map, Term, Tuple

characters = st.characters(blacklist_categories=["Cs"])
atoms = st.builds(Atom, st.text(characters, max_size=8) | st.sampled_from(["ok", "fun", "a b", "'", "\\", "x" * 255]))
integers = st.integers(-300, 300) | st.integers(-(2**70), 2**70) | st.integers(-(2**3000), 2**3000)
floats = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def bitstrings(draw: st.DrawFn) -> Bitstring:
    data = draw(st.binary(max_size=5) | st.sampled_from([b"text", b'"\\\n']))
    unused = draw(st.integers(0, 7)) if data else 0
    cleared = data[:-1] + bytes((data[-1] >> unused << unused,)) if data else data
    return Bitstring(cleared, 8 * len(data) - unused)


def _list(elements: list[Term], tail: Term | None) -> List:
    """A list as the external format has it: no list is a tail, and no tail is without elements."""
    return List(tuple(elements), None if isinstance(tail, List) or not elements else tail)


def _containers(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    several = st.lists(inner, max_size=4)
    keys = st.lists(integers, max_size=4, unique=True).map(sorted)  # in the order that Erlang writes them
    return st.one_of(
        st.builds(_list, several, st.none() | inner),
        st.builds(lambda text: List(tuple(text)), st.binary(max_size=6)),
        several.map(lambda elements: Tuple(tuple(elements))),
        st.builds(lambda keys, values: Map(tuple(zip(keys, values))), keys, st.lists(inner, min_size=4, max_size=4)),
    )


external_funs = st.builds(ExternalFun, atoms, atoms, st.integers(0, 255))
terms: st.SearchStrategy[Term] = st.recursive(
    st.one_of(integers, floats, atoms, bitstrings(), external_funs, st.just(NIL)), _containers, max_leaves=12
)
