"""The small tables of a .beam file: atoms, imports, exports, local functions, funs (beam_asm.erl, beam_file.c)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from jit.beam import compact
from jit.beam.chunks import Chunk
from jit.beam.compact import Tag
from jit.beam.operands import Import, Lambda
from jit.otp.code import MAX_ARG

_LONGEST_ATOM = 255
_ENTRY = struct.Struct(">III")
_LAMBDA = struct.Struct(">IIIIII")


@dataclass(frozen=True)
class FunctionEntry:
    """A function in the export table or in that of local functions: ``label`` is its entry."""

    function: str
    arity: int
    label: int


def decode_atoms(chunk: Chunk) -> list[str]:
    """The atoms of an AtU8 chunk, or of an Atom chunk (Latin-1, until OTP 20). The first is the module's name.

    A count below zero says that lengths are compact terms (OTP 28 and later), else they are bytes. Raises BeamError.
    """
    data = chunk.data
    count = int.from_bytes(data[:4], "big", signed=True)
    encoding = "latin-1" if chunk.name == "Atom" else "utf-8"
    chunk.check_count(0, abs(count), "atoms")
    at = 4
    names: list[str] = []
    while len(names) < abs(count):
        length, start = _long_length(chunk, at) if count < 0 else _short_length(chunk, at)
        end = start + length
        if end > len(data):
            raise chunk.error(at, f"an atom of {length} bytes expected, {len(data) - start} are left")
        try:
            name = data[start:end].decode(encoding)
        except UnicodeDecodeError:
            raise chunk.error(start, "an atom in UTF-8 expected") from None
        if len(name) > _LONGEST_ATOM:
            raise chunk.error(start, f"an atom of {len(name)} characters: {_LONGEST_ATOM} are the most")
        names.append(name)
        at = end
    _check_end(chunk, at, f"{abs(count)} atoms")
    if not names:
        raise chunk.error(0, "an atom expected at least, the module's name")
    return names


def _short_length(chunk: Chunk, at: int) -> tuple[int, int]:
    if at >= len(chunk.data):
        raise chunk.error(at, "the length of an atom expected, but the data ends")
    return chunk.data[at], at + 1


def _long_length(chunk: Chunk, at: int) -> tuple[int, int]:
    try:
        tag, length, start = compact.decode(chunk.data, at)
    except compact.DecodeError as error:
        raise chunk.error(error.offset, str(error)) from None
    if tag != Tag.UNSIGNED:
        raise chunk.error(at, f"the length of an atom with tag u expected, not tag {compact.tag_letter(tag)}")
    return length, start


def encode_atoms(names: Sequence[str], *, long_lengths: bool = False) -> bytes:
    """The data of an AtU8 chunk; with *long_lengths* as by OTP 28 and later, who read both.

    Raises ValueError for a name of more than 255 bytes without *long_lengths*.
    """
    out = bytearray((-len(names) if long_lengths else len(names)).to_bytes(4, "big", signed=True))
    for name in names:
        text = name.encode()
        if not long_lengths and len(text) > 255:
            raise ValueError(f"the atom {name!r} has more than 255 bytes, which only OTP 28 and later can read")
        out += compact.encode(Tag.UNSIGNED, len(text)) if long_lengths else bytes((len(text),))
        out += text
    return bytes(out)


def decode_imports(chunk: Chunk, atoms: Sequence[str]) -> list[Import]:
    """The functions of an ImpT chunk. Raises BeamError."""
    imports = []
    for at, (module, function, arity) in _rows(chunk, _ENTRY):
        name = _atom(chunk, at, atoms, module), _atom(chunk, at + 4, atoms, function)
        imports.append(Import(*name, _arity(chunk, at + 8, arity)))
    return imports


def encode_imports(imports: Sequence[Import], atom: Callable[[str], int]) -> bytes:
    """The data of an ImpT chunk; *atom* gives the index of an atom, from 1 on."""
    return _encoded(_ENTRY.pack(atom(row.module), atom(row.function), row.arity) for row in imports)


def decode_entries(chunk: Chunk, atoms: Sequence[str]) -> list[FunctionEntry]:
    """The functions of an ExpT or LocT chunk. Raises BeamError."""
    return [
        FunctionEntry(_atom(chunk, at, atoms, function), _arity(chunk, at + 4, arity), label)
        for at, (function, arity, label) in _rows(chunk, _ENTRY)
    ]


def encode_entries(entries: Sequence[FunctionEntry], atom: Callable[[str], int]) -> bytes:
    """The data of an ExpT or LocT chunk; *atom* gives the index of an atom, from 1 on."""
    return _encoded(_ENTRY.pack(atom(row.function), row.arity, row.label) for row in entries)


def decode_lambdas(chunk: Chunk, atoms: Sequence[str]) -> list[Lambda]:
    """The funs of a FunT chunk. Raises BeamError."""
    lambdas = []
    for at, (function, arity, *rest) in _rows(chunk, _LAMBDA):
        label, index, free, old_uniq = rest
        own = _atom(chunk, at, atoms, function), _arity(chunk, at + 4, arity)
        lambdas.append(Lambda(*own, label, index, _arity(chunk, at + 16, free), old_uniq))
    return lambdas


def encode_lambdas(lambdas: Sequence[Lambda], atom: Callable[[str], int]) -> bytes:
    """The data of a FunT chunk; *atom* gives the index of an atom, from 1 on."""
    return _encoded(
        _LAMBDA.pack(atom(row.function), row.arity, row.label, row.index, row.free, row.old_uniq) for row in lambdas
    )


def _rows(chunk: Chunk, row: struct.Struct) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The rows of a table that begins with their count, each with its offset."""
    data = chunk.data
    if len(data) < 4:
        raise chunk.error(0, "a count of 32 bits expected")
    count = int.from_bytes(data[:4], "big")
    chunk.check_count(0, count, "entries")
    if len(data) - 4 != count * row.size:
        raise chunk.error(4, f"{count} entries of {row.size} bytes expected, but there are {len(data) - 4} bytes")
    return zip(range(4, len(data), row.size), row.iter_unpack(data[4:]))


def _encoded(rows: Iterable[bytes]) -> bytes:
    packed = list(rows)
    return len(packed).to_bytes(4, "big") + b"".join(packed)


def _atom(chunk: Chunk, at: int, atoms: Sequence[str], index: int) -> str:
    if not 0 < index <= len(atoms):
        raise chunk.error(at, f"the index of an atom expected, 1..{len(atoms)}, not {index}")
    return atoms[index - 1]


def _arity(chunk: Chunk, at: int, arity: int) -> int:
    if arity > MAX_ARG:
        raise chunk.error(at, f"an arity of 0..{MAX_ARG} expected, not {arity}")
    return arity


def _check_end(chunk: Chunk, at: int, what: str) -> None:
    if at != len(chunk.data):
        raise chunk.error(at, f"the end after {what} expected, {len(chunk.data) - at} bytes are left")
