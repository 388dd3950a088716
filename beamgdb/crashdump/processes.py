"""Processes as crash dumps have them (print_process_info in break.c, dump_process_info in erl_process_dump.c)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Final, NamedTuple, Optional

from beamgdb.crashdump.heap import Heaps
from beamgdb.memory import Unreadable
from beamgdb.records.columns import Columns
from beamgdb.records.record import Record
from beamgdb.vm import fragments, process_dictionary, signals
from beamgdb.vm.heaps import Areas
from beamgdb.vm.model import Unavailable, Vm
from beamgdb.vm.monitor_links import MonitorLinks, Side
from beamgdb.vm.process_list import Noted, ProcessList
from beamgdb.vm.processes import Process
from beamgdb.vm.signals import Signal
from beamgdb.vm.stack import MAX_SLOTS
from jit.otp import vm_flags
from jit.otp.tags import CATCH, HEADER, IMMED1_MASK, IMMED2_BITS, IMMED2_MASK, PID, PRIMARY_MASK

PIECE: Final = 1 << 10
"""Processes whose fields are read together."""

STATES: Final = {
    "free": "Non Existing", "exiting": "Exiting", "garbage_collecting": "Garbing", "suspended": "Suspended",
    "running": "Running", "runnable": "Scheduled", "waiting": "Waiting",
}  # fmt: skip
"""What a status is in a dump (erts_dump_process_state)."""

IN_MOTION: Final = ("free", "exiting", "garbage_collecting")
"""Of such processes stack and heap are not what they should be, and the VM writes none either."""

MONITORED: Final = ("process", "port", "time_offset", "resource", "node")
"""Kinds of monitors that a dump has."""

NO_TERM: Final = "D0:E0:"
"""A message of another node that was not decoded yet, as the VM writes it if its bytes are not at hand."""

TopOf = Callable[[Process], Optional[int]]
"""Where y0 of the innermost Erlang function of a process is, if a thread runs it; None if the VM has that saved."""


class _More(NamedTuple):
    """More of what the VM notes of a process; None for what the layout lacks."""

    address: int
    htop: int | None
    stop: int | None
    old_htop: int | None
    links: int | None
    monitors: int | None
    monitored_by: int | None
    mbuf: int | None
    msg_frag: int | None
    inner: int | None
    overhead: int | None
    old_vheap: int | None
    vheap_size: int | None
    old_vheap_size: int | None
    arity: int | None
    dictionary: int | None
    traced: int | None
    traced_since_sessions: int | None


_PATHS: Final = (
    "htop", "stop", "old_htop", "common.u.alive.links", "common.u.alive.monitors", "common.u.alive.lt_monitors",
    "mbuf", "msg_frag", "sig_qs.first", "off_heap.overhead", "bin_old_vheap", "bin_vheap_sz", "bin_old_vheap_sz",
    "arity", "dictionary", "common.trace_flags", "common.tracee.all_trace_flags",
)  # fmt: skip


class Processes:
    """Writes the processes of a VM; raises `Unavailable` as its parts do. `top`: see `TopOf`. `node` is the name of
    the node, if that is known."""

    def __init__(self, vm: Vm, heaps: Heaps, top: TopOf, node: str | None) -> None:
        self._vm = vm
        self._heaps = heaps
        self._top = top
        self._node = node
        self._memory, self._word = vm.memory, vm.memory.word_size
        self._list = ProcessList(vm)
        self._links = MonitorLinks(vm.tags.release)
        self._stacks = vm.stack()
        self._places: dict[int, str | None] = {}
        self.written = 0
        self.unreadable = 0
        """Processes and parts of their table, and what of single processes is damaged."""
        self.memory: int | None = 0
        """Bytes of all processes that were written; None where that is not known of one."""

    def sections(self) -> Iterator[str]:
        """All processes, each with what it has; a piece of text for each, or more."""
        more = Columns(self._memory, self._vm.layout, "Process", _PATHS)
        every = iter(self._list)
        while piece := list(islice(every, PIECE)):
            found = [one for one in piece if not isinstance(one, Unreadable)]
            self.unreadable += len(piece) - len(found)
            for noted, row in zip(found, more.of([one.address for one in found])):
                if row is None:
                    self.unreadable += 1
                    continue
                self.written += 1
                yield from self._process(noted, _More._make(row))

    def _process(self, noted: Noted, more: _More) -> Iterator[str]:
        pid, process = self._list.pid(noted), self._list.process(noted)
        status = self._list.status(noted)
        lines = [f"=proc:{pid}", *(f"{key}: {value}" for key, value in self._facts(noted, more, status, process))]
        if more.arity is not None and status not in ("running", "garbage_collecting"):
            lines.append(f"arity = {more.arity}")
        yield "\n".join(lines) + "\n"
        if status in IN_MOTION or ((more.traced or more.traced_since_sessions or 0) & vm_flags.F_SENSITIVE):
            return
        yield from self._contents(pid, noted, more, process)

    # -- what is known of it ----------------------------------------------------------------------------------------

    def _facts(self, noted: Noted, more: _More, status: str, process: Process) -> Iterator[tuple[str, object]]:
        known, word = self._list, self._word
        yield "State", STATES.get(status, "Undefined")
        facts: list[tuple[str, object]] = [
            ("Name", known.registered_name(noted)),
            ("Spawned as", known.initial_call(noted)),
            ("Last scheduled in for" if status == "running" else "Current call", known.current_call(noted)),
            ("Spawned by", self._parent(noted)),
            ("Message queue length", known.queue_length(noted)),
            ("Number of heap fragments", self._fragments(more, process)),
            ("Heap fragment data", noted.mbuf_sz),
            ("Link list", self._relations(more, process) if status not in IN_MOTION[:2] else None),
            ("Reductions", noted.reds),
            ("Stack+heap", noted.heap_sz),
        ]
        has_old = bool(noted.old_heap)
        facts += [
            ("OldHeap", _words(noted.old_heap, noted.old_hend, word) if has_old else noted.old_heap),
            ("Heap unused", _words(more.htop, noted.hend, word)),
            ("OldHeap unused", _words(more.old_htop, noted.old_hend, word) if has_old else noted.old_heap),
            ("BinVHeap", more.overhead),
            ("OldBinVHeap", more.old_vheap),
            ("BinVHeap unused", _less(more.vheap_size, more.overhead)),
        ]
        unused = _less(more.old_vheap_size, more.old_vheap)
        facts.append(("OldBinVHeap unused", "overflow" if unused is not None and unused < 0 else unused))
        memory = known.memory(noted)
        self.memory = self.memory + memory if self.memory is not None and memory is not None else None
        facts += [
            ("Memory", memory),
            ("Program counter", f"{noted.i:#x} ({self._place(noted.i)})" if noted.i else None),
        ]
        yield from ((key, value) for key, value in facts if value is not None)

    def _parent(self, noted: Noted) -> str | None:
        if noted.parent is None:
            return None
        return self._vm.term(noted.parent) if noted.parent & IMMED1_MASK == PID else "[]"

    def _fragments(self, more: _More, process: Process) -> int | None:
        if not more.mbuf:
            return more.mbuf
        try:
            return sum(1 for _ in fragments.own(process.record))
        except Unreadable:
            return None

    def _relations(self, more: _More, process: Process) -> str | None:
        """Links and monitors, None without any that a dump has."""
        if not (more.links or more.monitors or more.monitored_by):
            return None
        record, found = process.record, []
        try:
            found += [self._vm.term(side.other) for side in self._links.links(record) if side.other is not None]
            both = chain(self._links.monitors(record), self._links.monitored_by(record))
            found += [text for side in both if (text := self._monitor(side)) is not None]
        except (Unreadable, KeyError):
            self.unreadable += 1
        return f"[{', '.join(found)}]" if found else None

    def _monitor(self, side: Side) -> str | None:
        """One side of a monitor; None of what a dump does not have, or has, but cannot be told."""
        if side.type not in MONITORED or side.ref is None:
            return None
        reference = self._vm.term(side.ref)
        node = self._vm.term(side.node) if side.node is not None else self._node
        if side.name is not None and node is not None:
            return f"{{to,{{{self._vm.term(side.name)},{node}}},{reference}}}"
        if side.other is None:
            return None
        return f"{{{'from' if side.is_target else 'to'},{self._vm.term(side.other)},{reference}}}"

    # -- what it has ------------------------------------------------------------------------------------------------

    def _contents(self, pid: str, noted: Noted, more: _More, process: Process) -> Iterator[str]:
        """Messages, dictionary, stack, and all terms that they lead to."""
        element, record = self._heaps.element, process.record
        areas = list(self._areas(noted, record))
        messages = list(self._messages(record)) if self._may_have_messages(noted, more) else []
        roots: list[int] = []
        if messages:
            yield f"=proc_messages:{pid}\n"
            for signal in messages:
                term, token = self._memory.pair(signal.address + self._vm.layout.offset("ErtsMessageRef", "m"))
                is_decoded = term != self._vm.tags.non_value
                yield f"{element(term) if is_decoded else NO_TERM}:{element(token)}\n"
                roots += (term, token) if is_decoded else ()
                areas += self._attached(record, signal.address)
        entries = self._known(lambda: process_dictionary.entries(record)) if more.dictionary else []
        if entries:
            yield f"=proc_dictionary:{pid}\n"
            yield "".join(f"{element(word)}\n" for word in entries)
        stack = [] if noted.hend is None else self._stack(process, more, noted.hend)
        if stack:
            yield f"=proc_stack:{pid}\n"
            yield "".join(line for line, _ in stack)
        yield f"=proc_heap:{pid}\n"
        held = Areas(areas)
        yield from self._heaps.objects([word for _, word in stack] + roots + entries, held)
        yield from self._heaps.binaries()

    def _may_have_messages(self, noted: Noted, more: _More) -> bool:
        """Whether any of its queues is not empty: that needs no reads."""
        return bool(more.inner or noted.cont or noted.incoming or noted.buffers or noted.outer)

    def _messages(self, record: Record) -> Iterator[Signal]:
        for number, name in enumerate(signals.QUEUES):
            try:
                yield from (one for one in signals.queue(record, name) if one.is_message)
                if number == len(signals.QUEUES) - 1:
                    yield from (one for one in signals.buffered(record) if one.is_message)
            except (Unreadable, KeyError):
                self.unreadable += 1

    def _known(self, question: Callable[[], Iterator[int]]) -> list[int]:
        """What there is up to the first that is damaged."""
        found: list[int] = []
        try:
            for one in question():
                found.append(one)
        except (Unreadable, KeyError):
            self.unreadable += 1
        return found

    def _areas(self, noted: Noted, record: Record) -> Iterator[tuple[int, int]]:
        """Where its heaps are."""
        if noted.heap is not None and noted.hend is not None:
            yield noted.heap, noted.hend
        if noted.old_heap and noted.old_hend is not None:
            yield noted.old_heap, noted.old_hend
        if noted.abandoned_heap and noted.heap_sz is not None:
            # What it has is still there; the heap is for what it gets until it may collect garbage.
            yield noted.abandoned_heap, noted.abandoned_heap + noted.heap_sz * self._word
        try:
            yield from map(self._area, fragments.own(record))
            for message in fragments.received(record):
                yield from self._attached(record, message)
        except (Unreadable, KeyError):
            self.unreadable += 1

    def _attached(self, record: Record, message: int) -> Iterator[tuple[int, int]]:
        """Where the terms of a message are that has them with it."""
        try:
            yield from map(self._area, fragments.of_message(record, message, self._vm.tags.non_value))
        except (Unreadable, KeyError):
            self.unreadable += 1

    def _area(self, fragment: Record) -> tuple[int, int]:
        start = fragment.field_address("mem")
        return start, start + fragment["alloc_size"] * self._word

    def _stack(self, process: Process, more: _More, end: int) -> list[tuple[str, int]]:
        """A line for each word of its stack, and the word, 0 where that is no term."""
        try:
            top = self._top(process)
            if top is None:
                if more.stop is None or not process.has_sound_stack():
                    return []
                top = self._stacks.y0(more.stop)
            count = max(0, end - top) // self._word
            words = self._memory.words(top, min(count, MAX_SLOTS))
        except (Unreadable, Unavailable, KeyError):
            self.unreadable += 1
            return []
        lines, number = [], 0
        for slot, word in zip(range(top, end, self._word), words):
            place = self._place_on_stack(word) if word & PRIMARY_MASK == HEADER else None
            if place is not None:
                lines.append((f"{slot:#x}:S{place}\n", 0))
                number = 0
                continue
            text = self._catch(word) if word & IMMED2_MASK == CATCH else self._heaps.element(word)
            lines.append((f"y{number}:{text}\n", word))
            number += 1
        return lines

    def _place_on_stack(self, word: int) -> str:
        """What a word is that is no term: a return address, or what frame pointers and tracing have there."""
        is_return = self._stacks.is_return_address(word)
        return f"Return addr {word:#x} ({self._place(word)})" if is_return else f"No term {word:#x}"

    def _catch(self, word: int) -> str:
        address = self._vm.catch_handler(word >> IMMED2_BITS)
        return f"SCatch {address:#x} ({self._place(address)})" if address is not None else "SCatch"

    def _place(self, address: int) -> str:
        """The function of code at an address."""
        if address not in self._places:
            name, plus, offset = (self._vm.describe(address) or "").partition("+")
            self._places[address] = f"{name} + {offset or 0}" if name else "unknown function"
        return self._places[address] or ""


def _words(start: int | None, end: int | None, size: int) -> int | None:
    return (end - start) // size if start is not None and end is not None else None


def _less(one: int | None, other: int | None) -> int | None:
    return one - other if one is not None and other is not None else None
