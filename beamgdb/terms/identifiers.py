"""Pids, ports and references, local and external (erl_term.h and erl_node_container_utils.h of OTP 25 and 27)."""

from __future__ import annotations

from beamgdb.terms.slots import SlotOrder
from beamgdb.terms.source import Malformed, Source
from beamgdb.terms.values import LayoutUnknown, NodeOfTerm, Pid, Port, Reference, UnknownBoxed, UnresolvedId, Value
from jit.otp.tags import ARITY_SHIFT, IMMED1_BITS, Kind
from jit.otp.things import ExternalThing, RefThing


def local_pid(source: Source, word: int) -> Value:
    data = _id_data(source, word, source.process_slots)
    if data is None:
        return UnresolvedId(word, True)
    bits = source.tags.pid_number_bits
    return Pid(data & ((1 << bits) - 1), data >> bits)


def local_port(source: Source, word: int) -> Value:
    data = _id_data(source, word, source.port_slots)
    return UnresolvedId(word, False) if data is None else Port(data)


def _id_data(source: Source, word: int, slots: SlotOrder | None) -> int | None:
    data = word >> IMMED1_BITS & ((1 << source.tags.id_bits) - 1)
    if not source.tags.ids_by_slot:
        return data
    return slots.number_of(data) if slots else None


def external_pid(source: Source, address: int, header: int) -> Value:
    source.expect_arity(address, header, ExternalThing.PID_ARITY[source.tags.word_size])
    number, serial = _u32s(source, _data(source, address), 2)
    return Pid(number, serial, _node(source, address, Kind.EXTERNAL_PID))


def external_port(source: Source, address: int, header: int) -> Value:
    """64 bits in all; two words, the low one first, on 32-bit systems."""
    source.expect_arity(address, header, ExternalThing.PORT_ARITY[source.tags.word_size])
    words = source.memory.words(_data(source, address), 8 // source.tags.word_size)
    number = sum(word << (source.tags.word_bits * i) for i, word in enumerate(words))
    return Port(number, _node(source, address, Kind.EXTERNAL_PORT))


def external_reference(source: Source, address: int, header: int) -> Value:
    """On 64 bits the first 32-bit data word counts the others; on 32 bits the header does."""
    data_words = (header >> ARITY_SHIFT) + 1 - ExternalThing.DATA
    at = _data(source, address)
    if source.tags.word_size == 8:
        count, room = source.memory.u32(at), 2 * data_words - 1
        at += 4
    else:
        count = room = data_words
    if not 0 < count <= min(room, ExternalThing.MAX_REF_NUMBERS):
        raise Malformed(UnknownBoxed(address, header, "impossible size"))
    return Reference(_u32s(source, at, count), _node(source, address, Kind.EXTERNAL_REF))


def local_reference(source: Source, address: int, header: int) -> Value:
    """An ordinary, pid (alias) or magic reference."""
    size = source.tags.word_size
    arity = header >> ARITY_SHIFT
    start = address + size
    if arity == RefThing.PID_ARITY[size]:
        return Reference(_u32s(source, _after_marker(source, start), source.tags.pid_ref_shown))
    if arity == RefThing.ORDINARY_ARITY[size] and (size == 4 or _marked(source, start)):
        return Reference(_u32s(source, _after_marker(source, start), RefThing.NUMBERS))
    if arity == RefThing.MAGIC_ARITY[size]:
        return _magic_reference(source, address)
    raise Malformed(UnknownBoxed(address, header, "impossible size"))


def _magic_reference(source: Source, address: int) -> Value:
    binary = source.memory.word(address + RefThing.MAGIC_BINARY * source.tags.word_size)
    try:
        numbers = binary + source.layout.offset("ErtsMagicBinary", "refn")
    except KeyError:
        return LayoutUnknown(Kind.REF, address)
    return Reference(_u32s(source, numbers, RefThing.NUMBERS), magic=binary)


def _marked(source: Source, start: int) -> bool:
    """Whether the marker of an ordinary reference is there: before the numbers, after them on big-endian systems."""
    offset = 0 if source.memory.byteorder == "little" else 4 * RefThing.NUMBERS
    return source.memory.u32(start + offset) == RefThing.MARKER


def _after_marker(source: Source, start: int) -> int:
    return start + 4 if source.tags.word_size == 8 and source.memory.byteorder == "little" else start


def _data(source: Source, address: int) -> int:
    return address + ExternalThing.DATA * source.tags.word_size


def _u32s(source: Source, address: int, count: int) -> tuple[int, ...]:
    data = source.memory.read(address, 4 * count)
    order = source.memory.byteorder
    return tuple(int.from_bytes(data[i : i + 4], order) for i in range(0, 4 * count, 4))


def _node(source: Source, address: int, kind: Kind) -> NodeOfTerm:
    """The node of the external thing at `address`; raises Malformed when it cannot be told."""
    node = source.memory.word(address + ExternalThing.NODE * source.tags.word_size)
    try:
        sysname = node + source.layout.offset("ErlNode", "sysname")
        creation = node + source.layout.offset("ErlNode", "creation")
    except KeyError:
        raise Malformed(LayoutUnknown(kind, address)) from None
    name = source.atom_of(source.memory.word(sysname))
    if name is None:
        raise Malformed(UnknownBoxed(address, 0, f"{kind.value} without a node name"))
    return NodeOfTerm(name, source.memory.u32(creation))
