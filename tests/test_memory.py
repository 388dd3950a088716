"""The cached reader must give exactly what plain reads give, with fewer of them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamgdb.memory import READ_LIMIT, BytesMemory, CachedMemory, Unreadable
from jit.object.target import ByteOrder

BASE = 0x1000


def outcome(read: Callable[[int, int], bytes], address: int, size: int) -> bytes | type[Unreadable]:
    """The result of a read, or the fact that it was refused."""
    try:
        return read(address, size)
    except Unreadable:
        return Unreadable


@given(
    segments=st.dictionaries(st.integers(0, 12).map(lambda i: BASE + 16 * i), st.binary(min_size=1, max_size=16)),
    reads=st.lists(st.tuples(st.integers(BASE - 20, BASE + 230), st.integers(0, 80)), max_size=30),
)
def test_cached_reads_equal_plain_ones_around_holes(segments: dict[int, bytes], reads: list[tuple[int, int]]) -> None:
    plain = BytesMemory(segments)
    cached = CachedMemory(plain, block=32)
    for at, (address, size) in enumerate(reads):
        if at % 3 == 1:
            cached.ahead((start, start + length) for start, length in reads[at:])
        assert outcome(cached.read, address, size) == outcome(plain.read, address, size)


@given(
    data=st.binary(min_size=200, max_size=300),
    offset=st.integers(0, 150),
    word_size=st.sampled_from([4, 8]),
    byteorder=st.sampled_from(["little", "big"]),
)
def test_integers(data: bytes, offset: int, word_size: int, byteorder: ByteOrder) -> None:
    memory = CachedMemory(BytesMemory({BASE: data}, word_size, byteorder), block=32)
    at = BASE + offset

    def plain(size: int, signed: bool = False, skip: int = 0) -> int:
        return int.from_bytes(data[offset + skip :][:size], byteorder, signed=signed)

    for _ in range(2):  # first from memory, then from the cache
        assert memory.word(at) == plain(word_size)
        assert memory.pair(at) == (plain(word_size), plain(word_size, skip=word_size))
        assert memory.words(at, 3) == tuple(plain(word_size, skip=i * word_size) for i in range(3))
        assert (memory.u8(at), memory.u16(at), memory.u32(at), memory.u64(at)) == tuple(map(plain, (1, 2, 4, 8)))
        assert memory.s32(at) == plain(4, signed=True)


def test_neighbouring_reads_cost_one_request_until_forgotten() -> None:
    source = bytearray(range(256)) * 32
    below = BytesMemory({0x10000: bytes(source)})
    memory = CachedMemory(below)
    for offset in range(0, 4000, 8):
        memory.word(0x10000 + offset)
    assert memory.reads == 1
    memory.read(0x10000, 8192)
    assert memory.reads == 2
    memory.forget()
    memory.word(0x10000)
    assert memory.reads == 3


def test_a_changed_target_shows_after_forget() -> None:
    below = BytesMemory({0: bytes(4096)})
    memory = CachedMemory(below)
    assert memory.word(8) == 0
    memory.memory = BytesMemory({0: b"\1" * 4096})
    assert memory.word(8) == 0
    memory.forget()
    assert memory.word(8) == 0x0101010101010101


def test_repeated_refusals_are_remembered() -> None:
    memory = CachedMemory(BytesMemory({}))
    for _ in range(100):
        with pytest.raises(Unreadable):
            memory.word(0xDEAD0)
    assert memory.reads == 2


def test_memory_that_is_mapped_later_is_read_after_forget() -> None:
    """A part of a block, whole blocks, and several of them: a refusal holds no longer than what was read."""
    memory = CachedMemory(BytesMemory({}))
    requests = [(0x5008, 8), (0x5000, 0x1000), (0x4000, 0x3000)]
    for address, size in requests:
        with pytest.raises(Unreadable):
            memory.read(address, size)
    memory.memory = BytesMemory({0x5000: b"\1" * 64})
    memory.forget()
    assert memory.word(0x5008) == 0x0101010101010101
    memory.memory = BytesMemory({0x4000: b"\2" * 0x3000})
    memory.forget()
    for address, size in requests:
        assert memory.read(address, size) == b"\2" * size
    memory.reads = 0
    assert memory.word(0x5010) == 0x0202020202020202
    assert memory.reads == 0, "a block that could not be read is kept again"


@pytest.mark.parametrize("word_size", [4, 8])
@pytest.mark.parametrize("size", [1, 4, 16, 300_000])
def test_the_last_bytes_of_the_address_space(word_size: int, size: int) -> None:
    end = 1 << 8 * word_size
    content = bytes(range(250)) * 2000
    memory = CachedMemory(BytesMemory({end - len(content): content}, word_size))
    assert memory.read(end - size, size) == content[-size:]
    assert memory.word(end - word_size) == int.from_bytes(content[-word_size:], "little")
    assert memory.pair(end - 2 * word_size)[1] == memory.word(-word_size)
    with pytest.raises(Unreadable):
        memory.read(end - size, size + 1)


@pytest.mark.parametrize(("address", "size"), [(0, -1), (0, READ_LIMIT + 1), ((1 << 64) - 4, 8)])
def test_absurd_requests_never_reach_memory(address: int, size: int) -> None:
    memory = CachedMemory(BytesMemory({0: bytes(64)}))
    with pytest.raises(Unreadable):
        memory.read(address, size)
    assert memory.reads == 0
    with pytest.raises(Unreadable):
        memory.words(0, READ_LIMIT)


def test_addresses_wrap_as_pointers_do() -> None:
    memory = CachedMemory(BytesMemory({16: b"abcd"}, word_size=4))
    assert memory.read((1 << 32) + 16, 4) == b"abcd"
    assert memory.read(16 - (1 << 32), 4) == b"abcd"


@pytest.mark.parametrize("length", [0, 1, 31, 32, 63, 100])
def test_cstrings_of_any_length(length: int) -> None:
    memory = CachedMemory(BytesMemory({BASE + 5: b"x" * length + b"\0rest"}), block=32)
    assert memory.cstring(BASE + 5) == b"x" * length
    assert memory.cstring(BASE + 5, limit=40) == b"x" * min(length, 40)


def test_a_cstring_that_ends_just_before_a_hole() -> None:
    memory = CachedMemory(BytesMemory({BASE + 30: b"abc\0"}), block=32)
    assert memory.cstring(BASE + 30) == b"abc"
    memory = CachedMemory(BytesMemory({BASE + 30: b"abcd"}), block=32)
    with pytest.raises(Unreadable) as trouble:
        memory.cstring(BASE + 30)
    assert trouble.value.address == BASE + 34


def test_a_large_read_is_passed_on_whole() -> None:
    memory = CachedMemory(BytesMemory({0: bytes(1 << 20)}))
    assert memory.read(100, 1_000_000) == bytes(1_000_000)
    assert memory.reads == 1


def test_words_where_something_is() -> None:
    memory = CachedMemory(BytesMemory({0x1000: bytes(64) + b"\1" + bytes(63)}))
    assert memory.used_words(0x1000, 8) == ()
    assert memory.used_words(0x1000, 16) == memory.words(0x1000, 16) == (0,) * 8 + (1,) + (0,) * 7
    with pytest.raises(Unreadable):
        memory.used_words(0x1000, 17)


def test_block_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match="power of two"):
        CachedMemory(BytesMemory({}), block=100)


def test_what_is_read_ahead_costs_few_requests() -> None:
    memory = CachedMemory(BytesMemory({0x10000: bytes(1 << 20)}))
    wanted = [(start, start + 100) for start in range(0x10000 + 4000, 0x110000 - 4096, 8192)]
    memory.ahead(wanted)
    before = memory.reads
    assert before <= 2
    assert all(memory.read(start, end - start) == bytes(100) for start, end in wanted)
    assert memory.reads == before
