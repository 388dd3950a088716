"""How much memory the VM has for what, as erlang:memory/0 tells (erlang.erl, `memory/0`; erl_alloc.c,
`erts_allocated_areas`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from beamgdb.memory import Unreadable
from beamgdb.vm.allocators import Allocators, Instance
from beamgdb.vm.model import Unavailable, Vm
from jit.otp.layouts.layout import NotKnown

OF_PROCESSES: Final = (0, 2, 3, 4, 5, 11, 12)
"""Types of blocks of fixed size that belong to processes: proc, msg_ref, ll_ptimer, hl_ptimer, bif_timer, monitor and
link, by their numbers in order of erl_alloc.types, the same in OTP 25, 27 and 29."""

COUNTED: Final = frozenset(f"{name}_alloc" for name in "temp sl std ll eheap ets fix literal binary driver".split())
"""Allocators of whose blocks it is the sum. One that is switched off (`erl +MBe false`, `+Mea min`) takes malloc's,
which counts nothing: then erlang:memory/0 is an error, `notsup`."""

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
    fixed: int | None = 0
    instances: list[Instance] = []
    for one in Allocators(vm).instances():
        if isinstance(one, Unreadable):
            damaged.append(one)
        else:
            instances.append(one)
    names = {one.record["alloc_no"]: one.allocator for one in instances}
    why = "damaged" if damaged else "switched off"
    off = {name: f"{name}, which is {why}" for name in COUNTED.difference(names.values())}
    for one in instances:
        try:
            one.usage()  # what cannot be is damaged
            for number, size in enumerate(one.used_by_allocator(), 1):
                name = names.get(number, "")
                sizes[name] = sizes.get(name, 0) + size
            fixed = fixed + one.fixed(OF_PROCESSES) if fixed is not None else None
        except Unreadable as error:
            damaged.append(error)
        except NotKnown:
            fixed = None
    code = _number(vm, CODE)
    compiled = vm.layout.flavour == "jit"
    total = sum(sizes.values()) + (code or 0 if compiled else 0)
    table = _process_table(vm)
    processes = sizes.get("eheap_alloc", 0) + (fixed or 0) + (table or 0)
    misc = _number(vm, ETS_MISC)
    atom, atom_used = _atoms(vm)
    hidden = "the code" if compiled and code is None else ""
    whole = f"{', '.join(sorted(off))}: {why}" if off else ""
    of_processes = off.get("eheap_alloc") or off.get("fix_alloc")
    lacking = {"the table of processes": table, "blocks of fixed size": fixed}
    unknown = of_processes or " and ".join(name for name, size in lacking.items() if size is None)
    return [
        Use("total", total if not off else None, whole or hidden),
        Use("processes", processes if of_processes is None else None, unknown),
        Use("system", total - processes if not unknown and not off else None, whole or unknown or hidden),
        Use("atom", atom),
        Use("atom_used", atom_used),
        _of("binary", "binary_alloc", sizes, off),
        _of("ets", "ets_alloc", sizes, off, misc or 0, "what belongs to no table" if misc is None else ""),
        Use("code", code, "tables of modules, exports and funs" if code is not None else ""),
        _of("literals", "literal_alloc", sizes, off),
    ], damaged


def _of(
    kind: str, allocator: str, sizes: Mapping[str, int], off: Mapping[str, str], more: int = 0, without: str = ""
) -> Use:
    """What an allocator has, and `more`; not known where it is switched off."""
    if allocator in off:
        return Use(kind, None, off[allocator])
    return Use(kind, sizes.get(allocator, 0) + more, without)


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
