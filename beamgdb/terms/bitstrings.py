"""Binaries, bitstrings and match contexts (erl_binary.h, erl_bits.h and global.h of OTP 25 and 27)."""

from __future__ import annotations

from beamgdb.memory import CachedMemory
from beamgdb.terms.source import Malformed, Source
from beamgdb.terms.values import Bitstring, LayoutUnknown, MatchContext, UnknownBoxed, Value
from jit.otp.tags import ARITY_SHIFT, BOXED, HEADER_MASK, HEADERS_IN_BITS, PRIMARY_MASK, Kind
from jit.otp.things import BinRef, ErlBinMatchState, ErlHeapBin, ErlHeapBits, ErlSubBin, ErlSubBits, ProcBin


def heap_bin(source: Source, address: int, header: int, limit: int) -> Value:
    """OTP 25: bytes on the heap."""
    size = source.memory.word(address + ErlHeapBin.SIZE * source.tags.word_size)
    return _on_heap(source, address, header, 8 * size, limit)


def heap_bits(source: Source, address: int, header: int, limit: int) -> Value:
    """OTP 27: bits on the heap."""
    size = source.memory.word(address + ErlHeapBits.SIZE * source.tags.word_size)
    return _on_heap(source, address, header, size, limit)


def proc_bin(source: Source, address: int, header: int, limit: int) -> Value:
    """OTP 25: a whole off-heap binary."""
    source.expect_arity(address, header, ProcBin.ARITY)
    words = source.memory.words(address, ProcBin.WORDS)
    storage = "writable" if words[ProcBin.FLAGS] & ProcBin.IS_WRITABLE else "refc"
    return bits_at(source, words[ProcBin.BYTES], 0, 8 * words[ProcBin.SIZE], limit, storage)


def sub_bin(source: Source, address: int, header: int, limit: int) -> Value:
    """OTP 25: a part of another binary, from any bit to any bit."""
    source.expect_arity(address, header, ErlSubBin.ARITY)
    words = source.memory.words(address, ErlSubBin.WORDS)
    small = words[ErlSubBin.BITS].to_bytes(source.tags.word_size, source.memory.byteorder)
    tail, shift = small[ErlSubBin.BITSIZE_BYTE], small[ErlSubBin.BITOFFS_BYTE]
    base, size = _whole_binary(source, words[ErlSubBin.ORIG])
    start = 8 * words[ErlSubBin.OFFS] + shift
    bits = 8 * words[ErlSubBin.SIZE] + tail
    if tail > 7 or shift > 7 or start + bits > 8 * size:
        raise Malformed(UnknownBoxed(address, header, "runs out of its binary"))
    return bits_at(source, base, start, bits, limit, "sub")


def match_state(source: Source, address: int, header: int, limit: int) -> Value:
    """OTP 25: a binary being matched."""
    if header >> ARITY_SHIFT < ErlBinMatchState.MIN_ARITY:
        raise Malformed(UnknownBoxed(address, header, "impossible size"))
    words = source.memory.words(address, ErlBinMatchState.WORDS)
    start, end = words[ErlBinMatchState.OFFSET], words[ErlBinMatchState.SIZE]
    if start > end:
        raise Malformed(UnknownBoxed(address, header, "runs out of its binary"))
    return MatchContext(bits_at(source, words[ErlBinMatchState.BASE], start, end - start, limit, "sub"), start)


def sub_bits(source: Source, address: int, header: int, limit: int) -> Value:
    """OTP 27: a part or the whole of an off-heap binary, or a match context."""
    source.expect_arity(address, header, ErlSubBits.ARITY)
    words = source.memory.words(address, ErlSubBits.WORDS)
    start, end = words[ErlSubBits.START], words[ErlSubBits.END]
    flags = words[ErlSubBits.BASE_FLAGS] & ErlSubBits.FLAG_MASK
    base = words[ErlSubBits.BASE_FLAGS] - flags
    if start > end:
        raise Malformed(UnknownBoxed(address, header, "ends before it starts"))
    if flags & ErlSubBits.FLAG_VOLATILE:
        # A binary that was appended to may have been reallocated since: only its Binary knows where it is.
        base = _bytes_of_bin_ref(source, words[ErlSubBits.ORIG], address)
    if flags == ErlSubBits.FLAG_MUTABLE:
        return MatchContext(bits_at(source, base, start, end - start, limit, "sub"), start)
    storage = "writable" if flags & ErlSubBits.FLAG_VOLATILE else "refc"
    return bits_at(source, base, start, end - start, limit, storage)


def literal_bytes(memory: CachedMemory, word: int, size: int) -> bytes | None:
    """The bytes of a literal that must be a binary of `size` bytes, as OTP 28 has names of atoms (atom.c, atom_alloc);
    None where it is none. For what terms of all kinds are read with. Raises Unreadable."""
    address = word & -memory.word_size
    if word & PRIMARY_MASK != BOXED:
        return None
    header = memory.word(address)
    if header & HEADER_MASK == HEADERS_IN_BITS[Kind.HEAP_BITS]:
        start, end = 0, memory.word(address + ErlHeapBits.SIZE * memory.word_size)
        base = address + ErlHeapBits.DATA * memory.word_size
    elif header == ErlSubBits.ARITY << ARITY_SHIFT | HEADERS_IN_BITS[Kind.SUB_BITS]:
        words = memory.words(address, ErlSubBits.WORDS)
        start, end, base = words[ErlSubBits.START], words[ErlSubBits.END], words[ErlSubBits.BASE_FLAGS]
    else:
        return None
    return memory.read(base, size) if (start, end, base & ErlSubBits.FLAG_MASK) == (0, 8 * size, 0) else None


def _on_heap(source: Source, address: int, header: int, bits: int, limit: int) -> Bitstring:
    arity = header >> ARITY_SHIFT
    room = (arity + 1 - ErlHeapBin.DATA) * source.tags.word_size
    if arity > ErlHeapBin.MAX_ARITY or bits > 8 * room:
        raise Malformed(UnknownBoxed(address, header, "impossible size"))
    return bits_at(source, address + ErlHeapBin.DATA * source.tags.word_size, 0, bits, limit, "heap")


def _whole_binary(source: Source, word: int) -> tuple[int, int]:
    """Address of the bytes and size in bytes of the heap or refc binary `word` (OTP 25)."""
    address, header = source.boxed(word, Kind.PROC_BIN, Kind.HEAP_BIN)
    words = source.memory.words(address, 2)
    if source.tags.kind(header) is Kind.HEAP_BIN:
        return address + ErlHeapBin.DATA * source.tags.word_size, words[ErlHeapBin.SIZE]
    return source.memory.word(address + ProcBin.BYTES * source.tags.word_size), words[ProcBin.SIZE]


def _bytes_of_bin_ref(source: Source, word: int, holder: int) -> int:
    """Address of the first byte of the Binary behind the binary ref `word` (OTP 27)."""
    address, header = source.boxed(word, Kind.BIN_REF)
    source.expect_arity(address, header, BinRef.ARITY)
    try:
        to_bytes = source.layout.offset("Binary", "orig_bytes")
    except KeyError:
        raise Malformed(LayoutUnknown(Kind.SUB_BITS, holder)) from None
    return source.memory.word(address + BinRef.VAL * source.tags.word_size) + to_bytes


def bits_at(source: Source, base: int, start: int, bits: int, limit: int, storage: str) -> Bitstring:
    """The `bits` from bit `start` after the byte at `base`, at most `limit` bytes of them, left-aligned."""
    if not bits or limit <= 0:
        return Bitstring(b"", bits, storage)
    shown = min(bits, 8 * limit)
    shift = start & 7
    data = source.memory.read(base + (start >> 3), (shift + shown + 7) >> 3)
    if shift or shown & 7:
        spare = 8 * len(data) - shift - shown
        number = int.from_bytes(data, "big") >> spare & ((1 << shown) - 1)
        data = (number << (-shown & 7)).to_bytes((shown + 7) >> 3, "big")
    return Bitstring(data, bits, storage)
