"""Terms in the external term format (ERTS User's Guide, "External Term Format"; erts/emulator/beam/external.h)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from math import isfinite
from typing import Final, TypeVar

from jit.beam.chunks import Chunk, unfold_exactly
from jit.beam.errors import BeamError
from jit.beam.terms import NIL, Atom, Bitstring, ExternalFun, List, Map, Term, Tuple

_T = TypeVar("_T")

#: Terms nested deeper are refused: they would exhaust the stack of whoever walks them.
DEEPEST: Final = 200

_VERSION = 131
_COMPRESSED = ord("P")

# What binary_to_term/1 reads and no file of code can hold with a meaning.
_STRANGERS = {
    "R": "an atom by cache index", "e": "a reference", "r": "a reference", "Z": "a reference", "f": "a port",
    "Y": "a port", "x": "a port", "g": "a pid", "X": "a pid", "p": "a local fun", "u": "a local fun",
    "y": "a term of this node only",
}  # fmt: skip

_FLOAT_AS_TEXT = re.compile(rb" *[-+]?\d+\.\d+e[-+]\d+\0*")
_LONGEST_ATOM = 255


def decode_term(chunk: Chunk, data: bytes | None = None, *, what: str = "") -> Term:
    """The term that *data*, or all data of *chunk*, holds.

    Raises BeamError of the chunk, with *what* as the place if the data is not the chunk's own.
    """
    if data is None:
        data = chunk.data
    reader = _Reader(chunk, data, what)
    if reader.u8() != _VERSION:
        raise reader.error(0, f"a term in the external format expected, beginning with {_VERSION}")
    if data[1:2] == bytes((_COMPRESSED,)):
        reader = _Reader(chunk, _unfolded(reader, data), what)
    term = reader.term()
    if reader.at != len(reader.data):
        raise reader.error(reader.at, f"{len(reader.data) - reader.at} bytes after the end of the term")
    return term


def _unfolded(reader: _Reader, data: bytes) -> bytes:
    try:
        return unfold_exactly(data[6:], int.from_bytes(data[2:6], "big"), reader.chunk.room)
    except ValueError as error:
        raise reader.error(2, f"a compressed term, but {error}") from None


class _Reader:
    """Reads terms of ``data`` from ``at`` on."""

    def __init__(self, chunk: Chunk, data: bytes, what: str) -> None:
        self.chunk = chunk
        self.data = data
        self.what = what
        self.at = 0
        self.depth = 0

    def error(self, at: int, what: str) -> BeamError:
        return self.chunk.error(at, what, operation=self.what)

    def take(self, count: int) -> bytes:
        start, self.at = self.at, self.at + count
        if self.at > len(self.data):
            raise self.error(start, f"{count} more bytes of a term expected, {len(self.data) - start} are left")
        return self.data[start : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def term(self) -> Term:
        start = self.at
        tag = self.u8()
        read = _READERS.get(tag)
        if read is None:
            raise self.error(start, _stranger(tag))
        self.make_room(start, 1)
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(start, f"a term nested deeper than {DEEPEST} levels")
        term = read(self)
        self.depth -= 1
        return term

    def make_room(self, at: int, count: int) -> None:
        try:
            self.chunk.room.take_terms(count)
        except ValueError as error:
            raise self.error(at, str(error)) from None

    def terms(self, count: int) -> list[Term]:
        # Every term takes a byte at least: no more are made than the data can hold.
        if count > len(self.data) - self.at:
            raise self.error(self.at, f"{count} terms expected, {len(self.data) - self.at} bytes are left")
        return [self.term() for _ in range(count)]

    def kind(self, kind: type[_T], name: str) -> _T:
        start = self.at
        term = self.term()
        if not isinstance(term, kind):
            raise self.error(start, f"{name} expected")
        return term

    def atom(self, size: int, encoding: str) -> Atom:
        start = self.at
        try:
            name = self.take(size).decode(encoding)
        except UnicodeDecodeError:
            raise self.error(start, "an atom in UTF-8 expected") from None
        if len(name) > _LONGEST_ATOM:
            raise self.error(start, f"an atom of {len(name)} characters: {_LONGEST_ATOM} are the most")
        return Atom(name)

    def big(self, size: int) -> int:
        sign = self.u8()
        number = int.from_bytes(self.take(size), "little")
        return -number if sign else number

    def double(self) -> float:
        start = self.at
        return self.finite(struct.unpack(">d", self.take(8))[0], start)

    def float_as_text(self) -> float:
        start = self.at
        text = self.take(31)
        if not _FLOAT_AS_TEXT.fullmatch(text):
            raise self.error(start, "a float as text expected")
        return self.finite(float(text.rstrip(b"\0")), start)

    def finite(self, number: float, start: int) -> float:
        if not isfinite(number):
            raise self.error(start, "a finite float expected")
        return number

    def string(self) -> List:
        size = self.u16()
        self.make_room(self.at, size)
        return List(tuple(self.take(size)))

    def list(self) -> List:
        elements = tuple(self.terms(self.u32()))
        tail = self.term()
        if isinstance(tail, List):
            return List(elements + tail.elements, tail.tail)
        return List(elements, tail) if elements else List((), tail)

    def map(self) -> Map:
        items = self.terms(2 * self.u32())
        return Map(tuple(zip(items[::2], items[1::2])))

    def binary(self) -> Bitstring:
        size = self.u32()
        return Bitstring(self.take(size), 8 * size)

    def bitstring(self) -> Bitstring:
        start = self.at
        size, bits = self.u32(), self.u8()
        if bits > 8 or bool(bits) != bool(size):
            raise self.error(start, f"{bits} bits in the last of {size} bytes of a bitstring")
        data = self.take(size)
        if not size:
            return Bitstring(b"", 0)
        last = data[-1] & 0xFF << 8 - bits & 0xFF
        return Bitstring(data[:-1] + bytes((last,)), 8 * size - 8 + bits)

    def external_fun(self) -> ExternalFun:
        module, function = self.kind(Atom, "a module's name"), self.kind(Atom, "a function's name")
        start = self.at
        arity = self.kind(int, "an arity")
        if not 0 <= arity <= 255:
            raise self.error(start, f"an arity of 0..255 expected, not {arity}")
        return ExternalFun(module, function, arity)


def _stranger(tag: int) -> str:
    if (name := _STRANGERS.get(chr(tag))) is not None:
        return f"{name}, which no .beam file can hold"
    return f"no term begins with the byte {tag}"


_READERS: Final[dict[int, Callable[[_Reader], Term]]] = {
    ord(tag): reader
    for tag, reader in {
        "a": _Reader.u8,
        "b": lambda reader: int.from_bytes(reader.take(4), "big", signed=True),
        "n": lambda reader: reader.big(reader.u8()),
        "o": lambda reader: reader.big(reader.u32()),
        "c": _Reader.float_as_text,
        "F": _Reader.double,
        "d": lambda reader: reader.atom(reader.u16(), "latin-1"),
        "s": lambda reader: reader.atom(reader.u8(), "latin-1"),
        "v": lambda reader: reader.atom(reader.u16(), "utf-8"),
        "w": lambda reader: reader.atom(reader.u8(), "utf-8"),
        "j": lambda reader: NIL,
        "k": _Reader.string,
        "l": _Reader.list,
        "h": lambda reader: Tuple(tuple(reader.terms(reader.u8()))),
        "i": lambda reader: Tuple(tuple(reader.terms(reader.u32()))),
        "t": _Reader.map,
        "m": _Reader.binary,
        "M": _Reader.bitstring,
        "q": _Reader.external_fun,
    }.items()
}


def encode_term(term: Term) -> bytes:
    """The bytes that ``term_to_binary(Term, [{minor_version, 2}])`` gives, pairs of a map in the order given."""
    return bytes((_VERSION,)) + _encode(term)


def _encode(term: Term) -> bytes:
    if isinstance(term, int):
        return _encode_integer(term)
    if isinstance(term, float):
        return b"F" + struct.pack(">d", term)
    if isinstance(term, Atom):
        name = term.name.encode()
        return b"w" + bytes((len(name),)) + name if len(name) < 256 else b"v" + _u16(len(name)) + name
    if isinstance(term, List):
        return _encode_list(term)
    if isinstance(term, Tuple):
        size = len(term.elements)
        return (b"h" + bytes((size,)) if size < 256 else b"i" + _u32(size)) + _encode_all(term.elements)
    if isinstance(term, Map):
        return b"t" + _u32(len(term.pairs)) + b"".join(_encode(key) + _encode(value) for key, value in term.pairs)
    if isinstance(term, Bitstring):
        rest = term.bits % 8
        if rest:
            return b"M" + _u32(len(term.data)) + bytes((rest,)) + term.data
        return b"m" + _u32(len(term.data)) + term.data
    return b"q" + _encode(term.module) + _encode(term.function) + bytes((ord("a"), term.arity))


def _encode_integer(number: int) -> bytes:
    if 0 <= number < 256:
        return bytes((ord("a"), number))
    if -1 << 31 <= number < 1 << 31:
        return b"b" + struct.pack(">i", number)
    size = (abs(number).bit_length() + 7) // 8
    head = b"n" + bytes((size,)) if size < 256 else b"o" + _u32(size)
    return head + bytes((number < 0,)) + abs(number).to_bytes(size, "little")


def _encode_list(term: List) -> bytes:
    elements = term.elements
    if not elements:
        return b"j" if term.tail is None else _encode(term.tail)
    if term.tail is None and len(elements) < 1 << 16:
        characters = [item for item in elements if isinstance(item, int) and 0 <= item < 256]
        if len(characters) == len(elements):
            return b"k" + _u16(len(elements)) + bytes(characters)
    return b"l" + _u32(len(elements)) + _encode_all(elements) + (b"j" if term.tail is None else _encode(term.tail))


def _encode_all(terms: tuple[Term, ...]) -> bytes:
    return b"".join(map(_encode, terms))


def _u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "big")
