"""Functions of C code by which it is seen where fields lie in a VM that has them too, and that no table is for.

A signature is of a function of a known build: all its bytes but those that depend on where other things are. Of the
known build it is also known which fields the function accesses, by its debug information (`making.py`). A function
whose bytes are the same does so as well, at the same offsets. Signatures are in JSON files in `tables/`, named as the
tables of field offsets are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple

from jit.image.image import Function, Image
from jit.otp.layouts.layout import SAME, TableKey

TABLES: Final = Path(__file__).with_name("tables")

LEAST_BYTES: Final = 48
"""Of a function: what is shorter may be just like one that does something else."""

MASK: Final = 4
"""Bytes of what depends on where other things are: an operand of x86-64, an instruction of 64-bit ARM."""


Fields = Mapping[str, Sequence[str]]
"""Fields by their structures; "sizeof" is the size of one."""


class Reference(NamedTuple):
    """What a function has to do with a variable of the program: it accesses what lies at `offset` there. That is the
    place of these `fields`. At `place` in the function is how far that is from `end` in it."""

    place: int
    end: int
    variable: str
    offset: int
    fields: Fields


class Signature(NamedTuple):
    """Of a function of so many bytes. `masked` are the places in it at which `MASK` bytes count for nothing."""

    size: int
    digest: str
    masked: tuple[int, ...]
    fields: Fields
    references: tuple[Reference, ...]


def names(fields: Fields) -> frozenset[tuple[str, str]]:
    """Structures, and fields of them."""
    return frozenset((struct, path) for struct, paths in fields.items() for path in paths)


def digest(content: bytes, masked: Iterable[int]) -> str:
    """Of the bytes of a function, without those that count for nothing."""
    kept = bytearray(content)
    for place in masked:
        kept[place : place + MASK] = bytes(MASK)
    return hashlib.blake2b(kept, digest_size=10).hexdigest()


def there(signatures: Iterable[Signature], image: Image) -> Iterator[tuple[Signature, Function]]:
    """Those of functions that a program has, each once."""
    by_size: dict[int, list[Function]] = {one.size: [] for one in signatures}
    for function in image.functions:
        if (alike := by_size.get(function.stop - function.start)) is not None:
            alike.append(function)
    for one in signatures:
        same = [each for each in by_size[one.size] if digest(image.bytes_of(each), one.masked) == one.digest]
        if len(same) == 1:
            yield one, same[0]


def target(reference: Reference, function: Function, image: Image) -> int:
    """The address that a function accesses, where it begins another time."""
    operand = image.bytes_of(function)[reference.place : reference.place + MASK]
    return function.start + reference.end + int.from_bytes(operand, image.byteorder, signed=True)


def signatures(key: TableKey, directory: Path = TABLES) -> tuple[Signature, ...]:
    """Those of a known build, none where there are none. Raises ValueError on a damaged file."""
    path = directory / key._replace(erts_version=SAME.get(key.erts_version, key.erts_version)).file_name
    try:
        told = json.loads(path.read_bytes())
        return tuple(map(_signature, told))
    except OSError:
        return ()
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path.name}: no signatures ({error})") from error


def _signature(told: Any) -> Signature:
    size, hashed, gaps, fields, *references = told
    if not isinstance(size, int) or not isinstance(hashed, str) or not isinstance(fields, dict):
        raise ValueError(f"a signature of {size} bytes")
    return Signature(size, hashed, tuple(accumulate(gaps)), fields, tuple(Reference(*one) for one in references))


def to_json(signatures: Iterable[Signature]) -> str:
    """The text of their file: a line for each, of `masked` the distances from one to the next."""
    lines = []
    for one in signatures:
        gaps = [place - before for before, place in zip((0, *one.masked), one.masked)]
        lines.append(json.dumps([one.size, one.digest, gaps, one.fields, *one.references], separators=(",", ":")))
    return "[\n" + ",\n".join(lines) + "\n]\n"
