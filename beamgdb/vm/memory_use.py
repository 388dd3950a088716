"""How much memory the VM has for what, as erlang:memory/0 tells (erlang.erl, `memory/0`; erl_alloc.c,
`erts_allocated_areas`)."""

from __future__ import annotations

from typing import Final, NamedTuple

from beamgdb.memory import Unreadable
from beamgdb.vm.allocators import Allocators, Instance
from beamgdb.vm.model import Unavailable, Vm

OF_PROCESSES: Final = (0, 2, 3, 4, 5, 11, 12)
"""Types of blocks of fixed size that belong to processes: proc, msg_ref, ll_ptimer, hl_ptimer, bif_timer, monitor and
link, by their numbers in order of erl_alloc.types, the same in OTP 25, 27 and 29."""

CODE, ETS_MISC = "erts_total_code_size", "erts_ets_misc_mem_size"


class Use(NamedTuple):
    """Memory of a kind; None where it is not known. `without`: what is not among it, though the node counts it."""

    kind: str
    size: int | None
    without: str = ""


def uses(vm: Vm) -> tuple[list[Use], list[Unreadable]]:
    """The kinds that erlang:memory/0 has, and what is damaged. Raises `Unavailable` and
    KeyError as `Allocators` does."""
    sizes: dict[str, int] = {}
    damaged: list[Unreadable] = []
    fixed = 0
    instances: list[Instance] = []
    for one in Allocators(vm).instances():
        if isinstance(one, Unreadable):
            damaged.append(one)
        else:
            instances.append(one)
    names = {one.record["alloc_no"]: one.allocator for one in instances}
    for one in instances:
        try:
            one.usage()  # what cannot be is damaged
            for number, size in enumerate(one.used_by_allocator(), 1):
                name = names.get(number, "")
                sizes[name] = sizes.get(name, 0) + size
            fixed += one.fixed(OF_PROCESSES)
        except Unreadable as error:
            damaged.append(error)
    code = _number(vm, CODE)
    compiled = vm.layout.flavour == "jit"
    total = sum(sizes.values()) + (code or 0 if compiled else 0)
    table = _process_table(vm)
    unknown = "the table of processes" if table is None else ""
    processes = sizes.get("eheap_alloc", 0) + fixed + (table or 0)
    misc = _number(vm, ETS_MISC)
    atom, atom_used = _atoms(vm)
    hidden = "the code" if compiled and code is None else ""
    return [
        Use("total", total, hidden),
        Use("processes", processes, unknown),
        Use("system", total - processes if table is not None else None, unknown or hidden),
        Use("atom", atom),
        Use("atom_used", atom_used),
        Use("binary", sizes.get("binary_alloc", 0)),
        Use("ets", sizes.get("ets_alloc", 0) + (misc or 0), "what belongs to no table" if misc is None else ""),
        Use("code", code, "tables of modules, exports and funs" if code is not None else ""),
        Use("literals", sizes.get("literal_alloc", 0)),
    ], damaged


def _process_table(vm: Vm) -> int | None:
    """Bytes of the table of processes, None where that is not known."""
    try:
        return vm.processes.size()
    except (Unavailable, Unreadable, KeyError):
        return None


def _atoms(vm: Vm) -> tuple[int | None, int | None]:
    try:
        return vm.atoms.bytes()
    except (Unavailable, Unreadable, KeyError):
        return None, None


def _number(vm: Vm, name: str) -> int | None:
    address = vm.symbol(name)
    try:
        return vm.memory.word(address) if address is not None else None
    except Unreadable:
        return None
