"""What tells of loaded code: the list of what BeamAsm has registered, the tables by code index, and that index."""

from __future__ import annotations

from beamgdb.code.code_ix import CODE_INDICES
from beamgdb.code.ranges import MAX_FUNCTIONS, MAX_RANGES, SAMPLE, is_sorted
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.record import Record
from beamgdb.roots import functions, references
from beamgdb.roots.functions import Commit
from beamgdb.roots.snapshot import Snapshot
from jit.image.image import Image, Recovered
from jit.otp.layouts.layout import Layout

DESCRIPTOR = "__jit_debug_descriptor"
RANGES, WRITE_PTR, CATCHES = "r", "write_ptr", "bccix"
ACTIVE, STAGING = "the_active_code_index", "the_staging_code_index"

VERSION, ACTIONS = 1, 3
"""Of GDB's JIT interface; actions are below (GDB's documentation, "JIT Compilation Interface")."""

KINDS = (0, 1)
"""First number of what BeamAsm registers (`registrations.RegistrationKind`)."""

FIRST_CATCHES, MAX_DOUBLINGS = 1024, 16
"""`DEFAULT_TABSIZE` of beam_catches.c: a table of catches starts with so many, and is doubled when it is full."""

HEADER_WORDS = 40
"""Words of a `BeamCodeHeader` at most."""

LOWEST = 0x1000
"""No pointer is below."""


def descriptor(memory: CachedMemory, image: Image, data: Snapshot) -> Recovered | str:
    """`__jit_debug_descriptor`, as soon as something is registered, or why it is not found."""
    word = memory.word_size
    found = []
    for start, numbers in data.numbers:
        for i in range(0, len(numbers) - 3 - word // 4, word // 4):
            if numbers[i] == VERSION and numbers[i + 1] < ACTIONS and _is_descriptor(memory, image, start + 4 * i):
                found.append(start + 4 * i)
    if len(found) != 1:
        return f"{len(found) or 'no'} places look like it"
    return Recovered(DESCRIPTOR, found[0], "by its structure; its entries point back")


def _is_descriptor(memory: CachedMemory, image: Image, address: int) -> bool:
    """Whether the first entries of a list are here."""
    word = memory.word_size
    try:
        before, entry = 0, memory.word(address + 8 + word)
        for _ in range(2):
            if entry < LOWEST or entry % word or image.is_inside(entry):
                return False
            following, previous, registered = memory.words(entry, 3)
            # OTP 25 leaves as it was what the newest has of one before it, if another one follows.
            is_linked = previous == before or (not before and following)
            if not is_linked or memory.u32(registered) not in KINDS:
                return False
            before, entry = entry, following
            if not entry:
                break
    except Unreadable:
        return False
    return True


def ranges(memory: CachedMemory, layout: Layout, data: Snapshot, active: int) -> Recovered | str:
    """`r`: three tables one behind the other, of which that with the active code index is in use; or why it is not
    found."""
    size, word = layout.size("ranges"), memory.word_size
    fields = [layout.offset("ranges", name) // word for name in ("modules", "n", "allocated", "mid")]
    places = [[index * size // word + field for field in fields] for index in range(CODE_INDICES)]
    found = []
    for start, words in data.parts:
        for i in range(len(words) - CODE_INDICES * size // word + 1):
            # Nearly all end here: a search of all places is to be quick.
            used = words[i + places[active][1]]
            if not 0 < used <= words[i + places[active][2]] <= MAX_RANGES:
                continue
            first = Record(memory, layout, "ranges", start + word * i)
            rows = [[words[i + place] for place in row] for row in places]
            staged = rows.pop(_staged(active))
            if all(_may_be_table(*row) for row in rows) and _may_be_staged(*staged) and _are_tables(first, active):
                found.append(first)
    # What is not used yet is zeros, as memory before the variable may be: where all are used, that is seen.
    whole = [first for first in found if all(first.element(index)["modules"] for index in range(CODE_INDICES))]
    found = whole or found
    if len(found) != 1:
        return f"{len(found) or 'no'} places look like it"
    return Recovered(RANGES, found[0].address, "by its sorted tables of modules' code, with that in use among them")


def _may_be_table(modules: int, used: int, allocated: int, middle: int) -> bool:
    """Whether these can be the fields of a `struct ranges`, maybe one that was not used yet."""
    if not modules:
        return not (used or allocated or middle)
    return used <= allocated and 0 < allocated <= MAX_RANGES and modules >= LOWEST and (not middle or middle >= modules)


def _staged(active: int) -> int:
    return (active + 1) % CODE_INDICES


def _may_be_staged(modules: int, used: int, allocated: int, middle: int) -> bool:
    """The same of the table that is staged. While modules are loaded it is a new one in which nothing is sorted, and
    its number and middle are still those of the one before; so it stays if that is given up (beam_ranges.c)."""
    return _may_be_table(modules, min(used, allocated), allocated, 0 if modules else middle) and used <= MAX_RANGES


def _are_tables(first: Record, active: int) -> bool:
    """Whether the table in use has modules in it, and is sorted, as the one before it is."""
    try:
        used = [first.element(index) for index in range(CODE_INDICES) if index != _staged(active)]
        return _has_modules(first.element(active)) and all(is_sorted(one) for one in used if one["n"])
    except Unreadable:
        return False


def _has_modules(table: Record) -> bool:
    """Whether there are modules where this says, as far as is looked."""
    memory, size = table.memory, table.layout.size("Range")
    used = (Record(memory, table.layout, "Range", table["modules"] + n * size) for n in range(table["n"]))
    loaded = [(one["start"], one["end"]) for one in used if one["start"] < one["end"]]
    return bool(loaded) and all(_is_module(memory, *one) for one in loaded[:: -(-len(loaded) // SAMPLE)])


def _is_module(memory: CachedMemory, start: int, end: int) -> bool:
    """Whether the code of a module may lie here: somewhere in its header, which begins with their number, begins a list
    of its functions, which lie behind it, and where they end. Nothing else of the header need be known."""
    word = memory.word_size
    count = memory.word(start)
    if not 0 < count <= min(MAX_FUNCTIONS, (end - start) // word):
        return False
    words = memory.words(start, min(HEADER_WORDS + count + 1, (end - start) // word))
    for at in range(1, len(words) - count):
        first, last = words[at], words[at + count]
        if start + (at + count + 1) * word <= first < last <= end:
            listed = words[at : at + count + 1]
            if all(one < other for one, other in zip(listed, listed[1:])):
                return True
    return False


def write_ptr(memory: CachedMemory, image: Image, tables: Record) -> Recovered | str:
    """`write_ptr`: beside `r`, the only pointer to an entry of one of its tables in what the functions use that use it,
    or why it is not found."""
    size = tables.layout.size("Range")
    inside = range(tables.address, tables.element(CODE_INDICES).address)
    found = set()
    try:
        elements = [tables.element(index) for index in range(CODE_INDICES)]
        bounds = [range(one["modules"], one["modules"] + one["allocated"] * size + 1, size) for one in elements]
        for function in references.users(image, inside.start, inside.stop):
            for address in references.referred(image, function) - set(inside):
                if address % memory.word_size == 0 and any(memory.word(address) in one for one in bounds):
                    found.add(address)
    except Unreadable:
        return "r cannot be read"
    if len(found) != 1:
        return f"{len(found) or 'no'} variables look like it"
    return Recovered(WRITE_PTR, found.pop(), "it points into r, and functions that use r use it")


def catches(memory: CachedMemory, layout: Layout, image: Image, data: Snapshot) -> Recovered | str:
    """`bccix`: three tables one behind the other, or why it is not found. Whether their handlers are in loaded code, is
    for whoever knows that."""
    size, word = layout.size("bc_pool"), memory.word_size
    high, most, handlers = (layout.offset("bc_pool", name) for name in ("high_mark", "tabsize", "beam_catches"))
    found = []
    for start, numbers in data.numbers:
        step = size // 4
        for i in range(0, len(numbers) - CODE_INDICES * step + 1, word // 4):
            pools = [numbers[i + step * index : i + step * (index + 1)] for index in range(CODE_INDICES)]
            if all(_is_size(pool[most // 4]) and pool[high // 4] <= pool[most // 4] for pool in pools):
                pool = Record(memory, layout, "bc_pool", start + 4 * i)
                if all(_has_handlers(pool.element(index), image) for index in range(CODE_INDICES)):
                    found.append(pool.address)
    if len(found) != 1:
        return f"{len(found) or 'no'} places look like it"
    return Recovered(CATCHES, found[0], "by its three tables, whose sizes they can have")


def _is_size(size: int) -> bool:
    doublings, rest = divmod(size, FIRST_CATCHES)
    return not rest and doublings & -doublings == doublings and 0 < doublings <= 1 << MAX_DOUBLINGS


def _has_handlers(pool: Record, image: Image) -> bool:
    try:
        table = pool["beam_catches"]
        return table >= LOWEST and not image.is_inside(table) and pool.memory.word(table) is not None
    except Unreadable:
        return False


def indices(memory: CachedMemory, image: Image, pools: Record) -> dict[str, Recovered] | str:
    """The two code indices, and the function that changes them, the only one that makes one the other and then adds to
    that. Functions that use `bccix` use both. The table that is staged is the one behind that in use, but before
    anything is loaded: then both are the first (code_ix.c)."""
    if image.arch not in functions.READ:
        return f"not looked for on {image.arch}"
    stop = pools.element(CODE_INDICES).address
    used = {
        address
        for function in references.users(image, pools.address, stop)
        for address in references.referred(image, function)
        if not pools.address <= address < stop and _index(memory, address) is not None
    }
    found = [one for one in functions.commits(image, used) if _are_indices(memory, one)]
    if len(found) != 1:
        return f"{len(found) or 'no'} functions change variables that look like them"
    how = "used with bccix; by the only function that makes one the other, and then its successor"
    names = ((functions.COMMIT, found[0].function), (ACTIVE, found[0].active), (STAGING, found[0].staging))
    return {name: Recovered(name, address, how) for name, address in names}


def _are_indices(memory: CachedMemory, found: Commit) -> bool:
    active, staging = (_index(memory, address) for address in (found.active, found.staging))
    return (
        active is not None
        and staging is not None
        and (staging == (active + 1) % CODE_INDICES or active == staging == 0)
    )


def _index(memory: CachedMemory, address: int) -> int | None:
    """The code index that may be at an address."""
    try:
        number = memory.u32(address) if address % 4 == 0 else CODE_INDICES
    except Unreadable:
        return None
    return number if number < CODE_INDICES else None
