"""Telling header words from other untagged words, and sound ones from broken ones."""

from jit.otp.features import FUN_HEADERS, LASTING_FUNS
from jit.otp.tags import (
    ARITY_SHIFT,
    FUN_ARITY_SHIFT,
    FUN_ENV_SHIFT,
    FUN_KIND_SHIFT,
    MAP_ARITY_MASK,
    MAP_ARITY_SHIFT,
    MAP_NODE,
    MAP_TYPE_MASK,
    MAP_VALUE_BITS,
    MAP_VALUE_SHIFT,
    MAX_FUN_ARITY,
    MAX_TUPLE_ARITY,
    Kind,
    TagScheme,
)
from jit.otp.things import (
    BinRef,
    ErlFunThing25,
    ErlHeapBin,
    ErlHeapBits,
    ErlSubBin,
    ErlSubBits,
    ExternalThing,
    Float,
    FunRef,
    ProcBin,
    RefThing,
)  # fmt: skip

#: A header of these kinds has one size only, per word size.
_FIXED_ARITY: dict[Kind, dict[int, int]] = {
    Kind.FLOAT: Float.ARITY,
    Kind.PROC_BIN: {8: ProcBin.ARITY, 4: ProcBin.ARITY},
    Kind.SUB_BIN: {8: ErlSubBin.ARITY, 4: ErlSubBin.ARITY},
    Kind.SUB_BITS: {8: ErlSubBits.ARITY, 4: ErlSubBits.ARITY},
    Kind.BIN_REF: {8: BinRef.ARITY, 4: BinRef.ARITY},
    Kind.FUN_REF: {8: FunRef.ARITY, 4: FunRef.ARITY},
    Kind.EXTERNAL_PID: ExternalThing.PID_ARITY,
    Kind.EXTERNAL_PORT: ExternalThing.PORT_ARITY,
}

#: Largest believable size of the other kinds, in words.
_MAX_ARITY: dict[Kind, int] = {
    Kind.TUPLE: MAX_TUPLE_ARITY,
    Kind.RECORD: MAX_TUPLE_ARITY,
    Kind.REF: max(RefThing.PID_ARITY.values()),
    Kind.EXTERNAL_REF: 8,
    Kind.HEAP_BIN: ErlHeapBin.MAX_ARITY,
    Kind.HEAP_BITS: ErlHeapBits.MAX_ARITY,
    Kind.MATCH_STATE: 1024,
}


def believable_arity(tags: TagScheme, header: int, kind: Kind) -> int | None:
    """The size that a header word tells, None when no object of the kind has such a one."""
    arity = header >> ARITY_SHIFT
    if kind in _FIXED_ARITY:
        return arity if arity == _FIXED_ARITY[kind][tags.word_size] else None
    if kind in (Kind.POS_BIG, Kind.NEG_BIG):
        return arity if 0 < arity <= tags.max_big_words else None
    if kind is Kind.MAP:
        return _map_nodes(header)
    if kind is Kind.FUN:
        return _fun_arity(tags, header)
    return arity if arity <= _MAX_ARITY[kind] else None


def _map_nodes(header: int) -> int | None:
    """A map header has nothing above its bitmap, and the arity field is 1 for a whole map, 0 for a node."""
    kind, whole = header >> ARITY_SHIFT & MAP_TYPE_MASK, header >> MAP_ARITY_SHIFT & MAP_ARITY_MASK
    if header >> (MAP_VALUE_SHIFT + MAP_VALUE_BITS) or whole != (kind != MAP_NODE):
        return None
    return (header >> MAP_VALUE_SHIFT).bit_count()


def _fun_arity(tags: TagScheme, header: int) -> int | None:
    if not FUN_HEADERS.of(tags.release):
        arity = header >> ARITY_SHIFT
        return arity if arity == ErlFunThing25.ARITY else None
    spare = header >> ARITY_SHIFT & ((1 << (FUN_ARITY_SHIFT - ARITY_SHIFT)) - 1)
    environment = header >> FUN_ENV_SHIFT
    external = 1 << FUN_KIND_SHIFT - FUN_ENV_SHIFT
    if LASTING_FUNS.of(tags.release):
        is_sound = environment <= MAX_FUN_ARITY or environment == external
    else:
        is_sound = environment <= MAX_FUN_ARITY + 1
    if spare or not is_sound:
        return None
    return header >> FUN_ARITY_SHIFT & MAX_FUN_ARITY
