"""Values -> Erlang's external term format (ERTS User's Guide, "External Term Format"), to hand them to a real node."""

import struct

from beamgdb.terms.values import Atom, Bitstring, ExternalFun, List, Map, Tuple, Value


def external(value: Value) -> bytes:
    """What `binary_to_term/1` reads."""
    return b"\x83" + _term(value)


def _term(value: Value) -> bytes:
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return b"F" + struct.pack(">d", value)
    if isinstance(value, Atom):
        name = (value.name or "").encode()
        return b"v" + struct.pack(">H", len(name)) + name
    if isinstance(value, Tuple):
        return b"i" + struct.pack(">I", len(value.elements)) + b"".join(map(_term, value.elements))
    if isinstance(value, List):
        tail = b"j" if value.tail is None else _term(value.tail)
        if not value.elements:
            return tail
        return b"l" + struct.pack(">I", len(value.elements)) + b"".join(map(_term, value.elements)) + tail
    if isinstance(value, Map):
        pairs = b"".join(_term(key) + _term(item) for key, item in value.pairs)
        return b"t" + struct.pack(">I", len(value.pairs)) + pairs
    if isinstance(value, Bitstring):
        if not value.bits % 8:
            return b"m" + struct.pack(">I", len(value.data)) + value.data
        return b"M" + struct.pack(">IB", len(value.data), value.bits % 8) + value.data
    if isinstance(value, ExternalFun):
        return b"q" + _term(value.module) + _term(value.function) + b"a" + bytes([value.arity])
    raise TypeError(value)


def _integer(value: int) -> bytes:
    if -(1 << 31) <= value < 1 << 31:
        return b"b" + struct.pack(">i", value)
    size = (abs(value).bit_length() + 7) // 8
    head = struct.pack(">BB", 110, size) if size < 256 else struct.pack(">BI", 111, size)
    return head + bytes([value < 0]) + abs(value).to_bytes(size, "little")
