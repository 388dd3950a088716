"""How much memory the VM has for what, as erlang:memory/0 tells (erlang.erl, `memory/0`; erl_alloc.c,
`erts_allocated_areas`)."""

from __future__ import annotations

from typing import Final, NamedTuple

from beamgdb.memory import Unreadable
from beamgdb.vm.allocators import Allocators, Instance
from beamgdb.vm.model import Vm

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
    """The kinds that erlang:memory/0 has, but for those of atoms, and what is damaged. Raises `Unavailable` and
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
        for number, size in enumerate(one.used_by_allocator(), 1):
            name = names.get(number, "")
            sizes[name] = sizes.get(name, 0) + size
        fixed += one.fixed(OF_PROCESSES)
    code = _number(vm, CODE)
    compiled = vm.layout.flavour == "jit"
    total = sum(sizes.values()) + (code or 0 if compiled else 0)
    processes = sizes.get("eheap_alloc", 0) + fixed + _process_table(vm)
    misc = _number(vm, ETS_MISC)
    hidden = "the code" if compiled and code is None else ""
    return [
        Use("total", total, hidden),
        Use("processes", processes),
        Use("system", total - processes, hidden),
        Use("binary", sizes.get("binary_alloc", 0)),
        Use("ets", sizes.get("ets_alloc", 0) + (misc or 0), "what belongs to no table" if misc is None else ""),
        Use("code", code, "tables of modules, exports and funs" if code is not None else ""),
        Use("literals", sizes.get("literal_alloc", 0)),
    ], damaged


def _process_table(vm: Vm) -> int:
    """Bytes of the table of processes: a word for each slot (erl_ptab.c, `erts_ptab_mem_size`)."""
    address = vm.symbol("erts_proc")
    try:
        return vm.record("ErtsPTab", address)["r.o.max"] * vm.memory.word_size if address is not None else 0
    except Unreadable:
        return 0


def _number(vm: Vm, name: str) -> int | None:
    address = vm.symbol(name)
    try:
        return vm.memory.word(address) if address is not None else None
    except Unreadable:
        return None
