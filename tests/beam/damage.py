"""Damage to real .beam files: to bytes, to chunks, and to operations, which the file then tells soundly."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

from jit.beam.chunks import read_chunks, write_chunks
from jit.beam.literals import encode_literals
from jit.beam.module import Module, decode_module, encode_module
from jit.beam.operands import Allocation, BeamLabel, FloatRegister, Integer, Literal, Typed, X, Y
from jit.beam.operations import Operation
from jit.beam.tables import decode_atoms, encode_atoms
from jit.beam.terms import NIL, Atom
from tests.beam.sound_files import SAMPLE, all_files

#: Bytes of Code chunk: enough for every kind of operand, and quickly read.
SMALL: Final = range(300, 4000)
IGNORED: Final = ("Dbgi", "Docs", "ExCk")

Chunks = dict[str, bytes]


@cache
def victims() -> list[Chunks]:
    """Chunks of small real files: half of them in the forms of OTP 28, whose literals damage can reach."""
    found: list[Chunks] = []
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


def renamed(data: bytes, name: str) -> bytes:
    """A file that says its module has another name, be it one that compilers refuse."""
    chunks = {chunk.name: chunk for chunk in read_chunks(data, "sound.beam")}
    atoms = encode_atoms([name, *decode_atoms(chunks["AtU8"])[1:]])
    return write_chunks({**{chunk.name: chunk.data for chunk in chunks.values()}, "AtU8": atoms}.items())


# -- bytes -------------------------------------------------------------------------------------------------------------


def flip(data: bytes, rng: random.Random) -> bytes:
    """Another bit."""
    at = rng.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]


def overwrite(data: bytes, rng: random.Random) -> bytes:
    """Other bytes: those that mean much in one format or another, or any."""
    at = rng.randrange(len(data))
    new = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", b"\xf8", b"\x17", b"\x47", b"\x57", rng.randbytes(4)))
    return data[:at] + new + data[at + len(new) :]


def remove(data: bytes, rng: random.Random) -> bytes:
    """Fewer bytes, or only those before a place."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 2, 5, len(data))) :]


def insert(data: bytes, rng: random.Random) -> bytes:
    """More bytes."""
    at = rng.randrange(len(data))
    return data[:at] + rng.choice((rng.randbytes(1), rng.randbytes(9), data[at : at + 20], b"\xf8" * 5000)) + data[at:]


BYTES: Final = (flip, overwrite, remove, insert)


def bytes_of_chunks(rng: random.Random) -> bytes:
    """A file some of whose chunks are damaged."""
    chunks = dict(rng.choice(victims()))
    for _ in range(rng.choice((1, 1, 1, 4))):
        name = rng.choice(("Code", "Code", *chunks))
        chunks[name] = rng.choice(BYTES)(chunks[name] or b"\0", rng)
    return write_chunks(chunks.items())


# -- chunks ------------------------------------------------------------------------------------------------------------


def spliced(rng: random.Random) -> bytes:
    """A file with chunks of another, with some left out, or in another order."""
    chunks, others = dict(rng.choice(victims())), rng.choice(victims())
    for name in rng.sample(sorted(others), rng.randrange(1, 4)):
        chunks[name] = others[name]
    if not rng.randrange(3):
        chunks.pop(rng.choice(sorted(chunks)))
    rows = list(chunks.items())
    rng.shuffle(rows)
    return write_chunks(rows)


def words_of_tables(rng: random.Random) -> bytes:
    """A file with other numbers in its tables of words: labels, arities, indices, counts."""
    chunks = dict(rng.choice(victims()))
    name = rng.choice([name for name in ("ExpT", "LocT", "FunT", "ImpT", "Line", "Type", "Code") if name in chunks])
    data = chunks[name]
    at = 4 * rng.randrange(min(len(data) // 4, 5 if name in ("Code", "Line", "Type") else 1 << 20))
    old = int.from_bytes(data[at : at + 4], "big")
    new = rng.choice((0, 1, old + 1, old - 1, 2 * old, 255, 256, 1 << 20, 1 << 31, (1 << 32) - 1)) % (1 << 32)
    chunks[name] = data[:at] + new.to_bytes(4, "big") + data[at + 4 :]
    return write_chunks(chunks.items())


# -- operations --------------------------------------------------------------------------------------------------------


def operations(rng: random.Random) -> bytes:
    """A file that is sound as such, but has operations that no compiler makes."""
    while True:
        module = decode_module(write_chunks(rng.choice(victims()).items()), "victim.beam")
        for _ in range(rng.choice((1, 1, 1, 3))):
            function = rng.choice(module.functions)
            rng.choice(_CHANGES)(function.operations, module, rng)
        try:
            return encode_module(module)
        except (ValueError, struct.error):  # not every change can be written
            continue


def _operand(own: list[Operation], module: Module, rng: random.Random) -> None:
    """Another operand."""
    at = rng.randrange(len(own))
    operands: list[Any] = list(own[at].operands)
    if not operands:
        return
    index = rng.randrange(len(operands))
    if isinstance(operands[index], tuple) and operands[index]:
        elements = list(operands[index])
        inner = rng.randrange(len(elements))
        elements[inner] = _other(elements[inner], module, rng)
        operands[index] = tuple(elements)
    else:
        operands[index] = _other(operands[index], module, rng)
    own[at] = replace(own[at], operands=tuple(operands))


def _other(operand: Any, module: Module, rng: random.Random) -> Any:
    """Another operand, of the same kind mostly."""
    numbers = (0, 1, 2, 15, 16, 127, 255, 256, 1023, 1024, 65535, 1 << 27, 1 << 31, (1 << 32) - 1, (1 << 64) - 1)
    kind = type(operand) if rng.randrange(4) else rng.choice((int, X, Y, BeamLabel, Integer, Atom, Literal, tuple))
    if kind is int:
        return rng.choice((*numbers, module.code.label_count - 1, module.code.label_count))
    if kind in (X, Y, FloatRegister):
        return kind(rng.choice((0, 1, 15, 16, 255, 256, 1022, 1023)))
    if kind is Typed:
        register: X | Y = rng.choice((X, Y))(rng.choice((0, 3, 1023)))
        return Typed(register, operand.type)
    if kind is BeamLabel:
        return BeamLabel(rng.choice((0, 1, 2, module.code.label_count - 1, rng.randrange(module.code.label_count))))
    if kind is Integer:
        return Integer(rng.choice((-1, *numbers, -(1 << 27), -(1 << 63), 1 << 200)))
    if kind is Atom:
        return Atom(rng.choice(module.atoms))
    if kind is Allocation:
        return Allocation(rng.choice(numbers), rng.choice(numbers), rng.choice(numbers))
    if kind is Literal and module.literals.literals:
        return rng.choice(module.literals.literals)
    return rng.choice(((), NIL, (Atom("x"), Integer(1), BeamLabel(1))))


def _drop(own: list[Operation], _module: Module, rng: random.Random) -> None:
    """An operation less: a label too."""
    del own[rng.randrange(len(own))]


def _swap(own: list[Operation], _module: Module, rng: random.Random) -> None:
    """Two operations in each other's places."""
    one, other = rng.randrange(len(own)), rng.randrange(len(own))
    own[one], own[other] = own[other], own[one]


def _again(own: list[Operation], _module: Module, rng: random.Random) -> None:
    """An operation a second time, somewhere."""
    own.insert(rng.randrange(len(own)), rng.choice(own))


def _foreign(own: list[Operation], module: Module, rng: random.Random) -> None:
    """An operation of another function."""
    own.insert(rng.randrange(len(own)), rng.choice(rng.choice(module.functions).operations))


_CHANGES: Final[tuple[Callable[[list[Operation], Module, random.Random], None], ...]] = (
    _operand, _operand, _operand, _operand, _drop, _swap, _again, _foreign,
)  # fmt: skip

#: All ways to make a damaged file.
KINDS: Final = (bytes_of_chunks, spliced, words_of_tables, operations, operations)
