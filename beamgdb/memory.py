"""Reading the memory of a target, whatever it is: a GDB inferior, a core file, bytes in a test.

Everything below the GDB-facing code takes a `Memory`. `CachedMemory` is the reader to use on top of a slow one.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar, cast

from jit.object.target import ByteOrder

Made = TypeVar("Made")

#: No structure of the VM that a debugger shows is larger; a bigger request comes from a corrupt length.
READ_LIMIT = 64 << 20
#: Requests above this many bytes are passed on as they are: caching them would only push useful blocks out.
UNCACHED_ABOVE = 256 << 10
#: Bounds of the caches, in blocks and in remembered failures.
BLOCKS_KEPT = 16384
FAILURES_KEPT = 4096
#: And of what was made of memory.
MADE_KEPT = 4096
#: Blocks that are no further apart are read together, with what is between them.
NEAR = 3
#: Words that are often read together.
FEW_WORDS = 65
#: The key of what `CachedMemory.lacks` asks for once.
_MISSING = object()
#: Bytes that are read ahead in one request, and in all, at most.
AHEAD_AT_ONCE = 1 << 20
AHEAD = 32 << 20


def array_code(word_size: int) -> str:
    """The type code of `array` for words of a target: as numbers and not as objects of Python there may be millions."""
    return next(code for code in "ILQ" if array(code).itemsize == word_size)


class Unreadable(Exception):
    """Target memory at `address`, `size` bytes, cannot be read."""

    def __init__(self, address: int, size: int) -> None:
        super().__init__(f"cannot read {size} bytes at {address:#x}")
        self.address = address
        self.size = size


class Memory(Protocol):
    """Bytes of a target. `word_size` is in bytes (4 or 8)."""

    @property
    def word_size(self) -> int: ...

    @property
    def byteorder(self) -> ByteOrder: ...

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes at `address`; raises `Unreadable`."""


class BytesMemory:
    """Memory made of byte strings at given addresses. Segments that touch are readable across."""

    def __init__(self, segments: Mapping[int, bytes], word_size: int = 8, byteorder: ByteOrder = "little") -> None:
        self.word_size = word_size
        self.byteorder: ByteOrder = byteorder
        self._starts = sorted(segments)
        self._segments = [bytes(segments[start]) for start in self._starts]

    def read(self, address: int, size: int) -> bytes:
        if size < 0 or size > READ_LIMIT:
            raise Unreadable(address, size)
        parts: list[bytes] = []
        at, left = address, size
        while left:
            i = bisect_right(self._starts, at) - 1
            part = self._segments[i][at - self._starts[i] :][:left] if i >= 0 else b""
            if not part:
                raise Unreadable(address, size)
            parts.append(part)
            at += len(part)
            left -= len(part)
        return b"".join(parts)


class CachedMemory:
    """A reader that fetches aligned blocks and keeps them until `forget`, with the integer accessors of the VM's types.

    `reads` counts the requests made to the memory below. Addresses wrap at the word size as pointers do; a range that
    would run over the end of the address space is unreadable. Where a block is only partly readable, requests inside
    it are passed on exactly, so the readable part reads right.
    """

    def __init__(
        self, memory: Memory, block: int = 4096, missing: Callable[[], Sequence[tuple[int, int]]] = tuple
    ) -> None:
        """`missing` tells which memory there was that is not in `memory`, as in a core file that was cut off: each from
        a start up to an end, in order."""
        if block < 16 or block & (block - 1):
            raise ValueError(f"block size {block} is not a power of two of at least 16")
        self.memory = memory
        self.word_size = memory.word_size
        self.byteorder: ByteOrder = memory.byteorder
        self.reads = 0
        self.address_mask = (1 << (8 * self.word_size)) - 1
        self._shift = block.bit_length() - 1
        self._block = block
        self._blocks: dict[int, bytes] = {}
        self._broken: set[int] = set()  # blocks that cannot be read whole
        self._refused: set[tuple[int, int]] = set()  # exact requests that failed
        self._made: dict[object, object] = {}
        self._missing = missing
        self._order = "<" if self.byteorder == "little" else ">"
        self._word_code = "Q" if self.word_size == 8 else "I"
        self._within, self._last_word = block - 1, block - self.word_size
        self._word_in = struct.Struct(self._order + self._word_code).unpack_from
        self._s32_in = struct.Struct(self._order + "i").unpack_from
        self._pair = struct.Struct(self._order + 2 * self._word_code)
        self._forms = [struct.Struct(f"{self._order}{count}{self._word_code}") for count in range(FEW_WORDS)]

    def forget(self) -> None:
        """Drop all that was read: the target has run, or its memory was written."""
        self._blocks.clear()
        self._broken.clear()
        self._refused.clear()
        self._made.clear()

    def made(self, key: object, make: Callable[[], Made]) -> Made:
        """What is made of memory that many ask for, once until `forget`. The key is of one who makes it, and says
        where. Raises what `make` does."""
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= MADE_KEPT:
                self._made.clear()
            found = self._made[key] = make()
        return cast(Made, found)

    def lacks(self, address: int, size: int = 1) -> bool:
        """Whether some of that memory was there, but is not in what is read: that it cannot be read is no fault of
        who leads to it."""
        missing = self.made(_MISSING, lambda: tuple(zip(*self._missing())) or ((), ()))
        starts, ends = missing
        at = bisect_right(ends, address)
        return at < len(starts) and bool(starts[at] < address + size)

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes at `address`; raises `Unreadable`."""
        address &= self.address_mask
        if not 0 <= size <= READ_LIMIT or address + size > self.address_mask + 1:
            raise Unreadable(address, size)
        if size > UNCACHED_ABOVE:
            return self._fetch(address, size)
        first = address >> self._shift
        at = address - (first << self._shift)
        last = (address + size - 1) >> self._shift
        if first >= last:
            block = self._blocks.get(first) or self._load(first)
            return block[at : at + size] if block else self._exact(address, size)
        if last == first + 1:
            one, other = self._blocks.get(first), self._blocks.get(last)
            if one and other:
                return one[at:] + other[: at + size - self._block]
        blocks = self._span(first, last)
        return blocks[at : at + size] if blocks else self._exact(address, size)

    def try_read(self, address: int, size: int) -> bytes | None:
        """The same, or None where it cannot be read."""
        try:
            return self.read(address, size)
        except Unreadable:
            return None

    def word(self, address: int) -> int:
        """The unsigned machine word at `address`."""
        address &= self.address_mask
        block = self._blocks.get(address >> self._shift)
        at = address & self._within
        found: int
        if block and at <= self._last_word:
            (found,) = self._word_in(block, at)
        else:
            (found,) = self._word_in(self.read(address, self.word_size))
        return found

    def pair(self, address: int) -> tuple[int, int]:
        """The two unsigned words at `address`: a cons cell."""
        address &= self.address_mask
        block = self._blocks.get(address >> self._shift)
        at = address & self._within
        if block and at + 2 * self.word_size <= self._block:
            head, tail = self._pair.unpack_from(block, at)
        else:
            head, tail = self._pair.unpack(self.read(address, 2 * self.word_size))
        return head, tail

    def words(self, address: int, count: int) -> tuple[int, ...]:
        """`count` unsigned words from `address` on."""
        address &= self.address_mask
        if 0 <= count < FEW_WORDS:
            block, at = self._blocks.get(address >> self._shift), address & self._within
            if block and at + count * self.word_size <= self._block:
                return self._forms[count].unpack_from(block, at)
        if not 0 <= count <= READ_LIMIT // self.word_size:
            raise Unreadable(address, count * self.word_size)
        return self._unpacked(self.read(address, count * self.word_size))

    def used_words(self, address: int, count: int) -> tuple[int, ...]:
        """The same, but none where all of them are 0: as nearly all of a table of 2^27 places are, which takes a second
        to read and a minute to go through."""
        raw = self.read(address, count * self.word_size)
        return self._unpacked(raw) if raw != bytes(len(raw)) else ()

    def _unpacked(self, raw: bytes) -> tuple[int, ...]:
        return struct.unpack(f"{self._order}{len(raw) // self.word_size}{self._word_code}", raw)

    def ahead(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Fetch what will be asked for soon, each from an address up to another, in few requests. What there is no room
        for, or cannot be read, is left for when it is asked for."""
        most, wanted = AHEAD >> self._shift, set[int]()
        for start, end in ranges:
            if 0 <= start < end <= self.address_mask and end - start <= AHEAD:
                wanted.update(range(start >> self._shift, (end - 1 >> self._shift) + 1))
            if len(wanted) >= most:
                break
        missing = [number for number in sorted(wanted) if number not in self._blocks and number not in self._broken]
        if len(self._blocks) + len(missing) > BLOCKS_KEPT:
            self._blocks.clear()
            missing = sorted(wanted)
        at_once, first = AHEAD_AT_ONCE >> self._shift, 0
        for at in range(1, len(missing) + 1):
            after = missing[at] if at < len(missing) else self.address_mask
            if after - missing[at - 1] > NEAR or after - missing[first] >= at_once:
                self._load_these(missing[first:at])
                first = at

    def _load_these(self, numbers: list[int]) -> None:
        """Blocks that are near to each other, as far as they can be read."""
        first, half = numbers[0], len(numbers) // 2
        if not half:
            self._load(first)
            return
        try:
            data = self._fetch(first << self._shift, numbers[-1] - first + 1 << self._shift)
        except Unreadable:
            self._load_these(numbers[:half])
            self._load_these(numbers[half:])
            return
        for number in numbers:
            at = number - first << self._shift
            self._blocks[number] = data[at : at + self._block]

    def u8(self, address: int) -> int:
        return self.read(address, 1)[0]

    def u16(self, address: int) -> int:
        return int.from_bytes(self.read(address, 2), self.byteorder)

    def u32(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), self.byteorder)

    def u64(self, address: int) -> int:
        return int.from_bytes(self.read(address, 8), self.byteorder)

    def s32(self, address: int) -> int:
        block, at = self._blocks.get(address >> self._shift), address & self._within
        found: int
        (found,) = self._s32_in(block, at) if block and at + 4 <= self._block else self._s32_in(self.read(address, 4))
        return found

    def cstring(self, address: int, limit: int = 1024) -> bytes:
        """The bytes at `address` before the first NUL, at most `limit`; raises `Unreadable` if memory ends first."""
        parts: list[bytes] = []
        left = limit
        while left > 0:
            address &= self.address_mask
            step = min(left, self._block - (address & self._within))
            part = self._readable(address, step)
            end = part.find(b"\0")
            if end >= 0:
                return b"".join((*parts, part[:end]))
            if len(part) < step:
                raise Unreadable(address + len(part), 1)
            parts.append(part)
            address += step
            left -= step
        return b"".join(parts)

    def _readable(self, address: int, size: int) -> bytes:
        """As many of the `size` bytes at `address` as can be read, found by halving."""
        try:
            return self.read(address, size)
        except Unreadable:
            pass
        known = b""
        step = size // 2
        while step:
            try:
                known += self.read(address + len(known), step)
            except Unreadable:
                pass
            step = min(step // 2, size - len(known))
        return known

    def _fetch(self, address: int, size: int) -> bytes:
        self.reads += 1
        data = self.memory.read(address, size)
        if len(data) != size:
            raise Unreadable(address, size)
        return data

    def _load(self, number: int) -> bytes | None:
        """Block `number`, newly read; None when it cannot be read whole."""
        if number in self._broken:
            return None
        try:
            data = self._fetch(number << self._shift, self._block)
        except Unreadable:
            if len(self._broken) >= FAILURES_KEPT:
                self._broken.clear()
            self._broken.add(number)
            return None
        self._keep(number, data)
        return data

    def _keep(self, number: int, data: bytes) -> None:
        if len(self._blocks) >= BLOCKS_KEPT:
            self._blocks.clear()
        self._blocks[number] = data

    def _span(self, first: int, last: int) -> bytes | None:
        """Blocks `first` to `last` as one string; those not at hand are fetched with one request."""
        numbers = range(first, last + 1)
        held = [self._blocks.get(number) for number in numbers]
        missing = [number for number, block in zip(numbers, held) if block is None]
        if not missing:
            return b"".join(block for block in held if block)
        if not self._broken.isdisjoint(missing):
            return None
        low, count = missing[0], missing[-1] - missing[0] + 1
        try:
            data = self._fetch(low << self._shift, count << self._shift)
        except Unreadable:
            return None
        for i in range(count):
            block = data[i << self._shift : (i + 1) << self._shift]
            held[low + i - first] = block
            self._keep(low + i, block)
        return b"".join(block for block in held if block)

    def _exact(self, address: int, size: int) -> bytes:
        """A request that blocks cannot serve, passed on as it is. A refusal is remembered."""
        if (address, size) in self._refused:
            raise Unreadable(address, size)
        try:
            return self._fetch(address, size)
        except Unreadable:
            if len(self._refused) >= FAILURES_KEPT:
                self._refused.clear()
            self._refused.add((address, size))
            raise
