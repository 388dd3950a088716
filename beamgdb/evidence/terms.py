"""What terms lead to outside of heaps: nodes, export entries, the entries of funs, and binaries (erl_node_tables.h,
export.h, erl_fun.h, erl_binary.h)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from beamgdb.evidence.atoms import atom_address, atom_text
from beamgdb.evidence.findings import ENOUGH, INT, Findings, NotProved, Seen, differ, only
from beamgdb.evidence.processes import SOME
from beamgdb.memory import Unreadable
from jit.otp.code import MFA_WORDS
from jit.otp.layouts.resolve import Field
from jit.otp.tags import (
    ARITY_SHIFT,
    BOXED,
    FUN_HEADER,
    HEADER,
    HEADER_MASK,
    HEADERS_IN_BITS,
    PRIMARY_MASK,
    Kind,
)
from jit.otp.things import BinRef, ErlSubBits, ExternalThing, RefThing

EXPORTED = {
    "erts_convert_time_unit_trap": (b"erlang", b"convert_time_unit", 3),
    "erts_delay_trap": (b"erlang", b"delay_trap", 2),
    "erts_format_cpu_topology_trap": (b"erlang", b"format_cpu_topology", 1),
    "dmonitor_node_trap": (b"erlang", b"dmonitor_node", 3),
    "erts_await_result": (b"erts_internal", b"await_result", 1),
}
"""Variables that point to export entries of functions that are known (bif.c, erl_bif_info.c, dist.c)."""

STACK_WORDS, HEAP_WORDS, FEW_HEAP_WORDS = 256, 2048, 512
"""Words of each process that are looked through for funs, at most; the last where each packet takes its time."""

MAX_ENTRIES, FEW_ENTRIES = 128, 24
"""Entries of funs that are looked at, and of exports; the last where each packet takes its time."""

FUNS, MODULES = 6, 3
"""Entries of funs at least, and modules that they must be from, of which each has a checksum of its own. A node that
does nothing holds seven funs or so."""

MAX_FUNS = 1 << 16
"""Funs of a module at most."""

MD5 = 16
"""Bytes of a module's checksum, which each entry has as `uniq`."""

OLD_UNIQ_BITS = 27
"""Those that a compiler makes `old_uniq` of (`beam_asm`, `finalize_fun_table`)."""

_FUN_NAME = re.compile(rb"-.*-fun-\d+-")
"""The name of a function that the compiler has made of a fun."""


NODE_PRIME: Final = 268438039
"""`PRIME0` of erl_node_tables.c, with which the hash of a node is made of that of its name and its creation."""

EXTERNAL: Final = tuple(HEADERS_IN_BITS[kind] for kind in (Kind.EXTERNAL_PID, Kind.EXTERNAL_PORT, Kind.EXTERNAL_REF))
"""The headers of terms of other nodes, the same in all releases."""

REF_BITS, REF_MAGIC = 18, 1 << 17
"""Bits of a reference's first number, as many of the second as tell who made it, and that of magic ones among these
(erl_bif_unique.h)."""

MAX_BEFORE_BYTES = 16
"""Words of a `Binary` before its bytes at most."""

MAX_THINGS = 1 << 16
"""Terms that are looked at, at most."""

BIN_REF: Final = BinRef.ARITY << ARITY_SHIFT | HEADERS_IN_BITS[Kind.BIN_REF]
REF: Final = HEADERS_IN_BITS[Kind.REF]

Things = dict[int, list[int]]
"""Addresses of boxed terms by the tag of their headers."""


def prove(seen: Seen, found: Findings) -> None:
    """All of these. What is given up is not missed by the rest."""
    things = things_of(seen, found)
    for part in (_nodes, _exports, _funs, _binaries, _magic_references):
        try:
            part(seen, found, things)
        except (NotProved, Unreadable) as error:
            found.given_up.append(str(error))


def things_of(seen: Seen, found: Findings) -> Things:
    """What the words of processes lead to, each once."""
    known: set[int] = set()
    things: Things = {}
    for process in found.processes:
        for word in words_of(seen, found, process):
            address = word - BOXED
            if word & PRIMARY_MASK != BOXED or address % seen.word or address in known or len(known) >= MAX_THINGS:
                continue
            known.add(address)
            raw = seen.memory.try_read(address, seen.word)
            header = int.from_bytes(raw or b"", seen.memory.byteorder)
            if raw is not None and header & PRIMARY_MASK == HEADER:
                things.setdefault(header & HEADER_MASK, []).append(address)
    return things


def _nodes(seen: Seen, found: Findings, things: Things) -> None:
    """This node, and those of terms of other ones, have names, and hashes made of these and of their creations: so the
    one tells where the other lies."""
    named = seen.symbol("erts_this_node")
    this = {seen.memory.word(named)} if named is not None else set()
    others = {
        seen.memory.word(thing + ExternalThing.NODE * seen.word)
        for header in EXTERNAL for thing in things.get(header, ())
    }  # fmt: skip
    if not (nodes := this | others):
        raise NotProved("no term leads to another node: ErlNode")
    mask, size = (1 << 8 * seen.word) - 1, seen.window("ErlNode")

    def creation(node: int, at_name: int) -> int | None:
        """What its creation must be, None where that is impossible."""
        atom = atom_address(seen, found, seen.memory.word(node + at_name))
        if atom is None or b"@" not in (atom_text(seen, found, seen.memory.word(node + at_name)) or b""):
            return None
        number = seen.memory.word(node + seen.word) * pow(NODE_PRIME, -1, mask + 1) - seen.memory.word(atom + seen.word)
        return number & mask if number & mask < 1 << 8 * INT else None

    places = {
        at: creations for at in range(0, size, seen.word)
        if None not in (creations := {node: creation(node, at) for node in nodes}).values()
    }  # fmt: skip
    at_name = only(places, "ErlNode.sysname")
    found.add("ErlNode", _hashes(len(nodes)), {"sysname": Field(at_name, seen.word)})
    told = {node: number for node, number in places[at_name].items() if number}
    if not told:
        raise NotProved("no node whose creation is not 0: ErlNode.creation")
    at_creation = only(
        (at for at in range(0, size, INT) if all(seen.number(node + at, INT) == n for node, n in told.items())),
        "ErlNode.creation",
    )
    found.add("ErlNode", _hashes(len(told)), {"creation": Field(at_creation, INT)})


def _hashes(number: int) -> str:
    return f"the hashes of {number} nodes" if number > 1 else "the hash of a node"


def _exports(seen: Seen, found: Findings, things: Things) -> None:
    """Variables lead to entries of functions that are known, external funs to those whose code is known."""
    named = {seen.memory.word(at): mfa for name, mfa in EXPORTED.items() if (at := seen.symbol(name)) is not None}
    window = range(0, seen.window("Export"), seen.word)
    if len(named) >= MODULES:
        at = only(
            (at for at in window if all(_mfa(seen, found, entry + at) == mfa for entry, mfa in named.items())),
            "Export.info.mfa",
        )
        how = f"{len(named)} known functions"
    else:
        led_to: dict[int, set[int]] = {}
        for entry in _entries(seen, things):
            function = _function(seen, found, entry)
            mfa = seen.memory.words(function, MFA_WORDS) if function is not None else None
            if mfa is not None and (places := {at for at in window if seen.memory.words(entry + at, MFA_WORDS) == mfa}):
                led_to[entry] = places
            if len(led_to) == FEW_ENTRIES:
                break
        if len(led_to) < ENOUGH:
            raise NotProved(f"{len(led_to)} external funs: Export.info.mfa")
        at = only(set.intersection(*led_to.values()), "Export.info.mfa")
        how = f"{len(led_to)} external funs"
    names = ("module", "function", "arity")
    found.add("Export", how, {f"info.mfa.{name}": Field(at + n * seen.word, seen.word) for n, name in enumerate(names)})


def _mfa(seen: Seen, found: Findings, address: int) -> tuple[bytes | None, bytes | None, int]:
    """The text of module and function, and the arity, in an `ErtsCodeMFA`."""
    module, function, arity = seen.memory.words(address, MFA_WORDS)
    return atom_text(seen, found, module), atom_text(seen, found, function), arity


def _funs(seen: Seen, found: Findings, things: Things) -> None:
    """An entry has the name of the module that its code is in, and its checksum, of which each has its own. What tells
    it from others of its module stands twice; that behind `old_uniq` is the one which is shown."""
    entries = {}
    for entry in _entries(seen, things):
        known = _module(seen, found, entry)
        if known is not None:
            entries[entry] = known
        if len(entries) >= (FEW_ENTRIES if seen.is_slow else MAX_ENTRIES) and differ(entries.values(), MODULES):
            break
    modules = list(entries.values())
    if len(entries) < FUNS or not differ(modules, MODULES):
        raise NotProved(f"funs of {len(entries)} functions: ErlFunEntry")
    raw = {entry: seen.memory.read(entry, seen.window("ErlFunEntry")) for entry in entries}
    size, order = min(map(len, raw.values())), seen.memory.byteorder

    def number(content: bytes, at: int, width: int) -> int:
        return int.from_bytes(content[at : at + width], order)

    module = only(
        (
            at for at in range(0, size - seen.word, seen.word)
            if all(number(raw[entry], at, seen.word) == known for entry, known in entries.items())
        ),
        "ErlFunEntry.module",
    )  # fmt: skip
    pairs = {
        (at, at_old)
        for at in range(0, size - MD5, INT)
        for at_old in range(0, size - INT, INT)
        if all(
            number(content, at_old, INT) == int.from_bytes(content[at : at + INT], "big") >> 8 * INT - OLD_UNIQ_BITS
            for content in raw.values()
        )
        and len({(entries[entry], content[at : at + INT]) for entry, content in raw.items()}) == len(set(modules))
        and differ((content[at : at + INT] for content in raw.values()), len(set(modules)))
    }
    uniq, old_uniq = only((one for one, _ in pairs), "ErlFunEntry.uniq"), only((one for _, one in pairs), "old_uniq")
    old_index = old_uniq + INT
    numbers = {entry: number(content, old_index, INT) for entry, content in raw.items()}
    copies = [
        at for at in range(0, size - INT, INT)
        if at != old_index and all(number(content, at, INT) == numbers[entry] for entry, content in raw.items())
    ]  # fmt: skip
    within = {(entries[entry], one) for entry, one in numbers.items()}
    if (
        len(copies) != 1
        or len(within) < len(entries)
        or not differ(numbers.values(), MODULES)
        or max(numbers.values()) > MAX_FUNS
    ):
        raise NotProved("the numbers of funs: ErlFunEntry.old_index")
    found.add("ErlFunEntry", f"{len(entries)} funs of {len(set(modules))} modules", {
        "module": Field(module, seen.word), "uniq": Field(uniq, 1, MD5), "old_uniq": Field(old_uniq, INT),
        "old_index": Field(old_index, INT),
    })  # fmt: skip


def _binaries(seen: Seen, found: Findings, things: Things) -> None:
    """The bytes of most binaries that are not on a heap begin where those of their `Binary` do, since OTP 27."""
    distances = {}
    for thing in things.get(HEADERS_IN_BITS[Kind.SUB_BITS], ()):
        header, base, _, _, whole = seen.memory.words(thing, ErlSubBits.WORDS)
        reference = seen.words_or_none(whole - BOXED, BinRef.VAL + 1) if whole & PRIMARY_MASK == BOXED else None
        if header >> ARITY_SHIFT == ErlSubBits.ARITY and reference is not None and reference[0] == BIN_REF:
            distances[reference[BinRef.VAL]] = (base & -INT) - reference[BinRef.VAL]
    if len(distances) < SOME:
        raise NotProved(f"{len(distances)} binaries: Binary.orig_bytes")
    told = only((one for one in distances.values() if 0 < one <= MAX_BEFORE_BYTES * seen.word), "Binary.orig_bytes")
    if list(distances.values()).count(told) < max(SOME, len(distances) - len(distances) // 8):
        raise NotProved("binaries begin at different places: Binary.orig_bytes")
    found.add("Binary", f"{len(distances)} binaries", {"orig_bytes": Field(told, 1, 1)})


def _magic_references(seen: Seen, found: Findings, things: Things) -> None:
    """All references get their numbers from the same counters: others have the last and most of the second one too, in
    which a bit says that they are magic."""

    def numbers(address: int) -> tuple[int, ...]:
        return tuple(seen.number(address + n * INT, INT) for n in range(RefThing.NUMBERS))

    refs = {thing: seen.words_or_none(thing, RefThing.NUMBERS + 1) or () for thing in things.get(REF, ())}
    ordinary, binaries = set(), set()
    for thing, words in refs.items():
        arity = words[0] >> ARITY_SHIFT if words else -1
        if arity == RefThing.PID_ARITY[seen.word]:
            continue
        is_marked = bool(words) and words[1] & 0xFFFFFFFF == RefThing.MARKER
        if arity == RefThing.ORDINARY_ARITY[seen.word] and (seen.word == INT or is_marked):
            _, middle, high = numbers(thing + (seen.word + INT if is_marked else seen.word))
            ordinary.add((middle >> REF_BITS, high))
        elif arity == RefThing.MAGIC_ARITY[seen.word]:
            binaries.add(words[RefThing.MAGIC_BINARY])

    def are_numbers(at: int) -> bool:
        told = {numbers(binary + at) for binary in binaries}
        return len(told) == len(binaries) and all(
            low < 1 << REF_BITS and middle & REF_MAGIC and (middle >> REF_BITS, high) in ordinary
            for low, middle, high in told
        )

    if len(binaries) < SOME - 1:
        raise NotProved(f"{len(binaries)} magic references: ErtsMagicBinary.refn")
    window = seen.window("ErtsMagicBinary")
    at = only((at for at in range(0, window, INT) if are_numbers(at)), "ErtsMagicBinary.refn")
    how = f"{len(binaries)} magic references"
    found.add("ErtsMagicBinary", how, {"refn": Field(at, INT, RefThing.NUMBERS)})


def _entries(seen: Seen, things: Things) -> Iterator[int]:
    """What funs lead to, each once: their entries, and those of exports."""
    funs = (seen.words_or_none(thing, 2) for thing in things.get(FUN_HEADER, ()))
    return iter(dict.fromkeys(fun[1] for fun in funs if fun is not None))


def words_of(seen: Seen, found: Findings, process: int) -> tuple[int, ...]:
    """Words of a process that may be terms: of its stack, and the first of its heap."""
    heap, stop, end = (seen.memory.word(process + found.offset("Process", one)) for one in ("heap", "stop", "hend"))
    if not heap <= stop <= end:
        return ()
    stack = seen.words_or_none(stop, min((end - stop) // seen.word, STACK_WORDS)) or ()
    top = seen.memory.word(process + found.offset("Process", "htop")) if found.has("Process", "htop") else stop
    many = FEW_HEAP_WORDS if seen.is_slow else HEAP_WORDS
    return stack + (seen.words_or_none(heap, min((max(top, heap) - heap) // seen.word, many)) or ())


def _function(seen: Seen, found: Findings, entry: int) -> int | None:
    """The address of the name, in its code, of the function that an entry leads to; None if it leads to none."""
    code = next((one for one in seen.words_or_none(entry, 3) or () if _base(found, one) is not None), None)
    base = _base(found, code) if code is not None else None
    if code is None or base is None:
        return None
    count = seen.memory.word(base + found.offset("BeamCodeHeader", "num_functions"))
    functions = seen.words_or_none(base + found.offset("BeamCodeHeader", "functions"), count)
    if not functions or code < functions[0]:
        return None
    return functions[bisect_right(functions, code) - 1] + found.offset("ErtsCodeInfo", "mfa")


def _module(seen: Seen, found: Findings, entry: int) -> int | None:
    """The name, a term, of the module that has the function of a fun; None if an entry leads to none."""
    mfa = _function(seen, found, entry)
    if mfa is None:
        return None
    _, name, _ = _mfa(seen, found, mfa)
    return seen.memory.word(mfa) if _FUN_NAME.fullmatch(name or b"") else None


def arity_of_code(seen: Seen, found: Findings, entry: int) -> int | None:
    """The arity of the function that the compiler has made of a fun with this entry; None if an entry leads to none."""
    if _module(seen, found, entry) is None or (mfa := _function(seen, found, entry)) is None:
        return None
    return seen.memory.words(mfa, MFA_WORDS)[-1]


def _base(found: Findings, address: int) -> int | None:
    """Where the code of the module starts that has this address, None where there is none."""
    at = bisect_right(found.code, (address, 1 << 64)) - 1
    return found.code[at][0] if at >= 0 and address < found.code[at][1] else None
