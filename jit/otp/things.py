"""Where the parts of a boxed object lie, counted in words from its header word.

Source: the structures of the same names in `global.h`, `erl_binary.h`, `erl_bits.h`, `erl_fun.h`, `erl_map.h` and
`erl_term.h` of OTP 25.2.3, 27.3.4.1 and 29.1.1, and in `erl_record.h` of the last. `ARITY` is the size field of the
header where it is fixed. These objects are made of whole words, so one declaration serves both word sizes.
"""

from __future__ import annotations

from typing import Final

ONHEAP_LIMIT: Final = 64
"""Bytes of a bit string on the heap, at most (ERL_ONHEAP_BIN_LIMIT of erl_binary.h, ERL_ONHEAP_BITS_LIMIT of
erl_bits.h)."""


class Float:
    ARITY: Final = {8: 1, 4: 2}


class FlatMap:
    SIZE: Final = 1
    KEYS: Final = 2
    VALUES: Final = 3


class HashMap:
    SIZE: Final = 1
    NODES: Final = 2  # of the head; inner nodes have no size word
    INNER_NODES: Final = 1


class ErlHeapBin:  # OTP 25
    MAX_ARITY: Final = 2 * ONHEAP_LIMIT // 4  # of so much data, and then some, on either word size
    SIZE: Final = 1  # bytes
    DATA: Final = 2


class ErlSubBin:  # OTP 25
    ARITY: Final = 3
    WORDS: Final = 5
    SIZE: Final = 1  # whole bytes
    OFFS: Final = 2  # bytes
    BITS: Final = 3  # the word that holds the byte fields below
    BITSIZE_BYTE: Final = 0
    BITOFFS_BYTE: Final = 1
    ORIG: Final = 4


class ProcBin:  # OTP 25
    ARITY: Final = 5
    WORDS: Final = 6
    SIZE: Final = 1  # bytes
    VAL: Final = 3
    BYTES: Final = 4
    FLAGS: Final = 5
    IS_WRITABLE: Final = 1


class ErlBinMatchState:  # OTP 25
    MIN_ARITY: Final = 4
    WORDS: Final = 5
    ORIG: Final = 1
    BASE: Final = 2
    OFFSET: Final = 3  # bits
    SIZE: Final = 4  # bits; counted from BASE, as OFFSET is
    SAVE_OFFSET: Final = 5  # the first saved position, if there is one


class ErlHeapBits:  # since OTP 27
    MAX_ARITY: Final = ErlHeapBin.MAX_ARITY
    SIZE: Final = 1  # bits
    DATA: Final = 2


class ErlSubBits:  # since OTP 27
    ARITY: Final = 4
    WORDS: Final = 5
    BASE_FLAGS: Final = 1
    START: Final = 2  # bits from the base
    END: Final = 3
    ORIG: Final = 4
    FLAG_MUTABLE: Final = 1
    FLAG_VOLATILE: Final = 2
    FLAG_MASK: Final = 3


class BinRef:  # since OTP 27
    ARITY: Final = 2
    VAL: Final = 1


class FunRef:  # OTP 27
    ARITY: Final = 2


class ErlFunThing25:
    ARITY: Final = 3
    WORDS: Final = 5
    ENTRY: Final = 1
    COUNTS: Final = 3  # the word that holds the byte fields below
    ARITY_BYTE: Final = 0
    NUM_FREE_BYTE: Final = 1
    CREATOR: Final = 4
    ENV: Final = 5


class ErlFunThing27:  # and since
    WORDS: Final = 2
    ENTRY: Final = 1
    ENV: Final = 2


class ErtsRecordInstance:  # since OTP 29
    DEFINITION: Final = 1
    VALUES: Final = 2


class ErtsRecordDefinition:  # since OTP 29; its header is that of a tuple
    FIELD_ORDER: Final = 1  # a tuple of small integers: places of the fields in the order of the source
    MODULE: Final = 3
    NAME: Final = 4
    KEYS: Final = 6  # atoms, as values are in an order of the VM's own


class RefThing:
    """Local references. On 64 bits an ordinary one is told from a magic one by a marker, on 32 bits by its size."""

    ORDINARY_ARITY: Final = {8: 2, 4: 3}
    PID_ARITY: Final = {8: 3, 4: 4}
    MAGIC_ARITY: Final = {8: 2, 4: 2}
    MARKER: Final = 0xFFFFFFFF
    NUMBERS: Final = 3
    MAGIC_BINARY: Final = 1


class ExternalThing:
    NODE: Final = 1
    DATA: Final = 3
    PID_ARITY: Final = {8: 3, 4: 4}
    PORT_ARITY: Final = {8: 3, 4: 4}
    MAX_REF_NUMBERS: Final = 5
