"""What a loaded module says of its compilation: the term of `Module:module_info(compile)`, kept in the external term
format (erl_ext_dist.html in ERTS's documentation) with the module's code."""

from __future__ import annotations

import struct

from beamgdb.code.module import Module
from beamgdb.vm.model import Vm

MAX_SIZE = 1 << 20
"""Bytes of compile info that are believed."""

_STRING = 107
_LIST = 108
_SMALL_INTEGER = 97
_INTEGER = 98
_NAMES = {
    "ATOM_EXT": b"d\0\x06source",
    "SMALL_ATOM_UTF8_EXT": b"w\x06source",
    "ATOM_UTF8_EXT": b"v\0\x06source",
}
"""The atom `source`, in all ways it can be written."""

_PAIR = b"h\x02"
"""SMALL_TUPLE_EXT of two elements."""


def source(node: Vm, module: Module) -> str | None:
    """Path of the file that the module was compiled from, None where it does not tell. May raise `Unreadable`."""
    header = node.record("BeamCodeHeader", module.base)
    size = header["compile_size"]
    if not 0 < size <= MAX_SIZE:
        return None
    return source_in(node.memory.read(header["compile_ptr"], size))


def source_in(term: bytes) -> str | None:
    """The text after the key `source` in a property list in external format."""
    for name in _NAMES.values():
        at = term.find(_PAIR + name)
        if at >= 0:
            return _text(term, at + len(_PAIR) + len(name))
    return None


def _text(term: bytes, at: int) -> str | None:
    """A string: bytes, or for characters above 255 a list of integers."""
    try:
        if term[at] == _STRING:
            (length,) = struct.unpack_from(">H", term, at + 1)
            return term[at + 3 : at + 3 + length].decode("latin-1")
        if term[at] == _LIST:
            return _characters(term, at)
    except (IndexError, struct.error, ValueError):
        pass
    return None


def _characters(term: bytes, at: int) -> str | None:
    (length,) = struct.unpack_from(">I", term, at + 1)
    at += 5
    text = []
    for _ in range(min(length, len(term))):
        if term[at] == _SMALL_INTEGER:
            text.append(chr(term[at + 1]))
            at += 2
        elif term[at] == _INTEGER:
            text.append(chr(struct.unpack_from(">i", term, at + 1)[0]))
            at += 5
        else:
            return None
    return "".join(text)
