"""How terms are tagged in a release that nobody knows: as in a known one, if what processes have on their heaps is so,
and their pids and states are.

What is the same in all known releases is taken to be the same here. Of the rest each kind of term is proved by terms of
it, or is not known: as the tag of a kind may stand for another one here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Optional

from beamgdb.evidence.findings import INT, Findings, NotProved, Seen, most
from beamgdb.evidence.processes import SOME, is_atom
from beamgdb.evidence.schedulers import running
from beamgdb.evidence.terms import Things, arity_of_code, things_of
from beamgdb.memory import Unreadable
from beamgdb.terms.headers import believable_arity
from beamgdb.terms.slots import SlotOrder
from beamgdb.vm.off_heap import IS_MAGIC
from beamgdb.vm.processes import RUNNING
from jit.otp.features import FUN_HEADERS, LASTING_FUNS
from jit.otp.tags import (
    ARITY_SHIFT,
    BOXED,
    FUN_ARITY_SHIFT,
    FUN_ENV_SHIFT,
    FUN_KIND_SHIFT,
    HEADER_MASK,
    IMMED1_BITS,
    MAP_FLAT,
    MAP_NODE,
    MAP_TYPE_MASK,
    MAX_FLATMAP_SIZE,
    MAX_FUN_ARITY,
    PRIMARY_MASK,
    RELEASES,
    SAME_IN_ALL,
    TUPLE_HEADER,
    Kind,
    TagScheme,
    tag_scheme,
)
from jit.otp.things import (
    BinRef,
    ErlFunThing25,
    ErlFunThing27,
    ErlHeapBits,
    ErlSubBin,
    ErlSubBits,
    ErtsRecordDefinition,
    ErtsRecordInstance,
    ExternalThing,
    FlatMap,
    ProcBin,
)
from jit.otp.vm_flags import of_state

MUST_BE_PROVED: Final = (Kind.MAP, Kind.FUN)
"""Kinds that every node has, by which releases differ."""

MANY: Final = 4 * SOME
"""Things of one kind of which most are meant, if any are."""

LARGEST_BINARY_HEAD = 128
"""Bytes of a `Binary` before those that it is for, at most."""


def prove(seen: Seen, found: Findings, claimed: int, debug: bool) -> tuple[TagScheme, str]:
    """The scheme, without kinds of which there are no terms, and what proves it; of two that both fit that of the
    release nearer to the one that the VM claims to be. Raises `NotProved`, `Unreadable`."""
    things = things_of(seen, found)
    fit: dict[int, tuple[TagScheme, dict[Kind, int]]] = {}
    for release in RELEASES:
        tags = tag_scheme(release, seen.word, debug=debug)
        if not _are_states(seen, found, of_state(release)):
            continue
        shown = _shown(seen, found, tags, things) if _are_pids(seen, found, tags) else None
        if shown is not None and all(kind in shown for kind in MUST_BE_PROVED):
            fit[release] = tags, shown
    if not fit:
        raise NotProved("terms are tagged as in no known release")
    release = min(fit, key=lambda one: abs(one - claimed))
    tags, shown = fit[release]
    subtags = tuple(kind if kind in shown or kind in SAME_IN_ALL else None for kind in tags.subtags)
    by_number = sorted(shown.items(), key=lambda one: -one[1])
    how = f"the pids of {len(found.processes)} processes, and terms: " + ", ".join(
        f"{count} of {kind.value}" for kind, count in by_number
    )
    return replace(tags, subtags=subtags, is_proved=True), how


def _shown(seen: Seen, found: Findings, tags: TagScheme, things: Things) -> dict[Kind, int] | None:
    """By kind, how many terms are as the scheme has them, where that are enough; None if many of a kind are not."""
    shown = {}
    for header, addresses in things.items():
        kind = tags.kind(header)
        check = _CHECKS.get(kind) if kind is not None else None
        if kind is None or check is None:
            continue
        told = [_holds(check, seen, found, tags, address) for address in addresses]
        fitting = [one for one in told if one is not None]
        if len(fitting) < SOME:
            continue
        # Words within binaries lead anywhere: where there are few things, some may be none that are meant. That tells
        # nothing of this kind then, and nothing against the others; of what every node has it does.
        if sum(fitting) < len(fitting) - max(1, len(fitting) // 8):
            if len(fitting) >= MANY and 2 * sum(fitting) < len(fitting):
                return None
            continue
        if sum(fitting) < SOME:
            continue
        shown[kind] = sum(fitting)
    return shown


Check = Callable[[Seen, Findings, TagScheme, int], Optional[bool]]
"""Whether what is at an address is as a scheme says, None where that cannot be told."""


def _holds(check: Check, seen: Seen, found: Findings, tags: TagScheme, address: int) -> bool | None:
    """The same, of what has a header that is possible at all."""
    try:
        header = seen.memory.word(address)
        kind = tags.kind(header)
        if kind is None or believable_arity(tags, header, kind) is None:
            return False
        return check(seen, found, tags, address)
    except NotProved:
        # What it takes to tell is not known here.
        return None
    except Unreadable:
        return False


def _is_map(seen: Seen, _: Findings, __: TagScheme, address: int) -> bool | None:
    """A small map has as many keys as it says, in a tuple; a large one is larger than any small one."""
    header, size = seen.memory.words(address, 2)
    kind = header >> ARITY_SHIFT & MAP_TYPE_MASK
    if kind == MAP_NODE:
        return None
    if kind != MAP_FLAT:
        return size > MAX_FLATMAP_SIZE
    keys = seen.memory.word(address + FlatMap.KEYS * seen.word)
    if keys & PRIMARY_MASK != BOXED or size > MAX_FLATMAP_SIZE:
        return False
    return seen.memory.word(keys - BOXED) == size << ARITY_SHIFT | TUPLE_HEADER


def _is_fun(seen: Seen, found: Findings, tags: TagScheme, address: int) -> bool | None:
    """The function of a local fun has its arguments, and then its free variables."""
    header, entry = seen.memory.words(address, ErlFunThing27.WORDS)
    arity = arity_of_code(seen, found, entry)
    if arity is None:
        return None
    if LASTING_FUNS.of(tags.release):
        free = header >> FUN_ENV_SHIFT & MAX_FUN_ARITY
        return not header >> FUN_KIND_SHIFT and (header >> FUN_ARITY_SHIFT & MAX_FUN_ARITY) + free == arity
    if FUN_HEADERS.of(tags.release):
        return (header >> FUN_ARITY_SHIFT & MAX_FUN_ARITY) + (header >> FUN_ENV_SHIFT) - 1 == arity
    counts = seen.memory.read(address + ErlFunThing25.COUNTS * seen.word, seen.word)
    return counts[ErlFunThing25.ARITY_BYTE] + counts[ErlFunThing25.NUM_FREE_BYTE] == arity


def _on_heap(bits: int) -> Check:
    """A check whether what is on the heap has as many words as its size, in so many bits, wants."""

    def check(seen: Seen, _: Findings, __: TagScheme, address: int) -> bool:
        header, size = seen.memory.words(address, 2)
        words = -(-size * bits // (8 * seen.word))
        return header >> ARITY_SHIFT == ErlHeapBits.DATA - 1 + words

    return check


def _is_part(at: int, *wholes: Kind) -> Check:
    """A check whether a part of a binary has the whole one in a word."""

    def check(seen: Seen, _: Findings, tags: TagScheme, address: int) -> bool:
        whole = seen.memory.word(address + at * seen.word)
        return whole & PRIMARY_MASK == BOXED and tags.kind(seen.memory.word(whole - BOXED)) in wholes

    return check


def _is_proc_bin(seen: Seen, _: Findings, __: TagScheme, address: int) -> bool | None:
    """The bytes are behind the head of the binary that it has besides, or further on in that if a driver has made it
    (`driver_output_binary`); those of a NIF's resource may be anywhere."""
    words = seen.memory.words(address, ProcBin.WORDS)
    binary = words[ProcBin.VAL]
    before = words[ProcBin.BYTES] - binary
    if 0 < before <= LARGEST_BINARY_HEAD:
        return True
    return None if before > 0 or seen.memory.word(binary) == IS_MAGIC else False


def _is_bin_ref(seen: Seen, _: Findings, __: TagScheme, address: int) -> bool:
    """It leads to what has a size, as a `Binary` has."""
    binary = seen.memory.word(address + BinRef.VAL * seen.word)
    return binary % INT == 0 and seen.memory.try_read(binary, LARGEST_BINARY_HEAD // 4) is not None


def _is_external(seen: Seen, found: Findings, _: TagScheme, address: int) -> bool:
    """It leads to a node that has a name."""
    node = seen.memory.word(address + ExternalThing.NODE * seen.word)
    return is_atom(seen, found, seen.memory.word(node + found.offset("ErlNode", "sysname")))


def _is_record(seen: Seen, found: Findings, _: TagScheme, address: int) -> bool:
    """It leads to its definition, which is like a tuple, and has the names of module and record."""
    to = seen.memory.word(address + ErtsRecordInstance.DEFINITION * seen.word)
    if to & PRIMARY_MASK != BOXED:
        return False
    words = seen.memory.words(to - BOXED, ErtsRecordDefinition.KEYS)
    names = words[ErtsRecordDefinition.MODULE], words[ErtsRecordDefinition.NAME]
    return words[0] & HEADER_MASK == TUPLE_HEADER and all(is_atom(seen, found, name) for name in names)


def _is_anything(_: Seen, __: Findings, ___: TagScheme, ____: int) -> bool:
    """That its header is possible is all that can be told."""
    return True


_CHECKS: Final[Mapping[Kind, Check]] = {
    Kind.MAP: _is_map,
    Kind.FUN: _is_fun,
    Kind.HEAP_BIN: _on_heap(8),
    Kind.HEAP_BITS: _on_heap(1),
    Kind.SUB_BIN: _is_part(ErlSubBin.ORIG, Kind.PROC_BIN, Kind.HEAP_BIN),
    Kind.SUB_BITS: _is_part(ErlSubBits.ORIG, Kind.BIN_REF, Kind.HEAP_BITS),
    Kind.PROC_BIN: _is_proc_bin,
    Kind.BIN_REF: _is_bin_ref,
    Kind.REF: _is_anything,
    Kind.EXTERNAL_PID: _is_external,
    Kind.EXTERNAL_PORT: _is_external,
    Kind.EXTERNAL_REF: _is_external,
    Kind.RECORD: _is_record,
}


def _are_states(seen: Seen, found: Findings, flags: Mapping[str, int]) -> bool:
    """Whether the processes that schedulers run are flagged as running, and no others."""
    at, ran = found.offset("Process", "state"), running(seen, found)
    mask = sum(flags[name] for name in RUNNING)
    return most((seen.number(one + at, INT) & mask != 0) == (one in ran) for one in found.processes) and all(
        seen.number(one + at, INT) & mask for one in ran
    )


def _are_pids(seen: Seen, found: Findings, tags: TagScheme) -> bool:
    """Whether the pids of processes lead to their slots."""
    table = seen.variable("erts_proc")
    order = SlotOrder.of(lambda name: seen.number(table + found.offset("ErtsPTab", name), INT))
    if order is None:
        return False
    slots = seen.memory.word(table + found.offset("ErtsPTab", "r.o.tab"))
    mask = (1 << tags.id_bits) - 1

    def leads_back(process: int) -> bool:
        data = seen.memory.word(process + found.offset("Process", "common.id")) >> IMMED1_BITS & mask
        slot = data & order.mask if tags.ids_by_slot else order.slot_of(data)
        return seen.memory.word(slots + slot * seen.word) == process

    return most(leads_back(process) for process in found.processes)
