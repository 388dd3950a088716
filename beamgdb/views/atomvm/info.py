"""Which AtomVM this is, and what is known of it, as `beam-info` shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from beamgdb.atomvm.modules import Broken
from beamgdb.atomvm.vm import AtomVm
from beamgdb.memory import Unreadable
from beamgdb.views.atomvm.threads import Threads
from beamgdb.views.info import MAX_NAMES, Fact


def facts(vm: AtomVm, threads: Threads, version: str | None) -> Iterator[Fact]:
    """All that is known; `version` is what the program's file says, None if it does not."""

    def asked(question: Callable[[], object]) -> str:
        try:
            return str(question())
        except (Unreadable, KeyError) as error:
            return f"unknown ({error})"

    yield Fact("AtomVM", version or "version unknown")
    yield Fact("architecture", f"{vm.arch or 'unknown'}, {8 * vm.memory.word_size} bits")
    yield Fact("floats", f"{8 * vm.float_size} bits")
    if vm.layout.has("GlobalContext", "online_schedulers"):
        yield Fact("schedulers", asked(lambda: f"{vm.record['online_schedulers']} online"))
    yield Fact("processes", asked(lambda: _processes(vm, threads)))
    yield Fact("atoms", asked(vm.atoms.count))
    yield Fact("layouts", vm.layout.origin)
    yield Fact("code", asked(lambda: _code(vm)))


def _processes(vm: AtomVm, threads: Threads) -> str:
    every = list(vm.contexts)
    ports = sum(one.is_port for one in every)
    return f"{len(every) - ports}, {ports} ports, {len(threads.all())} on threads"


def _code(vm: AtomVm) -> str:
    names: list[list[str]] = [[], []]
    for module in vm.modules:
        try:
            name = module.name
        except (Broken, Unreadable):
            name = f"<module {module.index}>"
        names[bool(module.native)].append(name)
    kinds = (f"{len(one)} modules {kind}{_listed(one)}" for kind, one in zip(("interpreted", "native"), names) if one)
    return "; ".join(kinds) or "no modules"


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names[:MAX_NAMES])}{', ...' if len(names) > MAX_NAMES else ''})"
