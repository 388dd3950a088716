"""What is encoded as OTP lays it out must decode to itself."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beamgdb.terms.source import Limits
from beamgdb.terms.values import List, Map, Tuple, Value
from jit.object.target import ByteOrder
from tests.terms.heap_encoder import Heap
from tests.terms.term_strategies import terms

ALL = Limits(depth=100, width=10_000, bytes=100_000, nodes=1_000_000)
FLAVOURS = [
    (25, 8, "little"), (25, 4, "little"), (27, 8, "little"), (27, 4, "little"), (25, 8, "big"), (27, 4, "big"),
    (29, 8, "little"), (29, 4, "little"),
]  # fmt: skip


def same(a: Value, b: Value) -> bool:
    """Equal, where 1 and 1.0 differ, and -0.0 and 0.0."""
    return repr(a) == repr(b)


@pytest.mark.parametrize(("release", "word_size", "byteorder"), FLAVOURS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_terms_round_trip(release: int, word_size: int, byteorder: ByteOrder, data: st.DataObject) -> None:
    heap = Heap(release, word_size, byteorder)
    value = data.draw(terms(heap))
    assert same(heap.decoded(heap.term(value), ALL), value)


@pytest.mark.parametrize(("release", "word_size", "byteorder"), FLAVOURS)
@pytest.mark.parametrize("size", [0, 1, 32, 33, 100, 256, 3000])
def test_maps_of_all_sizes_keep_their_order(release: int, word_size: int, byteorder: ByteOrder, size: int) -> None:
    heap = Heap(release, word_size, byteorder)
    value = Map(tuple((i, List((i, -i))) for i in range(size)), size)
    assert heap.decoded(heap.term(value), ALL) == value


@pytest.mark.parametrize("release", [25, 27, 29])
def test_a_term_as_deep_as_the_limit(release: int) -> None:
    heap = Heap(release)
    value: Value = 1
    for _ in range(99):
        value = Tuple((value,))
    assert heap.decoded(heap.term(value), ALL) == value
