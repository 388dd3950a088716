"""The term format as declared must agree with the VM's own debug information, as extracted into the layout tables."""

import pytest

from beamgdb.terms.fields import FIELDS
from jit.otp import things
from jit.otp.features import BITS_NOT_BYTES
from jit.otp.layouts.layout import Layout, known, load_table

TABLES = [table for key in known() if (table := load_table(*key)) is not None]

HEAP_25 = {
    ("ErlHeapBin", "size"): things.ErlHeapBin.SIZE,
    ("ErlHeapBin", "data"): things.ErlHeapBin.DATA,
    ("ErlSubBin", "size"): things.ErlSubBin.SIZE,
    ("ErlSubBin", "offs"): things.ErlSubBin.OFFS,
    ("ErlSubBin", "bitsize"): things.ErlSubBin.BITS,
    ("ErlSubBin", "orig"): things.ErlSubBin.ORIG,
    ("ProcBin", "size"): things.ProcBin.SIZE,
    ("ProcBin", "val"): things.ProcBin.VAL,
    ("ProcBin", "bytes"): things.ProcBin.BYTES,
    ("ProcBin", "flags"): things.ProcBin.FLAGS,
    ("ErlBinMatchState", "mb.orig"): things.ErlBinMatchState.ORIG,
    ("ErlBinMatchState", "mb.base"): things.ErlBinMatchState.BASE,
    ("ErlBinMatchState", "mb.offset"): things.ErlBinMatchState.OFFSET,
    ("ErlBinMatchState", "mb.size"): things.ErlBinMatchState.SIZE,
    ("ErlBinMatchState", "save_offset"): things.ErlBinMatchState.SAVE_OFFSET,
    ("ErlFunThing", "entry.fun"): things.ErlFunThing25.ENTRY,
    ("ErlFunThing", "arity"): things.ErlFunThing25.COUNTS,
    ("ErlFunThing", "creator"): things.ErlFunThing25.CREATOR,
    ("ErlFunThing", "env"): things.ErlFunThing25.ENV,
}
HEAP_27 = {
    ("ErlHeapBits", "size"): things.ErlHeapBits.SIZE,
    ("ErlHeapBits", "data"): things.ErlHeapBits.DATA,
    ("ErlSubBits", "base_flags"): things.ErlSubBits.BASE_FLAGS,
    ("ErlSubBits", "start"): things.ErlSubBits.START,
    ("ErlSubBits", "end"): things.ErlSubBits.END,
    ("ErlSubBits", "orig"): things.ErlSubBits.ORIG,
    ("BinRef", "val"): things.BinRef.VAL,
    ("ErlFunThing", "entry.fun"): things.ErlFunThing27.ENTRY,
    ("ErlFunThing", "env"): things.ErlFunThing27.ENV,
}
HEAP_BOTH = {
    ("ExternalThing", "node"): things.ExternalThing.NODE,
    ("ExternalThing", "data"): things.ExternalThing.DATA,
}
#: The first byte of a word that holds several, and which of its bytes.
BYTES_25 = {
    ("ErlSubBin", "bitsize"): (things.ErlSubBin.BITS, things.ErlSubBin.BITSIZE_BYTE),
    ("ErlSubBin", "bitoffs"): (things.ErlSubBin.BITS, things.ErlSubBin.BITOFFS_BYTE),
    ("ErlFunThing", "arity"): (things.ErlFunThing25.COUNTS, things.ErlFunThing25.ARITY_BYTE),
    ("ErlFunThing", "num_free"): (things.ErlFunThing25.COUNTS, things.ErlFunThing25.NUM_FREE_BYTE),
}
WORDS_25 = {
    "ErlSubBin": things.ErlSubBin.WORDS,
    "ProcBin": things.ProcBin.WORDS,
    "ErlBinMatchState": things.ErlBinMatchState.SAVE_OFFSET + 1,
}
WORDS_27 = {"ErlSubBits": things.ErlSubBits.WORDS, "ErlFunThing": things.ErlFunThing27.WORDS}


@pytest.mark.parametrize("layout", TABLES, ids=lambda layout: layout.erts_version)
def test_tables_have_every_field_that_decoding_needs(layout: Layout) -> None:
    for struct, field in FIELDS:
        layout.offset(struct, field)


@pytest.mark.parametrize("layout", TABLES, ids=lambda layout: layout.erts_version)
def test_objects_on_the_heap_lie_as_declared(layout: Layout) -> None:
    in_bits, word_size = BITS_NOT_BYTES.of(int(layout.release.split(".")[0])), layout.word_size
    for (struct, field), word in (HEAP_BOTH | (HEAP_27 if in_bits else HEAP_25)).items():
        assert layout.offset(struct, field) == word * word_size, (struct, field)
    for (struct, field), (word, byte) in ({} if in_bits else BYTES_25).items():
        assert (layout.offset(struct, field), layout.width(struct, field)) == (word * word_size + byte, 1)
    for struct, words in (WORDS_27 if in_bits else WORDS_25).items():
        assert layout.size(struct) == words * word_size, struct


def test_the_largest_on_the_heap_is_believed() -> None:
    """Its size, and its data in words of either size."""
    for one in (things.ErlHeapBin, things.ErlHeapBits):
        assert all(one.DATA - 1 + things.ONHEAP_LIMIT // word_size <= one.MAX_ARITY for word_size in (4, 8))
