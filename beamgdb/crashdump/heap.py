"""Terms as crash dumps have them (erl_process_dump.c): a line for each object on a heap, which others refer to.

An object has one line in the section of the process that has it in its heaps. What lies elsewhere are literals, which
many refer to: `literals` collects them for a section of their own. So it is with the bytes of large binaries. An object
that cannot be read, or makes no sense, has no line, and the viewer says that the heap is incomplete.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Optional

from beamgdb.crashdump import external
from beamgdb.memory import Unreadable
from beamgdb.terms.source import Limits
from beamgdb.terms.values import Atom, Bitstring, ExternalFun, Fun, MatchContext, Pid, Port, Reference, Value
from beamgdb.vm.heaps import Areas
from beamgdb.vm.model import Vm
from jit.otp.tags import (
    ARITY_SHIFT,
    ATOM,
    BOXED,
    CONS,
    IMMED1_BITS,
    IMMED1_MASK,
    IMMED2_MASK,
    MAP_FLAT,
    MAP_HEAD_ARRAY,
    MAP_NODE,
    MAP_TYPE_MASK,
    MAP_VALUE_MASK,
    MAP_VALUE_SHIFT,
    MAX_FLATMAP_SIZE,
    MAX_TUPLE_ARITY,
    NIL,
    PID,
    PORT,
    PRIMARY_MASK,
    SMALL,
    Kind,
)
from jit.otp.things import (
    BinRef,
    ErlFunThing27,
    ErlHeapBin,
    ErlHeapBits,
    ErlSubBin,
    ErlSubBits,
    FlatMap,
    HashMap,
    ProcBin,
)

MAX_OBJECTS: Final = 1 << 27
"""Objects of one process that are written."""

MAX_KEPT: Final = 1 << 18
"""Atoms and other immediates whose text is kept."""

MOST_BITS: Final = 1 << 20
"""Bytes of one bit string that does not begin or end at a byte, for which there is no line that is as short."""

PIECE: Final = 3 << 20
"""Bytes of a large binary that are written together: every three of them are four characters."""

LARGE: Final = 256
"""Elements of a tuple from which on it is made sure that it does not reach out of its heap, as a damaged one may."""

INCOMPLETE: Final = "H0"
"""What refers to no object: what the VM writes for it the viewer cannot read."""

UNIQ_BYTES: Final = 16
"""Of `ErlFunEntry.uniq`."""

ARRAY_NODES: Final = 16
"""Of a hash map with a node for each value of four bits."""

Line = tuple[Optional[str], tuple[int, ...]]
"""What stands for an object behind its address, None where there is nothing that can; and the words it has."""

_NOTHING: Final[Line] = (None, ())


class Heaps:
    """Writes terms of a VM; raises `Unavailable` as its parts do."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm
        self._memory, self._tags = vm.memory, vm.tags
        self._word = vm.memory.word_size
        self._strip = ~(PRIMARY_MASK | vm.tags.literal_bit)
        self._sign = 1 << (vm.tags.word_bits - IMMED1_BITS - 1)
        self._known: dict[int, str] = {NIL: "N"}
        self._awkward: dict[int, str] = {}
        self._literals: dict[int, None] = {}
        self._binaries: set[int] = set()
        self._new_binaries: list[int] = []
        self._areas = Areas(())
        self._path: set[int] = set()
        """Objects that lead to the one that is written now, and itself. No sound term leads to itself, and the viewer
        would follow it for ever."""
        self.left_out = 0
        """Objects without a line."""
        self._boxed: dict[Kind, Callable[[int, int], Line]] = {
            Kind.TUPLE: self._tuple, Kind.MAP: self._map, Kind.FLOAT: self._float, Kind.POS_BIG: self._big,
            Kind.NEG_BIG: self._big, Kind.REF: self._encoded, Kind.EXTERNAL_REF: self._encoded,
            Kind.FUN: self._encoded, Kind.EXTERNAL_PID: self._identifier, Kind.EXTERNAL_PORT: self._identifier,
            Kind.PROC_BIN: self._proc_bin, Kind.HEAP_BIN: self._heap_bin, Kind.SUB_BIN: self._sub_bin,
            Kind.MATCH_STATE: self._encoded, Kind.HEAP_BITS: self._heap_bits, Kind.SUB_BITS: self._sub_bits,
        }  # fmt: skip

    # -- references -------------------------------------------------------------------------------------------------

    def element(self, word: int) -> str:
        """A term where it is referred to: an immediate, or the address of an object."""
        primary = word & PRIMARY_MASK
        if primary in (CONS, BOXED):
            address = word & self._strip
            return f"H{address:X}" if address not in self._path else INCOMPLETE
        known = self._known.get(word)
        if known is None:
            if len(self._known) >= MAX_KEPT:
                self._known = {NIL: "N"}
            known = self._known[word] = self._immediate(word)
        return known

    def _immediate(self, word: int) -> str:
        tag = word & IMMED1_MASK
        if tag == SMALL:
            value = word >> IMMED1_BITS
            return f"I{value - 2 * self._sign if value >= self._sign else value}"
        if word & IMMED2_MASK == ATOM:
            return self._atom(word)
        return self._id(self._vm.value(word)) or INCOMPLETE if tag in (PID, PORT) else INCOMPLETE

    def _atom(self, word: int) -> str:
        value = self._vm.value(word)
        name = value.name if isinstance(value, Atom) else None
        if name is None:
            return INCOMPLETE
        if "\n" in name or "\r" in name:
            # A line with it would end there. No object has the address that the atom's word would be.
            self._awkward[word] = _external(external.atom(name))
            return f"H{word:X}"
        return f"A{len(name.encode()):X}:{name}"

    def _id(self, value: Value) -> str | None:
        """A pid or port of this or another node, by the number of that node's name."""
        if isinstance(value, Pid):
            return f"P<{value.node.name.index if value.node else 0}.{value.number}.{value.serial}>"
        return f"p<{value.node.name.index if value.node else 0}.{value.number}>" if isinstance(value, Port) else None

    # -- sections ---------------------------------------------------------------------------------------------------

    def objects(self, roots: Iterable[int], areas: Areas) -> Iterator[str]:
        """Lines for all objects in these areas that the roots lead to; what lies elsewhere is a literal."""
        self._areas, self._path = areas, set()
        path, seen = self._path, set[int]()
        pending = [word for word in roots if 0 < word & PRIMARY_MASK < PRIMARY_MASK]
        pending.reverse()
        holds, strip, mask = areas.holds, self._strip, PRIMARY_MASK
        while pending:
            word = pending.pop()
            if word < 0:
                # All that an object leads to has been written.
                path.remove(~word)
                continue
            address = word & strip
            if address in seen:
                continue
            if not holds(address):
                self._literals[word] = None
                continue
            if len(seen) >= MAX_OBJECTS:
                self.left_out += 1
                continue
            seen.add(address)
            path.add(address)
            pending.append(~address)
            try:
                line, parts = self._cons(address) if word & mask == CONS else self._of_boxed(address)
            except (Unreadable, KeyError):
                line, parts = _NOTHING
            if line is None:
                self.left_out += 1
                continue
            yield f"{address:X}:{line}\n"
            # The last one of a list is the rest of it: that the others come first keeps the list of those short.
            pending += [part for part in parts if 0 < part & mask < mask]

    def literals(self) -> Iterator[str]:
        """Lines for all literals that objects have led to so far."""
        everywhere = Areas([(0, self._memory.address_mask + 1)])
        yield from self.objects(list(self._literals), everywhere)
        yield from (f"{word:X}:{text}\n" for word, text in self._awkward.items())

    def binaries(self) -> Iterator[str]:
        """Sections of binaries that objects have led to, but not yet the last time."""
        found, self._new_binaries = self._new_binaries, []
        for address in found:
            try:
                size = self._vm.record("Binary", address)["orig_size"]
                start = address + self._vm.layout.offset("Binary", "orig_bytes")
                data = self._memory.read(start, min(size, PIECE))
            except (Unreadable, KeyError):
                self.left_out += 1
                continue
            yield f"=binary:{address:X}\n{size:X}:{base64.b64encode(data).decode()}"
            for at in range(PIECE, size, PIECE):
                try:
                    data = self._memory.read(start + at, min(size - at, PIECE))
                except Unreadable:
                    # The viewer says that it is cut off.
                    self.left_out += 1
                    break
                yield base64.b64encode(data).decode()
            yield "\n"

    # -- objects ----------------------------------------------------------------------------------------------------

    def _cons(self, address: int) -> Line:
        head, tail = self._memory.pair(address)
        return f"l{self.element(head)}|{self.element(tail)}", (tail, head)

    def _of_boxed(self, address: int) -> Line:
        header = self._memory.word(address)
        kind = self._tags.kind(header) if not header & PRIMARY_MASK else None
        make = self._boxed.get(kind) if kind is not None else None
        return make(address, header) if make is not None else _NOTHING

    def _elements(self, words: Iterable[int]) -> str:
        return ",".join(map(self.element, words))

    def _tuple(self, address: int, header: int) -> Line:
        arity = header >> ARITY_SHIFT
        if arity > MAX_TUPLE_ARITY or arity >= LARGE and not self._areas.holds(address + arity * self._word):
            return _NOTHING
        words = self._memory.words(address + self._word, arity)
        return f"t{arity:X}:{self._elements(words)}", words

    def _map(self, address: int, header: int) -> Line:
        kind = header >> ARITY_SHIFT & MAP_TYPE_MASK
        if kind == MAP_FLAT:
            return self._flat_map(address)
        count = ARRAY_NODES if kind == MAP_HEAD_ARRAY else bin(header >> MAP_VALUE_SHIFT & MAP_VALUE_MASK).count("1")
        first = HashMap.INNER_NODES if kind == MAP_NODE else HashMap.NODES
        nodes = self._memory.words(address + first * self._word, count)
        if kind == MAP_NODE:
            return f"Mn{count:X}:{self._elements(nodes)}", nodes
        size = self._memory.word(address + HashMap.SIZE * self._word)
        # The viewer fails where there are not as many pairs.
        found = self._vm.parts(address | BOXED, size) if size <= MAX_OBJECTS else []
        return (f"Mh{size:X}:{count:X}:{self._elements(nodes)}", nodes) if len(found) == size else _NOTHING

    def _flat_map(self, address: int) -> Line:
        _, size, keys = self._memory.words(address, FlatMap.VALUES)
        # The viewer fails where there are not as many keys.
        arity = self._memory.word(keys & self._strip)
        if size > MAX_FLATMAP_SIZE or keys & PRIMARY_MASK != BOXED or arity != size << ARITY_SHIFT:
            return _NOTHING
        values = self._memory.words(address + FlatMap.VALUES * self._word, size)
        return f"Mf{size:X}:{self.element(keys)}:{self._elements(values)}", (keys, *values)

    def _float(self, address: int, _: int) -> Line:
        value = self._vm.value(address | BOXED)
        if not isinstance(value, float) or not math.isfinite(value):
            return _NOTHING
        text = f"{value:.20e}"
        return f"F{len(text):X}:{text}", ()

    def _big(self, address: int, _: int) -> Line:
        value = self._vm.value(address | BOXED, Limits(bytes=1 << 30))
        if not isinstance(value, int):
            return _NOTHING
        return f"B{'-' if value < 0 else ''}16#{abs(value):X}", ()

    def _identifier(self, address: int, _: int) -> Line:
        return self._id(self._vm.value(address | BOXED)), ()

    def _encoded(self, address: int, _: int) -> Line:
        value = self._vm.value(address | BOXED, Limits(bytes=MOST_BITS))
        term: bytes | None = None
        if isinstance(value, Reference):
            term = external.reference(value)
        elif isinstance(value, ExternalFun):
            term = external.external_fun(value)
        elif isinstance(value, Fun):
            term = self._local_fun(address, value)
        elif isinstance(value, (Bitstring, MatchContext)):
            bits = value.rest if isinstance(value, MatchContext) else value
            term = external.bits(bits) if 8 * len(bits.data) >= bits.bits else None
        return (_external(term) if term is not None else None), ()

    def _local_fun(self, address: int, value: Fun) -> bytes | None:
        entry = self._vm.record("ErlFunEntry", self._memory.word(address + ErlFunThing27.ENTRY * self._word))
        uniq = self._memory.read(entry.field_address("uniq"), UNIQ_BYTES)
        if value.module.name is None:
            return None
        module = value.module.name
        return external.local_fun(module, value.arity, uniq, entry["index"], value.index, value.uniq, value.free)

    # -- binaries ---------------------------------------------------------------------------------------------------

    def _bytes(self, address: int, size: int) -> Line:
        return f"Yh{_counted(self._memory.read(address, size))}", ()

    def _heap_bin(self, address: int, header: int) -> Line:
        size = self._memory.word(address + ErlHeapBin.SIZE * self._word)
        if size > self._room(header):
            return _NOTHING
        return self._bytes(address + ErlHeapBin.DATA * self._word, size)

    def _room(self, header: int) -> int:
        """Bytes for which there is room in a binary or bit string on a heap."""
        return min(header >> ARITY_SHIFT, ErlHeapBin.MAX_ARITY) * self._word

    def _heap_bits(self, address: int, header: int) -> Line:
        bits = self._memory.word(address + ErlHeapBits.SIZE * self._word)
        if bits % 8:
            return self._encoded(address, header)
        if bits // 8 > self._room(header):
            return _NOTHING
        return self._bytes(address + ErlHeapBits.DATA * self._word, bits // 8)

    def _outside(self, binary: int, start: int, size: int) -> Line:
        """So many bytes at an address, which are in a `Binary`."""
        offset = start - binary - self._vm.layout.offset("Binary", "orig_bytes")
        if not 0 <= offset <= offset + size <= self._vm.record("Binary", binary)["orig_size"]:
            return _NOTHING
        if binary not in self._binaries:
            self._binaries.add(binary)
            self._new_binaries.append(binary)
        return f"Yc{binary:X}:{offset:X}:{size:X}", ()

    def _proc_bin(self, address: int, _: int) -> Line:
        words = self._memory.words(address, ProcBin.WORDS)
        return self._outside(words[ProcBin.VAL], words[ProcBin.BYTES], words[ProcBin.SIZE])

    def _sub_bin(self, address: int, header: int) -> Line:
        words = self._memory.words(address, ErlSubBin.WORDS)
        of_bits = words[ErlSubBin.BITS].to_bytes(self._word, self._memory.byteorder)
        if of_bits[ErlSubBin.BITSIZE_BYTE] or of_bits[ErlSubBin.BITOFFS_BYTE]:
            return self._encoded(address, header)
        whole, offset, size = words[ErlSubBin.ORIG] & self._strip, words[ErlSubBin.OFFS], words[ErlSubBin.SIZE]
        kind = self._tags.kind(self._memory.word(whole))
        if kind is Kind.PROC_BIN:
            binary = self._memory.words(whole, ProcBin.WORDS)
            return self._outside(binary[ProcBin.VAL], binary[ProcBin.BYTES] + offset, size)
        if kind is not Kind.HEAP_BIN or offset + size > self._memory.word(whole + ErlHeapBin.SIZE * self._word):
            return _NOTHING
        return self._bytes(whole + ErlHeapBin.DATA * self._word + offset, min(size, 8 * ErlHeapBin.MAX_ARITY))

    def _sub_bits(self, address: int, header: int) -> Line:
        words = self._memory.words(address, ErlSubBits.WORDS)
        start, bits = words[ErlSubBits.START], words[ErlSubBits.END] - words[ErlSubBits.START]
        if start % 8 or bits % 8 or bits < 0:
            return self._encoded(address, header)
        flags = words[ErlSubBits.BASE_FLAGS] & ErlSubBits.FLAG_MASK
        base = words[ErlSubBits.BASE_FLAGS] - flags
        whole = words[ErlSubBits.ORIG] & self._strip
        if self._tags.kind(self._memory.word(whole)) is not Kind.BIN_REF:
            # A binary on the heap that is being matched.
            return self._bytes(base + start // 8, bits // 8) if bits // 8 <= MOST_BITS else _NOTHING
        binary = self._memory.word(whole + BinRef.VAL * self._word)
        if flags & ErlSubBits.FLAG_VOLATILE:
            # One that was appended to may have been moved since.
            base = binary + self._vm.layout.offset("Binary", "orig_bytes")
        return self._outside(binary, base + start // 8, bits // 8)


def _counted(data: bytes) -> str:
    return f"{len(data):X}:{base64.b64encode(data).decode()}"


def _external(term: bytes) -> str:
    return f"E{_counted(external.VERSION + term)}"
