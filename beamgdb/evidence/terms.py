"""What terms lead to outside of heaps: this node, export entries, and the entries of funs (erl_node_tables.h, export.h,
erl_fun.h)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from beamgdb.evidence.atoms import atom_text
from beamgdb.evidence.findings import ENOUGH, INT, Findings, NotProved, Seen, differ, only
from beamgdb.evidence.needed import FEW_SLOTS
from beamgdb.memory import Unreadable
from jit.otp.code import MFA_WORDS
from jit.otp.layouts.resolve import Field
from jit.otp.tags import BOXED, FUN_HEADER, HEADER_MASK, PRIMARY_MASK

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

MAX_ENTRIES = 128
"""Entries of funs that are looked at."""

MODULES = 3
"""Modules that they must be from: each has a checksum of its own."""

MAX_FUNS = 1 << 16
"""Funs of a module at most."""

MD5 = 16
"""Bytes of a module's checksum, which each entry has as `uniq`."""

OLD_UNIQ_BITS = 27
"""Those that a compiler makes `old_uniq` of (`beam_asm`, `finalize_fun_table`)."""

_FUN_NAME = re.compile(rb"-.*-fun-\d+-")
"""The name of a function that the compiler has made of a fun."""


def prove(seen: Seen, found: Findings) -> None:
    """All of these. What is given up is not missed by the rest."""
    for part in (_node, _exports, _funs):
        try:
            part(seen, found)
        except (NotProved, Unreadable) as error:
            found.given_up.append(str(error))


def _node(seen: Seen, found: Findings) -> None:
    node = seen.memory.word(seen.variable("erts_this_node"))
    places = [
        at for at in range(0, seen.window("ErlNode"), seen.word)
        if b"@" in (atom_text(seen, found, seen.memory.word(node + at)) or b"")
    ]  # fmt: skip
    found.add("ErlNode", "the name of this node", {"sysname": Field(only(places, "ErlNode.sysname"), seen.word)})


def _exports(seen: Seen, found: Findings) -> None:
    entries = {name: seen.memory.word(at) for name in EXPORTED if (at := seen.symbol(name)) is not None}
    if len(entries) < MODULES:
        raise NotProved("too few export entries are known: Export.info.mfa")
    word = seen.word
    places = [
        at for at in range(0, seen.window("Export"), word)
        if all(_mfa(seen, found, entry + at) == EXPORTED[name] for name, entry in entries.items())
    ]  # fmt: skip
    at = only(places, "Export.info.mfa")
    names = ("module", "function", "arity")
    found.add("Export", f"{len(entries)} known functions", {
        f"info.mfa.{name}": Field(at + n * word, word) for n, name in enumerate(names)
    })  # fmt: skip


def _mfa(seen: Seen, found: Findings, address: int) -> tuple[bytes | None, bytes | None, int]:
    """The text of module and function, and the arity, in an `ErtsCodeMFA`."""
    module, function, arity = seen.memory.words(address, MFA_WORDS)
    return atom_text(seen, found, module), atom_text(seen, found, function), arity


def _funs(seen: Seen, found: Findings) -> None:
    """An entry has the name and the checksum of the module that its code is in. What tells it from others of its module
    stands twice; that behind `old_uniq` is the one which is shown."""
    entries = {}
    for entry in _entries(seen, found):
        known = _module(seen, found, entry)
        if known is not None:
            entries[entry] = known
        if len(entries) == MAX_ENTRIES:
            break
    modules = list(entries.values())
    if len(entries) < ENOUGH or not differ(modules, MODULES):
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
        and differ((content[at : at + INT] for content in raw.values()), MODULES)
    }
    uniq, old_uniq = only((one for one, _ in pairs), "ErlFunEntry.uniq"), only((one for _, one in pairs), "old_uniq")
    old_index = old_uniq + INT
    numbers = {entry: number(content, old_index, INT) for entry, content in raw.items()}
    copies = [
        at for at in range(0, size - INT, INT)
        if at != old_index and all(number(content, at, INT) == numbers[entry] for entry, content in raw.items())
    ]  # fmt: skip
    within = {(entries[entry], one) for entry, one in numbers.items()}
    if len(copies) != 1 or len(within) < len(entries) or not differ(numbers.values(), MODULES) or max(
        numbers.values()
    ) > MAX_FUNS:
        raise NotProved("the numbers of funs: ErlFunEntry.old_index")
    found.add("ErlFunEntry", f"{len(entries)} funs of {len(set(modules))} modules", {
        "module": Field(module, seen.word), "uniq": Field(uniq, 1, MD5), "old_uniq": Field(old_uniq, INT),
        "old_index": Field(old_index, INT),
    })  # fmt: skip


def _entries(seen: Seen, found: Findings) -> Iterator[int]:
    """What funs on stacks and heaps lead to, each once. An export entry may be among them."""
    known: set[int] = set()
    for process in found.processes:
        for word in _terms(seen, found, process):
            if word & PRIMARY_MASK != BOXED or (word - BOXED) % seen.word:
                continue
            fun = seen.words_or_none(word - BOXED, 2)
            if fun is not None and fun[0] & HEADER_MASK == FUN_HEADER and fun[1] not in known:
                known.add(fun[1])
                yield fun[1]


def _terms(seen: Seen, found: Findings, process: int) -> Iterator[int]:
    """Words of a process that may be terms: of its stack, and the first of its heap."""
    heap, stop, end = (seen.memory.word(process + found.offset("Process", one)) for one in ("heap", "stop", "hend"))
    if not heap <= stop <= end:
        return
    yield from seen.words_or_none(stop, min((end - stop) // seen.word, STACK_WORDS)) or ()
    top = seen.memory.word(process + found.offset("Process", "htop")) if found.has("Process", "htop") else stop
    many = HEAP_WORDS if seen.slots > FEW_SLOTS else FEW_HEAP_WORDS
    yield from seen.words_or_none(heap, min((max(top, heap) - heap) // seen.word, many)) or ()


def _module(seen: Seen, found: Findings, entry: int) -> int | None:
    """The name, a term, of the module that has the function of a fun; None if an entry leads to none."""
    code = next((one for one in seen.words_or_none(entry, 3) or () if _base(found, one) is not None), None)
    base = _base(found, code) if code is not None else None
    if code is None or base is None:
        return None
    count = seen.memory.word(base + found.offset("BeamCodeHeader", "num_functions"))
    functions = seen.words_or_none(base + found.offset("BeamCodeHeader", "functions"), count)
    if not functions or code < functions[0]:
        return None
    info = functions[bisect_right(functions, code) - 1]
    mfa = info + found.offset("ErtsCodeInfo", "mfa")
    _, name, _ = _mfa(seen, found, mfa)
    return seen.memory.word(mfa) if _FUN_NAME.fullmatch(name or b"") else None


def _base(found: Findings, address: int) -> int | None:
    """Where the code of the module starts that has this address, None where there is none."""
    at = bisect_right(found.code, (address, 1 << 64)) - 1
    return found.code[at][0] if at >= 0 and address < found.code[at][1] else None
