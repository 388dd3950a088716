"""Literals of purged code, which are freed when no process has them any more (beam_bif_load.c,
erts_literal_area_collector.erl).

A purge leaves them behind, and wakes a process that collects such areas one after the other: it asks processes to copy
what they have of one, by a signal (`ERTS_SIG_Q_OP_ADJ_MSGQ`) for their messages, then, who needs a collection for that,
by a system task (`ERTS_PSTT_CLA`). Before each area, all schedulers must have gone on to something else. So who is in a
native function for long keeps the literals of all code that is purged meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.vm import backtrace, purging
from beamgdb.vm.backtrace import MAX_STACK, StackEnds
from beamgdb.vm.heap_walk import PIECE, Walker
from beamgdb.vm.heaps import Heaps
from beamgdb.vm.model import Vm
from beamgdb.vm.processes import Process
from beamgdb.vm.signals import Signal
from jit.otp.tags import BOXED, CONS, PRIMARY_MASK

COLLECTOR: Final = "erts_literal_area_collector"
"""The module of the process that collects them, which has no name; it is one of the first that a node starts."""

AMONG: Final = 64
LOOP: Final = f"{COLLECTOR}:msg_loop/4"

ADJUST_QUEUE: Final = 18
"""`ERTS_SIG_Q_OP_ADJ_MSGQ`: handles what is in a message queue, for who has asked, whose pid stands where that of a
message's sender does (`ERL_MESSAGE_FROM`), behind two words."""

VARIABLE: Final = "erts_copy_literal_area__"
"""Points to the area that is collected."""

MAX_BYTES: Final = 1 << 30
"""Of a process that are searched."""


@dataclass(frozen=True)
class Collection:
    """A collection of old literals that is under way. `size`: bytes of the area, None where it is not known where that
    is. `unanswered` have not yet copied what they have of it, `holding` those of them in whose memory it was seen.
    `running` are run by schedulers which must go on first; the VM does not tell which have done so."""

    collector: Process
    size: int | None
    unanswered: tuple[Process, ...]
    holding: frozenset[int]
    running: tuple[Process, ...] = ()

    def holds(self, process: Process) -> bool:
        return process.address in self.holding


def collection(vm: Vm, advance: Callable[[], None] = lambda: None) -> Collection | None:
    """The collection that is under way, None where there is none, it waits for nobody, or that cannot be told.
    `advance` is called for each process that may keep it waiting. Raises `Unreadable`, `Unavailable`, KeyError."""
    collector = next((one for one in islice(vm.processes, AMONG) if _is_collector(vm, one)), None)
    if collector is None or collector.is_running():
        return None
    if collector.status() == "suspended":
        running = tuple(purging.running(vm))
        return Collection(collector, None, (), frozenset(), running) if running else None
    if not _is_collecting(vm, collector):
        return None
    asks = purging.Asks(vm, collector, "ERTS_PSTT_CLA", lambda signal: _asks(vm, signal, collector.id))
    unanswered = tuple(asks.unanswered(advance))
    bounds = _area(vm)
    size = bounds[1] - bounds[0] if bounds is not None else None
    holding = frozenset(one.address for one in unanswered if bounds is not None and _has_words(vm, one, *bounds))
    return Collection(collector, size, unanswered, holding) if unanswered else None


def _is_collector(vm: Vm, process: Process) -> bool:
    try:
        call = process.initial_call()
        return call is not None and vm.term(call[0]) == COLLECTOR
    except Unreadable:
        return False


def _is_collecting(vm: Vm, collector: Process) -> bool:
    """Whether it has an area, by a reference that it keeps for that. (What it has not is `undefined`.)"""
    try:
        for level in backtrace.of_waiting(vm, collector):
            if level.place is not None and level.place.code.name == LOOP:
                return any(word & PRIMARY_MASK == BOXED and vm.term(word).startswith("#Ref<")
                           for word in level.y_registers)  # fmt: skip
    except (StackEnds, Unreadable):
        pass
    return False


def _asks(vm: Vm, signal: Signal, collector: int) -> bool:
    if signal.operation != ADJUST_QUEUE:
        return False
    at = signal.address + vm.layout.offset("ErtsMessageRef", "m")
    return vm.memory.word(at + 2 * vm.memory.word_size) == collector


def _area(vm: Vm) -> tuple[int, int] | None:
    """The area that is collected, from its first literal to its end; None where that is not known."""
    variable = vm.symbol(VARIABLE)
    address = vm.memory.word(variable) if variable is not None else 0
    if not address:
        return None
    area = vm.record("ErtsLiteralArea", address)
    start, end = area.field_address("start"), area["end"]
    return (start, end) if start <= end else None


def _has_words(vm: Vm, process: Process, start: int, end: int) -> bool:
    """Whether a term that leads there stands in the memory of a process, or on its stack."""
    walker, left = Walker(vm.memory, vm.tags), MAX_BYTES
    tags = (BOXED, CONS)
    try:
        for low, high in _memory(vm, process):
            for at in range(low, high, PIECE):
                raw = vm.memory.read(at, min(PIECE, high - at, left))
                left -= len(raw)
                if any(start <= word < end and word & PRIMARY_MASK in tags for word in walker.words(raw)):
                    return True
                if left <= 0:
                    return False
    except (Unreadable, KeyError):
        pass
    return False


def _memory(vm: Vm, process: Process) -> Iterator[tuple[int, int]]:
    record = process.record
    if process.has_sound_stack():
        yield record["stop"], min(record["hend"], record["stop"] + MAX_STACK)
    for area in Heaps(vm).of_process(process):
        yield area.start, area.end
