"""Damaged real files: read, or refused with a BeamError; nothing else. ``BEAM_FUZZ_SEED`` and ``_ROUNDS`` widen it."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from functools import cache

import pytest

from jit.beam.chunks import read_chunks, write_chunks
from jit.beam.effects import effects
from jit.beam.errors import BeamError
from jit.beam.literals import encode_literals
from jit.beam.module import decode_module
from jit.beam.tables import encode_atoms
from jit.beam.text import operation_text, term_text
from tests.beam.sound_files import SAMPLE, all_files

pytestmark = pytest.mark.skipif(not all_files(), reason="Erlang is not installed")

SEED = int(os.environ.get("BEAM_FUZZ_SEED", "1"))
ROUNDS = int(os.environ.get("BEAM_FUZZ_ROUNDS", "700"))

#: Bytes of Code chunk: enough for every kind of operand, and quickly read.
SMALL = range(300, 4000)
IGNORED = ("Dbgi", "Docs", "ExCk", "CInf")


@cache
def victims() -> list[dict[str, bytes]]:
    """Chunks of small real files: half of them in the forms of OTP 28, whose literals damage can reach."""
    found: list[dict[str, bytes]] = []
    for path in all_files()[:: max(1, len(all_files()) // 150)] + tuple(p for p in all_files() if p.stem in SAMPLE):
        data = path.read_bytes()
        chunks = {chunk.name: chunk.data for chunk in read_chunks(data, path.name) if chunk.name not in IGNORED}
        if len(chunks["Code"]) not in SMALL:
            continue
        if len(found) % 2:
            module = decode_module(data, path.name)
            chunks["AtU8"] = encode_atoms(module.atoms, long_lengths=True)
            module.literals.compressed, module.literals.encoded = False, b""
            chunks["LitT"] = encode_literals(module.literals)
        found.append(chunks)
    return found


def flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]


def replace(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    new = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", b"\xf8", b"\x17", b"\x47", b"\x57", rng.randbytes(4)))
    return data[:at] + new + data[at + len(new) :]


def remove(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 2, 5, len(data))) :]


def insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.choice((rng.randbytes(1), rng.randbytes(9), data[at : at + 20], b"\xf8" * 5000)) + data[at:]


def check(data: bytes) -> bool:
    """Read a file, and say all of it that there is to be said. Whether it can be read."""
    start = time.perf_counter()
    try:
        module = decode_module(data, "damaged.beam")
    except BeamError as error:
        message = str(error)
        assert message.startswith("damaged.beam: ")
        assert message.isprintable()
        assert len(message) < 500
        return False
    finally:
        assert time.perf_counter() - start < 2
    for function in module.functions:
        for operation in function.operations:
            assert operation_text(operation)
            effects(operation)
    for term in (module.attributes, module.meta):
        assert term is None or term_text(term)
    return True


@pytest.mark.parametrize("damage", [flip, replace, remove, insert])
def test_damage_within_a_chunk(damage: Callable[[bytes, random.Random], bytes]) -> None:
    rng = random.Random(f"{SEED} {damage.__name__}")
    sound = 0
    for _ in range(ROUNDS):
        chunks = dict(rng.choice(victims()))
        for _ in range(rng.choice((1, 1, 1, 4))):
            name = rng.choice(("Code", "Code", *chunks))
            chunks[name] = damage(chunks[name] or b"\0", rng)
        sound += check(write_chunks(chunks.items()))
    assert 0 < sound < ROUNDS * 0.9


@pytest.mark.parametrize("damage", [flip, replace, remove, insert])
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
