"""The tables of atoms, processes and ports, by what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from beamgdb.code import module_tables
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records import name_table, persistent_table
from beamgdb.records.chain import chain
from beamgdb.records.hash_table import members
from beamgdb.records.record import Record
from beamgdb.roots.snapshot import Snapshot
from beamgdb.terms.slots import SlotOrder
from jit.image.image import Image, Recovered, occurrences
from jit.otp.layouts.layout import Layout
from jit.otp.tags import ATOM, IMMED1_BITS, IMMED2_MASK

ATOMS, ATOM_TABLE_NAME = "erts_atom_table", b"atom_tab\0"
"""The variable, and what `Hash.name` in it points to (atom.c, `init_atom_table`)."""

NODES, NODE_TABLE_NAME = "erts_dist_table", b"dist_table\0"
"""The same of the table of nodes (erl_node_tables.c, `erts_init_node_tables`)."""

THIS_NODE, THIS_NODE_IN = "erts_this_node", b"node_table\0"
"""This node, and the name of the table that it is in besides."""

RESOURCE_TYPES = "resource_type_list"
"""The head of the ring of types of resources of NIFs (erl_nif.c)."""

PERMISSIONS = {"code_mod_permission": 9, "code_stage_permission": 10}
"""Who may change code (code_ix.c), since OTP 29 with the numbers of the flags by which that is handed over
(`ERTS_PXSFLG_HANDOVER_CODE_MOD_PERM` and so on, erl_process.h)."""

PROCESSES, PORTS = "erts_proc", "erts_port"

PAGE_SHIFT = 10
"""`INDEX_PAGE_SHIFT` of index.h."""

MAX_ENTRIES = 1 << 27
"""Elements of a table of processes, ports or atoms at most (`ERTS_MAX_PROCESSES`, erl_process.h)."""

PAGE = 4096

MAX_LOOKED_AT = 1 << 14
"""Different pointers that are followed; a beam.smp has some thousands."""

SAMPLE = 64
"""Entries of a table that are looked at to prove it: remotely each may be a packet."""

KINDS = {3: PROCESSES, 7: PORTS}
"""By the tag of identifiers: the table of those that have such ones (erl_term.h, `_TAG_IMMED1_PID`, `_PORT`)."""


def atom_table(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """`erts_atom_table`, or why it is not found."""
    name = layout.offset("IndexTable", "htable") + layout.offset("Hash", "name")
    found = _by_name(
        image, data, ATOM_TABLE_NAME, name, lambda at: _is_atom_table(Record(memory, layout, "IndexTable", at))
    )
    if isinstance(found, str):
        return found
    return Recovered(ATOMS, found, "by its name atom_tab; its entries point back")


def node_table(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """`erts_dist_table`, or why it is not found."""
    name = layout.offset("Hash", "name")
    found = _by_name(image, data, NODE_TABLE_NAME, name, lambda at: _is_node_table(Record(memory, layout, "Hash", at)))
    if isinstance(found, str):
        return found
    return Recovered(NODES, found, "by its name dist_table; its entries have names of nodes")


def this_node(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """`erts_this_node`, or why it is not found: the only variable that leads to an entry of the other table of nodes,
    of those that terms come from."""
    table = _by_name(
        image, data, THIS_NODE_IN, layout.offset("Hash", "name"), lambda at: _is_of_nodes(memory, layout, at)
    )
    if isinstance(table, str):
        return table
    try:
        nodes = list(islice(members(Record(memory, layout, "Hash", table)), MAX_LOOKED_AT))
    except Unreadable as error:
        return f"the table of nodes: {error}"
    found = [place for node in nodes for place in data.places(node)]
    if len(found) != 1:
        return f"{len(found) or 'no'} variables lead to entries of the table of nodes"
    return Recovered(THIS_NODE, found[0], "the only variable that leads to an entry of the table of nodes")


def _is_of_nodes(memory: CachedMemory, layout: Layout, table: int) -> bool:
    """Whether there are as many entries in this table as it says, each with that of distribution of the same name."""
    found = Record(memory, layout, "Hash", table)
    try:
        nodes = [Record(memory, layout, "ErlNode", one) for one in islice(members(found), SAMPLE)]
        entries = [Record(memory, layout, "DistEntry", one["dist_entry"]) for one in nodes]
        named = all(one["sysname"] == entry["sysname"] for one, entry in zip(nodes, entries))
        return named and 0 < len(nodes) == min(found["nobjs"], SAMPLE)
    except Unreadable:
        return False


def registered_names(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """The table of registered names, or why it is not found."""
    name = layout.offset("Hash", "name")
    text = name_table.NAME + b"\0"
    found = _by_name(image, data, text, name, lambda at: name_table.is_table(Record(memory, layout, "Hash", at)))
    if isinstance(found, str):
        return found
    return Recovered(name_table.VARIABLE, found, f"by its name {name_table.VARIABLE}")


def module_table(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """The tables of modules, or why they are not found."""
    name = layout.offset("IndexTable", "htable") + layout.offset("Hash", "name")
    text = module_tables.NAME + b"\0"
    found = _by_name(image, data, text, name, lambda at: module_tables.are_tables(memory, layout, at))
    if isinstance(found, str):
        return found
    return Recovered(module_tables.VARIABLE, found, "by their name module_code")


def _by_name(image: Image, data: Snapshot, text: bytes, offset: int, is_table: Callable[[int], bool]) -> int | str:
    """The only table whose pointer at this offset leads to a text, or why there is none."""
    texts = (part.start + at for part in image.fixed for at in occurrences(text, part.content))
    found = [place - offset for at in texts for place in data.places(at) if is_table(place - offset)]
    return found[0] if len(found) == 1 else f"{len(found) or 'no'} tables are named {text[:-1].decode()}"


def _is_node_table(table: Record) -> bool:
    """Whether there are as many entries in this table as it says, each with an atom for a name."""
    try:
        entries = list(islice(members(table), SAMPLE))
        names = [Record(table.memory, table.layout, "DistEntry", one)["sysname"] for one in entries]
        return len(entries) == min(table["nobjs"], SAMPLE) and all(name & IMMED2_MASK == ATOM for name in names)
    except Unreadable:
        return False


def _is_atom_table(table: Record) -> bool:
    """Whether the counts of this table agree, and atoms know their places in it: those that can be read, of a core file
    that was cut off."""
    memory, layout = table.memory, table.layout
    try:
        count = table["entries"]
        if not 0 < count <= min(table["size"], MAX_ENTRIES) or table["size"] > table["limit"]:
            return False
        # In OTP 25 the first entry is in no bucket.
        if count - table.at("Hash", "htable")["nobjs"] not in (0, 1):
            return False
        for index in range(0, count, -(-count // SAMPLE)):
            try:
                page = memory.word(table["seg_table"] + memory.word_size * (index >> PAGE_SHIFT))
                at = memory.word(page + memory.word_size * (index % (1 << PAGE_SHIFT)))
                if Record(memory, layout, "Atom", at)["slot.index"] != index:
                    return False
            except Unreadable:
                continue
    except Unreadable:
        return False
    return True


def process_tables(memory: CachedMemory, layout: Layout, data: Snapshot) -> dict[str, Recovered | str]:
    """`erts_proc` and `erts_port`, or why one is not found."""
    found: dict[str, list[int]] = {name: [] for name in KINDS.values()}
    cut_off: dict[str, list[int]] = {name: [] for name in KINDS.values()}
    for address in _like_process_table(memory, layout, data):
        table = Record(memory, layout, "ErtsPTab", address)
        kind = _kind(table)
        if kind is not None:
            if _leads_back(table, kind):
                found[kind].append(address)
            elif _is_cut_off(table):
                cut_off[kind].append(address)
    answers: dict[str, Recovered | str] = {}
    for name, places in found.items():
        what = "identifiers in it lead back to their slots" if places else "its slots are missing"
        places = places or cut_off[name]
        is_one = len(places) == 1
        answers[name] = (
            Recovered(name, places[0], f"by its shape; {what}")
            if is_one
            else f"{len(places) or 'no'} places look like it"
        )
    return answers


def _like_process_table(memory: CachedMemory, layout: Layout, data: Snapshot) -> Iterator[int]:
    """Where `max` is a power of two and `pix_mask`, or its lower half, one less."""
    tab, largest, mask = (layout.offset("ErtsPTab", f"r.o.{name}") for name in ("tab", "max", "pix_mask"))
    to_max, to_mask = largest - mask >> 2, tab - mask
    for start, numbers in data.numbers:
        for i, number in enumerate(numbers[-to_max:], -to_max):
            if number & number + 1 == 0 and 1 < number < MAX_ENTRIES and numbers[i + to_max] == number + 1:
                place = start + 4 * i + to_mask
                if place % memory.word_size == 0:
                    yield place - tab


def _kind(table: Record) -> str | None:
    """Which table this may be, None if none: what stands for none in it has an identifier of its kind."""
    try:
        kind = KINDS.get(_id(table, table["r.o.invalid_element"]) & 0xF)
        if kind is None or not 0 <= table["vola.tile.count"] <= table["r.o.max"]:
            return None
        return kind if SlotOrder.of(table.__getitem__) is not None else None
    except Unreadable:
        return None


def _is_cut_off(table: Record) -> bool:
    """Whether not one of its slots can be read, as in a core file that has not all memory."""
    return table["r.o.tab"] != 0 and table.memory.try_read(table["r.o.tab"], table.memory.word_size) is None


def _leads_back(table: Record, kind: str) -> bool:
    """Whether all that is in it has identifiers of its kind, that lead to its slots. They do by their lowest bits, or
    as pids are shown, by release and width of a word (erl_ptab.h)."""
    memory, order, seen = table.memory, SlotOrder.of(table.__getitem__), 0
    if order is None:
        return False
    rules = {lambda data: data & order.mask, order.slot_of}
    try:
        size, invalid = table["r.o.max"], table["r.o.invalid_element"]
        for slot, pointer in enumerate(memory.words(table["r.o.tab"], min(size, _slots(table)))):
            if pointer in (0, invalid) or seen >= SAMPLE:
                continue
            seen += 1
            identifier = _id(table, pointer)
            rules = {rule for rule in rules if rule(identifier >> IMMED1_BITS) == slot}
            if KINDS.get(identifier & 0xF) != kind or not rules:
                return False
        return bool(seen) or not table["vola.tile.count"]
    except Unreadable:
        return False


def persistent_terms(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """The variable that leads to the table of persistent terms, or why it is not found."""
    seen: dict[int, bool] = {}
    found = []
    for start, words in data.parts:
        for i, value in enumerate(words):
            if value % image.word_size or value < PAGE or image.is_inside(value):
                continue
            if value not in seen:
                if len(seen) >= MAX_LOOKED_AT:
                    return f"more than {MAX_LOOKED_AT} pointers might lead to it"
                seen[value] = persistent_table.is_table(Record(memory, layout, "HashTable", value))
            if seen[value]:
                found.append((start + i * image.word_size, value))
    if len({value for _, value in found}) != 1:
        return f"{len(found) or 'no'} places look like it"
    return Recovered(persistent_table.VARIABLE, found[0][0], "by its table, whose numbers agree and which has pairs")


def resource_types(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """The head of the ring of types of resources, or why it is not found. It is like a type, but for that it has no
    names, owner or functions; the others in the ring have names."""
    word = image.word_size
    next_, prev, owner, dtor, module, name = (
        layout.offset("ErlNifResourceType", path) // word
        for path in ("next", "prev", "owner", "fn.dtor", "module", "name")
    )
    span = layout.size("ErlNifResourceType") // word
    found = []
    for start, words in data.parts:
        for i in range(len(words) - span + 1):
            if words[i + owner] or words[i + dtor] or words[i + module] != words[i + name] or not words[i + next_]:
                continue
            head = start + i * word
            if _is_ring_of_types(memory, layout, head, words[i + next_], words[i + prev]):
                found.append(head)
    if len(found) != 1:
        return f"{len(found) or 'no'} places look like it"
    return Recovered(RESOURCE_TYPES, found[0], "by its shape; the types in its ring lead back and have names")


def _is_ring_of_types(memory: CachedMemory, layout: Layout, head: int, first: int, last: int) -> bool:
    """Whether the first and the last type lead back to their head, and have names."""
    if head in (first, last) or first % memory.word_size or last % memory.word_size:
        return False
    try:
        one, other = (Record(memory, layout, "ErlNifResourceType", at) for at in (first, last))
        names = (record[field] for record in (one, other) for field in ("module", "name"))
        return one["prev"] == other["next"] == head and all(name & IMMED2_MASK == ATOM for name in names)
    except Unreadable:
        return False


def permissions(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> dict[str, Recovered | str]:
    """The permissions to change code and to load some, or why one is not found: each has the flag by which it is handed
    over, and leads to the end of its queue, which is empty or ends there."""
    word = image.word_size
    first, tail, flag = (layout.offset("code_permission", path) for path in ("first", "tail_p", "xstate_handover_flg"))
    following = layout.offset("code_permission_queue_item", "next")
    found: dict[str, list[int]] = {name: [] for name in PERMISSIONS}
    names = {1 << bit: name for name, bit in PERMISSIONS.items()}
    for start, words in data.parts:
        for i in range(first // word, len(words) - (flag - first) // word):
            end = words[i + (tail - first) // word]
            at = start + i * word
            is_empty = end == at and not words[i]
            if not is_empty and (not words[i] or not end or end % word or end - following < PAGE):
                continue
            name = names.get(data.u32(at + flag - first) or 0)
            if name is not None and (is_empty or _ends_there(memory, words[i], following, end)):
                found[name].append(at - first)
    return {
        name: Recovered(name, places[0], "by its flag and its queue")
        if len(places) == 1
        else f"{len(places) or 'no'} places look like it"
        for name, places in found.items()
    }


def _ends_there(memory: CachedMemory, first: int, following: int, end: int) -> bool:
    """Whether the `next` of the last in a queue is at `end`."""
    try:
        queued = list(chain(memory, first, following, MAX_LOOKED_AT))
    except Unreadable:
        return False
    return queued[-1] + following == end


def _slots(table: Record) -> int:
    """Slots that are looked at: the first ones are used first, and a table may be large."""
    return 4096 // table.memory.word_size


def _id(table: Record, element: int) -> int:
    return Record(table.memory, table.layout, "ErtsPTabElementCommon", element)["id"]
