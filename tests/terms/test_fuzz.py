"""Garbage in, text out: no exception, bounded text, bounded work. `BEAMGDB_FUZZ_SEED` and `_ROUNDS` widen it."""

import os
import random
from functools import partial
from itertools import count

import pytest

from beamgdb.terms.decode import TermDecoder
from beamgdb.terms.source import Limits
from beamgdb.terms.text import term_text
from beamgdb.terms.values import (
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
)
from jit.otp.tags import tag_scheme
from tests.harness.work import calls
from tests.terms.heap_encoder import FIELDS, AtomTable, Heap, TestLayout

SEED = int(os.environ.get("BEAMGDB_FUZZ_SEED", "1"))
ROUNDS = int(os.environ.get("BEAMGDB_FUZZ_ROUNDS", "40"))
LIMITS = Limits(depth=20, width=50, bytes=200, nodes=400)
WORDS = 400

#: The most text that LIMITS allow: every term is at most a string or binary of escaped bytes, or a long name.
LONGEST = LIMITS.nodes * (5 * LIMITS.bytes + 200)
#: Most function calls for a word.
MOST_WORK = 60 * LIMITS.nodes
#: Counting them takes several times as long as decoding: only one in so many words has them counted.
COUNTED = 8

#: Numbers the words.
checked = count()


def plausible_word(rng: random.Random, heap: Heap) -> int:
    """A word with a taste for pointers into the heap, small headers and the tags of immediates."""
    bits = 8 * heap.word_size
    choice = rng.randrange(8)
    inside = heap.base + heap.word_size * rng.randrange(WORDS)
    if choice < 3:
        return inside | rng.choice((0, 1, 2))
    if choice == 3:
        return rng.randrange(12) << 6 | rng.randrange(16) << 2
    if choice == 4:
        return rng.choice((0, 0x3B, inside << 6 | rng.choice((0x0B, 0x1B, 0x2B, 0x3B)))) & ((1 << bits) - 1)
    if choice == 5:
        return rng.randrange(1 << 16) << 4 | rng.choice((0x3, 0x7, 0xF))
    if choice == 6:
        return rng.randrange(1 << 16) << 16 | 1 << 8 | rng.randrange(4) << 6 | rng.choice((0x2C, 0x3C))
    return rng.getrandbits(bits)


def random_heap(rng: random.Random, release: int, word_size: int) -> tuple[Heap, TermDecoder]:
    heap = Heap(release, word_size, rng.choice(("little", "big")))
    heap.put_words(*[plausible_word(rng, heap) for _ in range(WORDS)])
    for name in ("a", "with\x1b[31mescape", "x" * 255, "\udcff"):
        heap.atoms.make(name)
    fields = FIELDS if rng.randrange(4) else {}
    return heap, heap.decoder(TestLayout(fields))


@pytest.mark.parametrize("release", [25, 27, 29])
@pytest.mark.parametrize("word_size", [4, 8])
def test_random_heaps(release: int, word_size: int) -> None:
    rng = random.Random(f"{SEED} {release} {word_size}")
    for _ in range(ROUNDS):
        heap, decoder = random_heap(rng, release, word_size)
        words = [heap.base + heap.word_size * i | rng.choice((1, 2)) for i in range(WORDS)]
        words += [plausible_word(rng, heap) for _ in range(WORDS)]
        for word in words:
            check(decoder, word)


def check(decoder: TermDecoder, word: int) -> None:
    text = shown(decoder, word)
    if next(checked) % COUNTED == 0:
        assert calls(partial(shown, decoder, word)) < MOST_WORK, hex(word)
    assert len(text) <= LONGEST
    assert not any(character < " " or "\x7f" <= character < "\xa0" for character in text), repr(text)
    text.encode()


def shown(decoder: TermDecoder, word: int) -> str:
    return term_text(decoder.decode(word, LIMITS))


@pytest.mark.parametrize("release", [25, 27, 29])
@pytest.mark.parametrize("word_size", [4, 8])
def test_random_words_without_memory(release: int, word_size: int) -> None:
    rng = random.Random(f"{SEED} words {release} {word_size}")
    memory = Heap(release, word_size).memory()
    decoder = TermDecoder(memory, tag_scheme(release, word_size), TestLayout(), AtomTable())
    for _ in range(ROUNDS * 500):
        check(decoder, rng.getrandbits(8 * word_size))


@pytest.mark.parametrize("release", [25, 27, 29])
def test_bit_flips_in_sound_heaps(release: int) -> None:
    """A sound heap with one broken bit, read through all its boxed and list pointers."""
    rng = random.Random(f"{SEED} flips {release}")
    heap = Heap(release)
    atom = heap.atoms.make("ok")
    node = NodeOfTerm(atom, 7)
    value = Tuple((
        atom, 1 << 100, -1.5, List(tuple(b"text")), List((1, atom), 2), Bitstring(b"bytes", 40, "refc"),
        Bitstring(b"bytes", 40, "heap"), Bitstring(b"bytes", 40, "writable"), Pid(1, 2, node), Port(3, node),
        Reference((1, 2, 3)), Reference((1, 2, 3), node), Fun(atom, 1, 2, 3, 0), ExternalFun(atom, atom, 1),
        Map(((1, 2), (3, 4)), 2), Map(tuple((i, i) for i in range(50)), 50),
        *([NativeRecord(atom, atom, ((atom, 1), (heap.atoms.make("b"), 2)))] if release == 29 else []),
    ))  # fmt: skip
    word = heap.term(value)
    sound = bytes(heap.data)
    for _ in range(ROUNDS * 50):
        heap.data[:] = sound
        heap.data[rng.randrange(len(sound))] ^= 1 << rng.randrange(8)
        check(heap.decoder(), word)
