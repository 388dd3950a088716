"""Erlang values -> bytes of a heap, as OTP 25, 27 and 29 lay them out, for tests of the decoder.

Written from the C headers, apart from the decoder: numbers stand here as they stand there. Values are those of
`beamgdb.terms.values`, so decoding what was encoded must give the same value back.
"""

import struct
from dataclasses import dataclass, field
from typing import Literal

from beamgdb.memory import BytesMemory, CachedMemory
from beamgdb.terms.decode import DEFAULT_LIMITS, TermDecoder
from beamgdb.terms.slots import SlotOrder
from beamgdb.terms.source import Limits
from beamgdb.terms.values import (
    Atom,
    Bitstring,
    Catch,
    ContinuationPointer,
    ExternalFun,
    Fun,
    List,
    Map,
    NativeRecord,
    NodeOfTerm,
    NonValue,
    Pid,
    Port,
    Reference,
    Tuple,
    Value,
)
from jit.otp.tags import tag_scheme

#: Field offsets of a made-up VM: none equals the real one, so a decoder with a hard-wired offset fails.
FIELDS = {
    ("ErlNode", "sysname"): 24,
    ("ErlNode", "creation"): 44,
    ("ErtsMagicBinary", "refn"): 20,
    ("Binary", "orig_bytes"): 48,
    ("ErlFunEntry", "module"): 8,
    ("ErlFunEntry", "old_index"): 36,
    ("ErlFunEntry", "old_uniq"): 28,
    ("Export", "info.mfa.module"): 16,
    ("Export", "info.mfa.function"): 40,
    ("Export", "info.mfa.arity"): 32,
}


class TestLayout:
    __test__ = False

    def __init__(self, fields: dict[tuple[str, str], int] | None = None) -> None:
        self.fields = FIELDS if fields is None else fields

    def offset(self, struct: str, field: str, /) -> int:
        return self.fields[struct, field]

    def size(self, struct: str, /) -> int:
        raise KeyError(struct)


class AtomTable:
    """Grows as atoms are made."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def make(self, name: str) -> Atom:
        if name not in self.names:
            self.names.append(name)
        return Atom(self.names.index(name), name)

    def name(self, index: int, /) -> str | None:
        return self.names[index] if index < len(self.names) else None


TUPLE, POS_BIG, NEG_BIG, REF, FUN, FLOAT = 0x0, 0x2, 0x3, 0x4, 0x5, 0x6
EXTERNAL_PID, EXTERNAL_PORT, EXTERNAL_REF = 0xC, 0xD, 0xE
MATCHSTATE_25, REFC_25, HEAP_BIN_25, SUB_BIN_25, MAP_25 = 0x1, 0x8, 0x9, 0xA, 0xF
FUN_REF_27, HEAP_BITS_27, SUB_BITS_27, BIN_REF_27, MAP_27 = 0x1, 0x8, 0x9, 0xA, 0xB
RECORD_29 = 0x7


def header(size: int, subtag: int) -> int:
    return size << 6 | subtag << 2


@dataclass
class Heap:
    """A heap being filled. `base` is where it lies in the target."""

    release: int = 25
    word_size: int = 8
    byteorder: Literal["little", "big"] = "little"
    base: int = 0x40_0000
    atoms: AtomTable = field(default_factory=AtomTable)
    data: bytearray = field(default_factory=bytearray)

    # -- laying out memory

    def memory(self) -> BytesMemory:
        return BytesMemory({self.base: bytes(self.data)}, self.word_size, self.byteorder)

    def decoder(self, layout: TestLayout | None = None) -> TermDecoder:
        scheme = tag_scheme(self.release, self.word_size)
        return TermDecoder(
            CachedMemory(self.memory()),
            scheme,
            TestLayout() if layout is None else layout,
            self.atoms,
            process_slots=self.slots(15),
            port_slots=self.slots(16),
        )

    def decoded(self, word: int, limits: Limits = DEFAULT_LIMITS) -> Value:
        """What the decoder makes of `word`, with the heap as it is now."""
        return self.decoder().decode(word, limits)

    def pack(self, *words: int) -> bytes:
        code = ("<" if self.byteorder == "little" else ">") + ("Q" if self.word_size == 8 else "I") * len(words)
        return struct.pack(code, *words)

    def u32s(self, *numbers: int) -> bytes:
        return struct.pack(("<" if self.byteorder == "little" else ">") + "I" * len(numbers), *numbers)

    def put(self, data: bytes) -> int:
        """Appends bytes, padded to whole words; returns their address."""
        address = self.base + len(self.data)
        self.data += data + bytes(-len(data) % self.word_size)
        return address

    def put_words(self, *words: int) -> int:
        return self.put(self.pack(*words))

    def struct(self, name: str, **fields: bytes) -> int:
        """A C structure outside the heap; `__` in a field name stands for a dot."""
        data = bytearray(64)
        for key, value in fields.items():
            at = FIELDS[name, key.replace("__", ".")]
            data[at : at + len(value)] = value
        return self.put(bytes(data))

    # -- terms

    def term(self, value: Value) -> int:
        """The tagged word of `value`, whose parts are put on the heap."""
        if isinstance(value, int):
            return self.integer(value)
        if isinstance(value, float):
            code = "<d" if self.byteorder == "little" else ">d"
            return self.boxed(header(8 // self.word_size, FLOAT), raw=struct.pack(code, value))
        if isinstance(value, Atom):
            return value.index << 6 | 0x0B
        if isinstance(value, List):
            return self.cons_cells(value)
        if isinstance(value, Tuple):
            return self.boxed(header(len(value.elements), TUPLE), *map(self.term, value.elements))
        if isinstance(value, Map):
            return self.flatmap(value) if len(value.pairs) <= 32 else self.hashmap(value)
        if isinstance(value, NativeRecord):
            return self.native_record(value)
        if isinstance(value, Bitstring):
            return self.bitstring(value)
        if isinstance(value, Pid):
            return self.pid(value)
        if isinstance(value, Port):
            return self.port(value)
        if isinstance(value, Reference):
            return self.reference(value)
        if isinstance(value, Fun):
            return self.fun(value)
        if isinstance(value, ExternalFun):
            return self.external_fun(value)
        if isinstance(value, Catch):
            return value.index << 6 | 0x1B
        if isinstance(value, NonValue):
            return 0
        if isinstance(value, ContinuationPointer):
            return value.address
        raise TypeError(value)

    def boxed(self, *words: int, raw: bytes = b"") -> int:
        return self.put(self.pack(*words) + raw) | 2

    def integer(self, value: int) -> int:
        bits = 8 * self.word_size
        if -(1 << (bits - 5)) <= value < 1 << (bits - 5):
            return (value << 4 | 0xF) & ((1 << bits) - 1)
        digits = []
        rest = abs(value)
        while rest:
            digits.append(rest & ((1 << bits) - 1))
            rest >>= bits
        return self.boxed(header(len(digits), NEG_BIG if value < 0 else POS_BIG), *digits)

    def cons_cells(self, value: List) -> int:
        word = 0x3B if value.tail is None else self.term(value.tail)
        for element in reversed(value.elements):
            word = self.put_words(self.term(element), word) | 1
        return word

    def map_header(self, kind: int, arity: int, bitmap: int) -> int:
        return header(bitmap << 10 | arity << 2 | kind, MAP_25 if self.release == 25 else MAP_27)

    def flatmap(self, value: Map) -> int:
        keys = self.boxed(header(len(value.pairs), TUPLE), *[self.term(key) for key, _ in value.pairs])
        values = [self.term(item) for _, item in value.pairs]
        return self.boxed(self.map_header(0, 1, 0), len(values), keys, *values)

    def hashmap(self, value: Map) -> int:
        leaves = [self.put_words(self.term(key), self.term(item)) | 1 for key, item in value.pairs]
        groups = self.groups(leaves, 16)
        nodes = [self.map_node(group, 1) for group in groups]
        if len(nodes) == 16:
            return self.boxed(self.map_header(2, 1, 0xFFFF), len(leaves), *nodes)
        bitmap = (1 << 2 * len(nodes)) // 3 if len(nodes) <= 8 else (1 << len(nodes)) - 1
        return self.boxed(self.map_header(3, 1, bitmap), len(leaves), *nodes)

    def map_node(self, leaves: list[int], level: int) -> int:
        if len(leaves) == 1:
            return leaves[0]
        if level == 2 and len(leaves) == 3 and self.release >= 27:
            return self.boxed(header(3, TUPLE), *leaves)
        nodes = [self.map_node(group, level + 1) for group in self.groups(leaves, 7 if level < 4 else 16)]
        return self.boxed(self.map_header(1, 0, (1 << len(nodes)) - 1), *nodes)

    @staticmethod
    def groups(items: list[int], count: int) -> list[list[int]]:
        step = -(-len(items) // count)
        return [items[i : i + step] for i in range(0, len(items), step)]

    # -- native records

    def native_record(self, value: NativeRecord) -> int:
        """Fields are stored by the numbers of their names."""
        stored = sorted(value.fields, key=lambda field: field[0].index)
        places = [[name for name, _ in stored].index(name) for name, _ in value.fields]
        order = self.boxed(header(len(places), TUPLE), *map(self.term, places))
        named = (self.term(one) for one in (value.module, value.name, self.atoms.make("true")))
        keys = [self.term(name) for name, _ in stored]
        definition = self.boxed(header(5 + len(keys), TUPLE), order, self.term(4711), *named, *keys)
        return self.boxed(header(1 + len(keys), RECORD_29), definition, *(self.term(item) for _, item in stored))

    # -- bitstrings

    def bitstring(self, value: Bitstring) -> int:
        make = self.bitstring_25 if self.release == 25 else self.bitstring_27
        return make(value)

    def bitstring_25(self, value: Bitstring) -> int:
        size = value.bits // 8
        if value.storage == "heap":
            return self.heap_binary(value.data, size, HEAP_BIN_25)
        if value.storage in ("refc", "writable"):
            return self.proc_bin(value.data, writable=value.storage == "writable")
        shift = len(value.data) % 8
        whole = shifted(value.data, 8 + shift) + b"\x5a"
        orig = self.heap_binary(whole, len(whole), HEAP_BIN_25) if value.bits % 3 else self.proc_bin(whole)
        small = bytes([value.bits % 8, shift, 0]) + bytes(self.word_size - 3)
        return self.put(self.pack(header(3, SUB_BIN_25), size, 1) + small + self.pack(orig)) | 2

    def proc_bin(self, data: bytes, writable: bool = False) -> int:
        at = self.put(data)
        return self.boxed(header(5, REFC_25), len(data), 0, 0xDEAD0, at, int(writable))

    def bitstring_27(self, value: Bitstring) -> int:
        if value.storage == "heap":
            return self.heap_binary(value.data, value.bits, HEAP_BITS_27)
        shift = len(value.data) % 5
        data = shifted(value.data, shift)
        binary = self.struct("Binary")
        self.data[binary - self.base + FIELDS["Binary", "orig_bytes"] :] = data + bytes(-len(data) % self.word_size + 8)
        self.data += bytes(-len(self.data) % self.word_size)
        ref = self.boxed(header(2, BIN_REF_27), binary, 0)
        start = shift
        if value.storage == "writable":
            # The stored base of a volatile binary is stale: the truth is in its Binary.
            return self.boxed(header(4, SUB_BITS_27), 0x1000 | 3, start, start + value.bits, ref)
        base = binary + FIELDS["Binary", "orig_bytes"]
        return self.boxed(header(4, SUB_BITS_27), base, start, start + value.bits, ref)

    def heap_binary(self, data: bytes, size: int, subtag: int) -> int:
        data_words = -(-len(data) // self.word_size)
        return self.boxed(header(1 + data_words, subtag), size, raw=data)

    def match_context(self, data: bytes, position: int) -> int:
        """A match of all of `data`, `position` bits of which are done."""
        if self.release == 25:
            orig = self.heap_binary(data, len(data), HEAP_BIN_25)
            base = (orig & ~3) + 2 * self.word_size
            return self.boxed(header(5, MATCHSTATE_25), orig, base, position, 8 * len(data), 0)
        orig = self.heap_binary(data, 8 * len(data), HEAP_BITS_27)
        base = (orig & ~3) + 2 * self.word_size
        return self.boxed(header(4, SUB_BITS_27), base | 1, position, 8 * len(data), orig)

    # -- identifiers

    def pid(self, value: Pid) -> int:
        if value.node is None:
            shift = 15 if self.release == 25 else 28
            return self.local_id(value.serial << shift | value.number, 15) << 4 | 0x3
        arity = 2 + 8 // self.word_size
        return self.boxed(
            header(arity, EXTERNAL_PID), self.node(value.node), 0, raw=self.u32s(value.number, value.serial)
        )

    def port(self, value: Port) -> int:
        if value.node is None:
            return self.local_id(value.number, 16) << 4 | 0x7
        arity = 2 + 8 // self.word_size
        words = (value.number,) if self.word_size == 8 else (value.number & 0xFFFFFFFF, value.number >> 32)
        return self.boxed(header(arity, EXTERNAL_PORT), self.node(value.node), 0, *words)

    def local_id(self, data: int, table_bits: int) -> int:
        """As in a word: consecutive numbers lie a cache line of 64 bytes apart in the table."""
        if (self.release, self.word_size) == (25, 8):
            return data
        per_line = 64 // self.word_size
        lines = (1 << table_bits) // per_line
        index = data % (1 << table_bits)
        return data - index + index % lines * per_line + index // lines

    def slots(self, table_bits: int) -> SlotOrder:
        per_line_bits = 3 if self.word_size == 8 else 4
        lines_bits = table_bits - per_line_bits
        return SlotOrder(
            (1 << table_bits) - 1, (1 << lines_bits) - 1, per_line_bits, (1 << per_line_bits) - 1, lines_bits
        )

    def node(self, node: NodeOfTerm) -> int:
        return self.struct("ErlNode", sysname=self.pack(self.term(node.name)), creation=self.u32s(node.creation))

    def reference(self, value: Reference) -> int:
        if value.node is not None:
            return self.external_reference(value.numbers, value.node)
        if value.magic is not None:
            raise TypeError("a magic reference is made by magic_reference")
        return self.local_reference(*value.numbers)

    def local_reference(self, *numbers: int) -> int:
        """Three numbers: an ordinary reference; more: one that carries a pid."""
        if self.word_size == 4:
            return self.boxed(header(len(numbers), REF), raw=self.u32s(*numbers))
        size = (len(numbers) + 1) // 2
        marked = (0xFFFFFFFF, *numbers) if self.byteorder == "little" else (*numbers, 0xFFFFFFFF)
        return self.boxed(header(size, REF), raw=self.u32s(*marked))

    def magic_reference(self, *numbers: int) -> tuple[int, int]:
        """The word of a magic reference, and the address of its binary."""
        binary = self.struct("ErtsMagicBinary", refn=self.u32s(*numbers))
        return self.boxed(header(2, REF), binary, 0), binary

    def external_reference(self, numbers: tuple[int, ...], node: NodeOfTerm) -> int:
        raw = self.u32s(*numbers) if self.word_size == 4 else self.u32s(len(numbers), *numbers)
        raw += bytes(-len(raw) % self.word_size)
        return self.boxed(header(2 + len(raw) // self.word_size, EXTERNAL_REF), self.node(node), 0, raw=raw)

    # -- funs

    def fun(self, value: Fun) -> int:
        entry = self.struct(
            "ErlFunEntry",
            module=self.pack(self.term(value.module)),
            old_index=self.u32s(value.index & 0xFFFFFFFF),
            old_uniq=self.u32s(value.uniq & 0xFFFFFFFF),
        )
        environment = [0x3B] * value.free
        if self.release >= 28:
            return self.boxed(value.free << 16 | value.arity << 8 | FUN << 2, entry, *environment)
        if self.release == 27:
            ref = self.boxed(header(2, FUN_REF_27), entry, 0)
            return self.boxed((value.free + 1) << 16 | value.arity << 8 | FUN << 2, entry, *environment, ref)
        creator = 0x123 << 4 | 0x3
        counts = bytes([value.arity, value.free]) + bytes(self.word_size - 2)
        return self.put(self.pack(header(3, FUN), entry, 0) + counts + self.pack(creator, *environment)) | 2

    def external_fun(self, value: ExternalFun) -> int:
        export = self.struct(
            "Export",
            info__mfa__module=self.pack(self.term(value.module)),
            info__mfa__function=self.pack(self.term(value.function)),
            info__mfa__arity=self.pack(value.arity),
        )
        if self.release >= 28:
            return self.boxed(1 << 24 | value.arity << 8 | FUN << 2, export)
        if self.release == 27:
            return self.boxed(value.arity << 8 | FUN << 2, export)
        creator = self.term(self.atoms.make("external"))
        counts = bytes([value.arity, 0]) + bytes(self.word_size - 2)
        return self.put(self.pack(header(3, FUN), export, 0) + counts + self.pack(creator)) | 2


def shifted(data: bytes, bits: int) -> bytes:
    """`data` moved `bits` to the right, ones in front."""
    size = len(data) + bits // 8 + 1
    number = int.from_bytes(data, "big") << (8 * size - 8 * len(data) - bits)
    number |= ((1 << bits) - 1) << (8 * size - bits)
    return number.to_bytes(size, "big")
