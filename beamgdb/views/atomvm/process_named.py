"""Which process of AtomVM a user means: by pid, by registered name, or by the address of its `Context`."""

from __future__ import annotations

import re

from beamgdb.atomvm.contexts import Context
from beamgdb.atomvm.vm import AtomVm
from beamgdb.memory import Unreadable
from beamgdb.terms import elixir_quoting
from beamgdb.views.process_named import Evaluate
from beamgdb.views.typed import brief
from beamgdb.vm.model import Unavailable

_PID = re.compile(r"(?:#(?:Port|PID))?<?0\.([0-9]{1,10})(?:\.0)?>?")


def find(vm: AtomVm, text: str, evaluate: Evaluate) -> Context:
    """The process, or port. Raises `Unavailable`."""
    try:
        return _found(vm, text, evaluate)
    except Unreadable as error:
        raise Unavailable(f"the list of processes is damaged: {error}") from None


def _found(vm: AtomVm, text: str, evaluate: Evaluate) -> Context:
    pid = _PID.fullmatch(text)
    if pid is not None:
        context = vm.process(int(pid[1]))
        if context is None:
            raise Unavailable(f"no process {text}: it has ended, or never was")
        return context
    names, meant = vm.contexts.names(), elixir_quoting.typed_atoms(text)
    number = next((number for number, index in names.items() if vm.atom(index) in meant), None)
    named = vm.process(number) if number is not None else None
    if named is not None:
        return named
    word = evaluate(text)
    if word is None:
        raise Unavailable(f"no process is registered as {brief(text)}, and it is no pid or address")
    at = next((one for one in vm.contexts if one.address == word & vm.memory.address_mask), None)
    if at is None:
        raise Unavailable(f"no process is registered as {brief(text)}, and at that address is none")
    return at
