"""Damaged real files: read, or refused with a BeamError; nothing else. ``BEAM_FUZZ_SEED`` and ``_ROUNDS`` widen it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count

import pytest

from jit.beam.chunks import write_chunks
from jit.beam.effects import effects
from jit.beam.errors import BeamError
from jit.beam.module import decode_module
from jit.beam.text import operation_text, term_text
from tests.beam.damage import BYTES, KINDS, victims
from tests.beam.sound_files import all_files
from tests.harness.work import calls

pytestmark = pytest.mark.skipif(not all_files(), reason="Erlang is not installed")

SEED = int(os.environ.get("BEAM_FUZZ_SEED", "1"))
ROUNDS = int(os.environ.get("BEAM_FUZZ_ROUNDS", "700"))

#: Most function calls for a byte of a file.
MOST_WORK = 20
#: Counting them takes several times as long as reading: only one in so many files has them counted.
COUNTED = 8
#: Numbers the files.
checked = count()


def suppressed(read: Callable[[], object]) -> None:
    with suppress(BeamError):
        read()


def check(data: bytes) -> bool:
    """Read a file, and say all of it that there is to be said. Whether it can be read."""
    read = partial(decode_module, data, "damaged.beam")
    if next(checked) % COUNTED == 0:
        assert calls(partial(suppressed, read)) < MOST_WORK * (len(data) + 100)
    try:
        module = read()
    except BeamError as error:
        message = str(error)
        assert message.startswith("damaged.beam: ")
        assert message.isprintable()
        assert len(message) < 500
        return False
    for function in module.functions:
        for operation in function.operations:
            assert operation_text(operation)
            effects(operation)
    for term in (module.attributes, module.meta):
        assert term is None or term_text(term)
    return True


@pytest.mark.parametrize("kind", dict.fromkeys(KINDS))
def test_damage(kind: Callable[[random.Random], bytes]) -> None:
    rng = random.Random(f"{SEED} {kind.__name__}")
    sound = sum(check(kind(rng)) for _ in range(ROUNDS))
    assert 0 < sound < ROUNDS * 0.95


@pytest.mark.parametrize("damage", BYTES)
def test_damage_anywhere(damage: Callable[[bytes, random.Random], bytes]) -> None:
    rng = random.Random(f"{SEED} anywhere {damage.__name__}")
    for _ in range(ROUNDS // 4):
        check(damage(write_chunks(rng.choice(victims()).items()), rng))


def test_every_chunk_left_out_or_twice() -> None:
    for chunks in victims()[:6]:
        for name in chunks:
            check(write_chunks((other, data) for other, data in chunks.items() if other != name))
            with pytest.raises(BeamError, match=f"chunk {name}: the chunk is there twice"):
                decode_module(write_chunks([*chunks.items(), (name, chunks[name])]), "damaged.beam")


def test_cut_anywhere() -> None:
    data = write_chunks(min(victims(), key=lambda chunks: len(chunks["Code"])).items())
    for end in range(0, len(data), 3):
        assert not check(data[:end])
