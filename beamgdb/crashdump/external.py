"""Terms in the external format (erl_ext_dist.html in ERTS's documentation), as crash dumps have some kinds of terms."""

from __future__ import annotations

import struct
from typing import Final

from beamgdb.terms.values import Atom, Bitstring, ExternalFun, NodeOfTerm, Reference
from jit.otp.things import RefThing

VERSION: Final = b"\x83"
NIL_EXT: Final = b"j"
BINARY_EXT, BIT_BINARY_EXT, EXPORT_EXT, NEWER_REFERENCE_EXT, NEW_FUN_EXT, NEW_PID_EXT = (
    b"m",
    b"M",
    b"q",
    b"Z",
    b"p",
    b"X",
)
ATOM_UTF8_EXT, SMALL_ATOM_UTF8_EXT, SMALL_INTEGER_EXT, INTEGER_EXT = b"v", b"w", b"a", b"b"

LOCAL: Final = NodeOfTerm(Atom(0, "nonode@nohost"), 0)
"""The node of terms of the node itself. It is what the viewer's own node is, which so shows them as local ones, as link
lists have them: `<0.1.0>`, not `<7201.1.0>`."""


def atom(name: str) -> bytes:
    """An atom, without the version."""
    text = name.encode()
    if len(text) < 256:
        return SMALL_ATOM_UTF8_EXT + bytes([len(text)]) + text
    return ATOM_UTF8_EXT + struct.pack(">H", len(text)) + text


def reference(value: Reference) -> bytes | None:
    """A reference; None where its node is not known. Of an alias of this node only what all references have: the rest
    is a process, of which the viewer's own node would have to be able to have one (external.c, `dec_term`)."""
    node = value.node or LOCAL
    if node.name.name is None:
        return None
    told = value.numbers if value.node is not None else value.numbers[: RefThing.NUMBERS]
    numbers = struct.pack(f">{len(told)}I", *told)
    length, creation = struct.pack(">H", len(told)), struct.pack(">I", node.creation)
    return NEWER_REFERENCE_EXT + length + atom(node.name.name) + creation + numbers


def bits(value: Bitstring) -> bytes:
    """A bit string."""
    if value.bits % 8 == 0:
        return BINARY_EXT + struct.pack(">I", len(value.data)) + value.data
    return BIT_BINARY_EXT + struct.pack(">IB", len(value.data), value.bits % 8) + value.data


def external_fun(value: ExternalFun) -> bytes | None:
    """A fun that names a function; None where that is not known."""
    if value.module.name is None or value.function.name is None:
        return None
    return EXPORT_EXT + atom(value.module.name) + atom(value.function.name) + SMALL_INTEGER_EXT + bytes([value.arity])


def local_fun(module: str, arity: int, uniq: bytes, index: int, old_index: int, old_uniq: int, free: int) -> bytes:
    """A fun with so many free variables, all of them [], as the VM itself has them in crash dumps, and of the process
    <0.0.0>, as the VM has it since OTP 27: the viewer shows neither."""
    head = bytes([arity]) + uniq + struct.pack(">II", index, free) + atom(module)
    old = INTEGER_EXT + struct.pack(">i", old_index) + INTEGER_EXT + struct.pack(">i", old_uniq)
    pid = NEW_PID_EXT + atom(LOCAL.name.name or "") + struct.pack(">III", 0, 0, LOCAL.creation)
    body = head + old + pid + free * NIL_EXT
    return NEW_FUN_EXT + struct.pack(">I", 4 + len(body)) + body
