"""The tables of processes and of ports: what each slot holds has the id of the slot (erl_ptab.c, erl_ptab.h)."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.evidence.atoms import atom_text
from beamgdb.evidence.findings import ENOUGH, INT, Findings, NotProved, Seen, only
from beamgdb.memory import Unreadable
from beamgdb.terms.slots import SlotOrder
from jit.otp.layouts.resolve import Field
from jit.otp.tags import IMMED1_BITS, IMMED1_MASK, PID

FIRST_SLOTS = 1 << 10
"""Slots that are looked at first; the first pids are in the first slots."""

LARGEST_PIECE = 1 << 16
"""Slots read at a time at most."""

SAMPLE = 64
"""Processes that are looked at, at most."""

TABLE_BITS = range(10, 28)
"""A table of a node has 2^10 slots at least (`+P`, `+Q` of erl), 2^27 at most (`ERTS_PTAB_MAX_SIZE`)."""

ID_BITS = (28, 60)
"""Bits of an id's data, from the oldest release to the newest."""

MAX_LINE_BITS = 8
"""Slots in a cache line are fewer than 2^8."""

PURGER = b"erts_code_purger"
"""The name of the process that a VM starts as the second one (erl_init.c, `erts_code_purger`)."""

MAX_ID_AT = 64
"""An id is among the first words of what has one (`ErtsPTabElementCommon`)."""


def prove(seen: Seen, found: Findings) -> None:
    """`ErtsPTab`, but for the order of slots, and `Process.common.id`."""
    table, word = seen.variable("erts_proc"), seen.word
    window = range(0, seen.window("ErtsPTab"), word)
    held = {at: entry for at in window if (entry := _held(seen, table + at))}
    tab = only(held, "ErtsPTab.r.o.tab")
    processes, at_id = held[tab]
    invalid = only(
        (at for at in window if _is_invalid(seen, seen.memory.word(table + at), at_id)), "ErtsPTab.r.o.invalid_element"
    )
    at_max, at_mask = _bounds(seen, table, seen.variable("erts_port"))
    if not _slots_agree(seen, processes, at_id, seen.number(table + at_mask, INT)):
        raise NotProved("ids do not tell slots")
    how = f"{len(processes)} processes"
    found.add("Process", how, {"common.id": Field(at_id, word)})
    found.add("ErtsPTabElementCommon", how, {"id": Field(at_id, word)})
    found.add("ErtsPTab", how, {
        "r.o.tab": Field(tab, word), "r.o.max": Field(at_max, INT), "r.o.invalid_element": Field(invalid, word),
        "r.o.pix_mask": Field(at_mask, _width(seen, table, at_mask)),
    })  # fmt: skip
    _survey(seen, found)


def prove_order(seen: Seen, found: Findings) -> None:
    """How the tables spread ids over their slots: `erts_code_purger` is <0.1.0>, and the width of a cache line is all
    that there is to know. The numbers that follow the mask are those for slots. Behind them are such for the ids of
    free slots, which may be the same."""
    proc, port = (seen.variable(name) for name in ("erts_proc", "erts_port"))
    tab, at_mask = (found.offset("ErtsPTab", f"r.o.{name}") for name in ("tab", "pix_mask"))
    slots = _slots(seen, seen.memory.word(proc + tab), FIRST_SLOTS)
    slot = next((slot for slot, address in enumerate(slots) if address and _is_purger(seen, found, address)), 0)
    line = slot.bit_length() - 1
    if slot < 2 or slot != 1 << line or line >= MAX_LINE_BITS:
        raise NotProved("the order of slots: no process erts_code_purger tells it")
    bits = {table: seen.number(table + at_mask, INT).bit_length() for table in (proc, port)}
    wanted = {
        "pix_cl_mask": {table: (1 << size - line) - 1 for table, size in bits.items()},
        "pix_cl_shift": dict.fromkeys(bits, line),
        "pix_cli_mask": dict.fromkeys(bits, (1 << line) - 1),
        "pix_cli_shift": {table: size - line for table, size in bits.items()},
    }
    taken: set[int] = set()
    for name, values in wanted.items():
        # Three masks and two shifts, as wide as they may be. A mask and a shift may be the same number.
        places = (at for at in range(at_mask + INT, at_mask + 3 * seen.word + 2 * INT, INT) if at not in taken)
        has = (at for at in places if all(seen.number(table + at, INT) == value for table, value in values.items()))
        at = next(has, None)
        if at is None:
            raise NotProved(f"no place for ErtsPTab.r.o.{name}")
        taken.add(at)
        width = INT if name.endswith("shift") else _width(seen, proc, at)
        found.add("ErtsPTab", "the id of erts_code_purger", {f"r.o.{name}": Field(at, width)})


def is_process(seen: Seen, found: Findings, address: int) -> bool:
    """Whether the table has this process, at the slot of its id."""
    if not address or address % seen.word:
        return False
    table = seen.variable("erts_proc")
    order = SlotOrder.of(lambda name: seen.number(table + found.offset("ErtsPTab", name), INT))
    raw = seen.memory.try_read(address + found.offset("Process", "common.id"), seen.word)
    term = int.from_bytes(raw or b"", seen.memory.byteorder)
    if order is None or term & IMMED1_MASK != PID or _is_nobody(term):
        return False
    tab = seen.memory.word(table + found.offset("ErtsPTab", "r.o.tab"))
    data = term >> IMMED1_BITS
    return any(
        seen.memory.try_read(tab + slot * seen.word, seen.word) == address.to_bytes(seen.word, seen.memory.byteorder)
        for slot in (data & order.mask, order.slot_of(data & order.mask))
    )


def _is_purger(seen: Seen, found: Findings, process: int) -> bool:
    """Whether a process is the one that purges code."""
    registration = seen.memory.word(process + found.offset("Process", "common.u.alive.reg"))
    if not registration:
        return False
    return atom_text(seen, found, seen.memory.word(registration + found.offset("RegProc", "name"))) == PURGER


def _survey(seen: Seen, found: Findings) -> None:
    """A sample of the processes, and how many there are, if that is what the table says."""
    found.processes = sample(seen, found)
    proc, port = (seen.variable(name) for name in ("erts_proc", "erts_port"))
    counts = {table: len(_used(seen, found, table)) for table in (proc, port)}
    places = range(0, found.offset("ErtsPTab", "r.o.tab"), INT)
    at = only(
        (at for at in places if all(seen.number(table + at, INT) == n for table, n in counts.items())),
        "ErtsPTab.vola.tile.count",
    )
    how = f"{counts[proc]} processes and {counts[port]} ports"
    found.add("ErtsPTab", how, {"vola.tile.count": Field(at, INT)})


def sample(seen: Seen, found: Findings) -> list[int]:
    """Addresses of processes, of as many as need be looked at."""
    table = seen.variable("erts_proc")
    vacant = seen.memory.word(table + found.offset("ErtsPTab", "r.o.invalid_element"))
    return [address for address in _used(seen, found, table) if address != vacant][:SAMPLE]


def _used(seen: Seen, found: Findings, table: int) -> list[int]:
    """What is in the slots of a table that are used, as far as they are looked at."""
    tab, size = (found.offset("ErtsPTab", f"r.o.{name}") for name in ("tab", "max"))
    slots = _slots(seen, seen.memory.word(table + tab), min(seen.number(table + size, INT), seen.slots))
    return [address for address in slots if address]


def _slots(seen: Seen, start: int, count: int) -> Iterator[int]:
    """What is in the first slots of a table, read in pieces. Raises `Unreadable`."""
    slot, piece = 0, FIRST_SLOTS
    while slot < count:
        yield from seen.memory.words(start + slot * seen.word, min(piece, count - slot))
        slot, piece = slot + piece, min(2 * piece, LARGEST_PIECE)


def _held(seen: Seen, pointer: int) -> tuple[dict[int, int], int] | None:
    """The processes by slot in the table that the word at `pointer` points to, and where they have their ids."""
    try:
        words = seen.memory.words(seen.memory.word(pointer), FIRST_SLOTS)
        held = {slot: address for slot, address in enumerate(words) if address}
        if len(set(held.values())) < ENOUGH or any(address % seen.word for address in held.values()):
            return None
        for at in range(0, MAX_ID_AT, seen.word):
            ids = {slot: seen.memory.word(address + at) for slot, address in held.items()}
            used = {slot: held[slot] for slot, one in ids.items() if not _is_nobody(one)}
            if all(one & IMMED1_MASK == PID for one in ids.values()) and len({ids[slot] for slot in used}) >= ENOUGH:
                return used, at
    except Unreadable:
        pass
    return None


def _is_nobody(term: int) -> bool:
    """Whether this is the id of what stands for no process: all bits are set (`ERTS_PTAB_INVALID_ID`)."""
    data = term >> IMMED1_BITS
    return term & IMMED1_MASK == PID and data in [(1 << bits) - 1 for bits in ID_BITS]


def _is_invalid(seen: Seen, address: int, at_id: int) -> bool:
    raw = seen.memory.try_read(address + at_id, seen.word) if address % seen.word == 0 else None
    return raw is not None and _is_nobody(int.from_bytes(raw, seen.memory.byteorder))


def _bounds(seen: Seen, *tables: int) -> tuple[int, int]:
    """Where tables have the number of their slots, and the mask that is one less. They differ, but where the most ports
    are as many as the most processes: as in a container that allows a million open files."""

    def bounds(at_max: int, at_mask: int) -> set[tuple[int, int]]:
        pairs = {(seen.number(table + at_max, INT), seen.number(table + at_mask, INT)) for table in tables}
        are_bounds = all(
            mask.bit_length() in TABLE_BITS and size == mask + 1 and size & mask == 0 for size, mask in pairs
        )
        return pairs if are_bounds else set()

    places = range(0, seen.window("ErtsPTab"), INT)
    told = {(at_max, at_mask): bounds(at_max, at_mask) for at_max in places for at_mask in places}
    most_told = max(map(len, told.values()))
    found = [place for place, pairs in told.items() if pairs and len(pairs) == most_told]
    return only((one for one, _ in found), "ErtsPTab.r.o.max"), only((one for _, one in found), "ErtsPTab.r.o.pix_mask")


def _width(seen: Seen, table: int, at: int) -> int:
    """Whether a small number may be a word: then the upper half is there, and no other number."""
    is_word = at % seen.word == 0 and seen.number(table + at, seen.word) == seen.number(table + at, INT)
    return seen.word if is_word else INT


def _slots_agree(seen: Seen, processes: dict[int, int], at_id: int, mask: int) -> bool:
    """Whether the lowest bits of ids are the slots, or the numbers that the slots are made of, for some width of a
    cache line: so in 64-bit VMs up to OTP 25."""
    data = {slot: seen.memory.word(address + at_id) >> IMMED1_BITS for slot, address in processes.items()}
    if all(one & mask == slot for slot, one in data.items()):
        return True
    bits = mask.bit_length()
    return any(
        all((one & (1 << bits - line) - 1) << line | (one & mask) >> bits - line == slot for slot, one in data.items())
        for line in range(1, min(bits, MAX_LINE_BITS))
    )
