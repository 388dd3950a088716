"""Runs inside GDB, on a stopped node: prints as JSON what a layout table lets one read of it, and what code it has."""

from __future__ import annotations

import json
import struct

import gdb

from beamgdb.code import catches, ranges
from beamgdb.gdbext.target_memory import InferiorMemory
from beamgdb.memory import CachedMemory
from jit.otp.layouts.identity import read_identity
from jit.otp.layouts.layout import for_identity

SEGMENT = 1024  # index.h: INDEX_PAGE_SIZE, entries of one segment of an index table

inferior = gdb.selected_inferior()


def read(address: int, size: int) -> bytes:
    return bytes(inferior.read_memory(address, size))


def symbol(name: str) -> int:
    return int(gdb.parse_and_eval(f"(unsigned long) &{name}"))


IDENTITY = read_identity(read, symbol)
LAYOUT = for_identity(IDENTITY)
WORD = LAYOUT.word_size


def word(address: int) -> int:
    return int.from_bytes(read(address, WORD), "little")


def get(address: int, name: str, path: str) -> int:
    field = LAYOUT.field(name, path)
    return int.from_bytes(read(address + field.offset, field.width), "little")


def atom(term: int) -> str:
    index = term >> 6
    segments = get(symbol("erts_atom_table"), "IndexTable", "seg_table")
    entry = word(word(segments + WORD * (index // SEGMENT)) + WORD * (index % SEGMENT))
    assert get(entry, "Atom", "slot.index") == index
    return read(get(entry, "Atom", "name"), get(entry, "Atom", "len")).decode()


def process(p: int) -> dict[str, object]:
    registered = get(p, "Process", "common.u.alive.reg")
    dictionary = get(p, "Process", "dictionary")
    queue_length = "sig_qs.len" if LAYOUT.has("Process", "sig_qs.len") else "sig_qs.mq_len"
    plain = ("htop", "stop", "heap", "hend", "heap_sz", "old_heap", "old_htop", "old_hend", "max_arg_reg")
    return {path: get(p, "Process", path) for path in plain} | {
        "address": p,
        "id": get(p, "Process", "common.id"),
        "name": atom(get(registered, "RegProc", "name")) if registered else None,
        "registered_owner": get(registered, "RegProc", "p") if registered else 0,
        "initial": [
            atom(get(p, "Process", "u.initial.module")),
            atom(get(p, "Process", "u.initial.function")),
            get(p, "Process", "u.initial.arity"),
        ],
        "dictionary_size": get(dictionary, "ProcDict", "numElements") if dictionary else 0,
        "messages": get(p, "Process", queue_length),
    }


def scheduler(data: int) -> dict[str, int]:
    queue = get(data, "ErtsSchedulerData", "run_queue")
    return {
        "address": data,
        "no": get(data, "ErtsSchedulerData", "no"),
        "run_queue_owner": get(queue, "ErtsRunQueue", "scheduler"),
    }


def tables(data: int) -> list[str]:
    """Names of the ETS tables that a scheduler made: a ring."""
    names, first = [], get(data, "ErtsSchedulerData", "u.ets_tables.clist")
    table = first
    for _ in range(get(data, "ErtsSchedulerData", "u.ets_tables.count")):
        names.append(atom(get(table, "DbTableCommon", "the_name")))
        table = get(table, "DbTableCommon", "all.next")
    assert table == first
    return names


def optional_symbol(name: str) -> int | None:
    try:
        return symbol(name)
    except gdb.error:
        return None


def modules(loaded: tuple[tuple[int, int], ...]) -> list[str]:
    """Names of the modules whose code lies in these ranges: what their first function says."""
    first = [word(start + LAYOUT.offset("BeamCodeHeader", "functions")) for start, _ in loaded]
    return [atom(get(info, "ErtsCodeInfo", "mfa.module")) for info in first]


def code() -> dict[str, object]:
    """The variables without a symbol that say which code is loaded, and where catches go on."""
    memory = CachedMemory(InferiorMemory(WORD, "little"))
    found = ranges.find(memory, LAYOUT, optional_symbol, str(IDENTITY.arch))
    assert found is not None
    loaded = found.loaded(found.words() or ())
    caught = catches.find(
        memory, LAYOUT, optional_symbol, str(IDENTITY.arch), lambda at: any(start <= at < end for start, end in loaded)
    )
    assert caught is not None
    return {
        "modules": modules(loaded),
        "recovered": [one.name for one in (*found.recovered(), *caught.recovered())],
        "handlers": len([index for index in range(1024) if caught.handler(index)]),
    }


erts_proc = symbol("erts_proc")
size = get(erts_proc, "ErtsPTab", "r.o.max")
slots = struct.unpack(f"<{size}{'Q' if WORD == 8 else 'I'}", read(get(erts_proc, "ErtsPTab", "r.o.tab"), WORD * size))
empty = (0, get(erts_proc, "ErtsPTab", "r.o.invalid_element"))
first_scheduler = word(symbol("erts_aligned_scheduler_data"))
count = int.from_bytes(read(symbol("erts_no_schedulers"), WORD), "little")
schedulers = [first_scheduler + i * LAYOUT.size("ErtsAlignedSchedulerData") for i in range(count)]
found = {
    "vm": [IDENTITY.erts_version, IDENTITY.arch, IDENTITY.flavour],
    "word_size": WORD,
    "processes": [process(p) for p in slots if p not in empty],
    "count": get(erts_proc, "ErtsPTab", "vola.tile.count"),
    "schedulers": [scheduler(s) for s in schedulers],
    "node": atom(get(word(symbol("erts_this_node")), "ErlNode", "sysname")),
    "tables": [name for s in schedulers for name in tables(s)],
    "code": code(),
}
print("\n" + json.dumps(found))
