"""The term format as declared must agree with the VM's own debug information, as extracted into the layout tables."""

import pytest

from beamgdb.layouts.layout import Layout, known, load_table
from beamgdb.terms import things
from beamgdb.terms.fields import FIELDS

TABLES = [table for key in known() if (table := load_table(*key)) is not None]

HEAP_25 = {
    ("ErlHeapBin", "size"): things.ErlHeapBin.SIZE,
    ("ErlHeapBin", "data"): things.ErlHeapBin.DATA,
    ("ErlSubBin", "size"): things.ErlSubBin.SIZE,
    ("ErlSubBin", "offs"): things.ErlSubBin.OFFS,
    ("ErlSubBin", "bitsize"): things.ErlSubBin.BITS,
    ("ErlSubBin", "orig"): things.ErlSubBin.ORIG,
    ("ProcBin", "size"): things.ProcBin.SIZE,
    ("ProcBin", "bytes"): things.ProcBin.BYTES,
    ("ProcBin", "flags"): things.ProcBin.FLAGS,
    ("ErlBinMatchState", "mb.orig"): things.ErlBinMatchState.ORIG,
    ("ErlBinMatchState", "mb.base"): things.ErlBinMatchState.BASE,
    ("ErlBinMatchState", "mb.offset"): things.ErlBinMatchState.OFFSET,
    ("ErlBinMatchState", "mb.size"): things.ErlBinMatchState.SIZE,
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


@pytest.mark.parametrize("layout", TABLES, ids=lambda layout: layout.erts_version)
def test_tables_have_every_field_that_decoding_needs(layout: Layout) -> None:
    for struct, field in FIELDS:
        layout.offset(struct, field)


@pytest.mark.parametrize("layout", TABLES, ids=lambda layout: layout.erts_version)
def test_objects_on_the_heap_lie_as_declared(layout: Layout) -> None:
    release = int(layout.release.split(".")[0])
    declared = HEAP_BOTH | (HEAP_27 if release >= 27 else HEAP_25)
    checked = 0
    for (struct, field), word in declared.items():
        if layout.has(struct, field):
            assert layout.offset(struct, field) == word * layout.word_size, (struct, field)
            checked += 1
    assert checked >= len(declared) - 2
