"""One process in full, as `beam-process` shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Final, TypeVar

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.errors import one_line
from beamgdb.views.styler import Styler
from beamgdb.views.terms import Terms
from beamgdb.views.threads import Threads
from beamgdb.vm import backtrace, calls, process_dictionary, server_state, signals
from beamgdb.vm.model import Unavailable
from beamgdb.vm.monitor_links import MonitorLinks, Side
from beamgdb.vm.processes import Process
from beamgdb.vm.signals import Signal
from beamgdb.vm.supervision import Supervision
from jit.otp import vm_flags
from jit.otp.tags import NIL

ITEMS: Final = 10
"""Messages, links, monitors and pairs of the dictionary, each, unless more are asked for."""

_Answer = TypeVar("_Answer")
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Items:
    """Things of one kind that a process has, as text; `others`: how many more there are, None where that is not known,
    for what follows is damaged."""

    shown: tuple[str, ...]
    others: int | None = 0

    @property
    def count(self) -> int | None:
        """How many there are in all."""
        return len(self.shown) + self.others if self.others is not None else None


@dataclass(frozen=True)
class Heap:
    """A heap of a process, in words: how many are used, and how many there are."""

    used: int
    size: int


@dataclass(frozen=True)
class ProcessDetails:
    """A process. What is None is not there, or not known; sizes are in words, memory in bytes. `state` is that of a
    gen_server or gen_statem that waits, `state_word` its word."""

    pid: str
    address: int
    name: str | None
    label: str | None
    status: str
    flags: tuple[str, ...]
    priority: str | None
    current: str | None
    spawned: str | None
    parent: str | None
    group_leader: str | None
    reductions: int | None
    state: str | None
    state_word: int | None
    heap: Heap | None
    old_heap: Heap | None
    fragments: int | None
    minor_collections: int | None
    messages: Items
    signals: tuple[str, ...] | None
    links: Items
    monitors: Items
    monitored_by: Items
    dictionary: Items
    unknown: tuple[str, ...] = ()
    """What may be there, but where is not known of this VM, as the text calls it."""


_WHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "label": ("dictionary",),
    "parent": ("parent",),
    "group leader": ("group_leader",),
    "flags": ("flags",),
    "reductions": ("reds",),
    "heap": ("htop", "heap", "heap_sz"),
    "old heap": ("old_htop", "old_heap", "old_hend"),
    "fragments": ("mbuf_sz",),
    "collections": ("gen_gcs",),
    "signals": signals.QUEUES,
}
"""In which fields of a process it is."""


class Details:
    """What is told of a process of a VM."""

    def __init__(self, node: Node, threads: Threads, terms: Terms, limit: int = ITEMS) -> None:
        self._node = node
        self._threads = threads
        self._terms = terms
        self._limit = limit

    def of(self, process: Process) -> ProcessDetails:
        """All of it, as far as it can be read."""
        record = process.record
        links = MonitorLinks(self._node.tags.release)
        word = self._node.memory.word_size
        state = _field(process, "state")
        name = _known(process.registered_name)
        state_of = server_state.state(self._node, process) if not process.is_running() else None
        return ProcessDetails(
            pid=self._node.term(process.id),
            address=process.address,
            name=self._terms.syntax.module(self._node.term(name)) if name else None,
            label=self._term(_known(lambda: Supervision(self._node).labels([record["dictionary"]])[0])),
            status=process.status(),
            flags=tuple(self._flags(process)),
            priority=vm_flags.priority(state) if state is not None else None,
            current=self._current(process),
            spawned=self._mfa(_known(process.initial_call)),
            parent=self._term(_field(process, "parent")),
            group_leader=self._term(_field(process, "group_leader")),
            reductions=_field(process, "reds"),
            state=self._terms.text(state_of) if state_of is not None else None,
            state_word=state_of,
            heap=_known(lambda: Heap((record["htop"] - record["heap"]) // word, record["heap_sz"])),
            old_heap=_known(
                lambda: (
                    Heap(
                        (record["old_htop"] - record["old_heap"]) // word,
                        (record["old_hend"] - record["old_heap"]) // word,
                    )
                    if record["old_heap"]
                    else None
                )
            ),
            fragments=_field(process, "mbuf_sz"),
            minor_collections=_field(process, "gen_gcs"),
            messages=self._items(self._messages(process), self._message),
            signals=_known(lambda: self._signals(process)),
            links=self._items(links.links(record), self._side),
            monitors=self._items(links.monitors(record), self._side),
            monitored_by=self._items(links.monitored_by(record), self._side),
            dictionary=self._items(process_dictionary.pairs(record), self._pair),
            unknown=tuple(
                what for what, fields in _WHERE.items() if not all(record.layout.has("Process", one) for one in fields)
            ),
        )

    def _items(self, items: Iterable[_Item], text: Callable[[_Item], str]) -> Items:
        """The text of the first ones; of others, which may be a million, none is made."""
        shown: list[str] = []
        others: int | None = 0
        try:
            rest = iter(items)
            shown += map(text, islice(rest, self._limit))
            others = sum(1 for _ in rest)
        except (Unreadable, Unavailable, KeyError) as error:
            shown.append(f"(the rest is damaged or unknown: {one_line(error)})")
            others = None
        return Items(tuple(shown), others)

    def _messages(self, process: Process) -> Iterator[Signal]:
        return (one for one in signals.everywhere(process.record) if one.is_message)

    def _signals(self, process: Process) -> tuple[str, ...]:
        """How many signals of each kind there are that are no messages, most first."""
        found = Counter(one.operation for one in signals.everywhere(process.record) if not one.is_message)
        release = self._node.tags.release
        return tuple(f"{count} {vm_flags.signal_name(release, operation)}" for operation, count in found.most_common())

    def _message(self, signal: Signal) -> str:
        if signal.tag == self._node.tags.non_value:
            return "<from another node, not decoded yet>"
        message = self._node.layout.offset("ErtsMessageRef", "m")
        return self._terms.text(self._node.memory.word(signal.address + message))

    def _pair(self, pair: tuple[int, int]) -> str:
        key, value = pair
        return f"{self._terms.text(key)} = {self._terms.text(value)}"

    def _side(self, side: Side) -> str:
        who = side.name if side.name is not None else side.other
        other = self._terms.text(who) if who is not None else side.type
        if side.name is not None and side.node is not None:
            other = f"{{{other},{self._terms.text(side.node)}}}"
        by = f" by {self._terms.text(side.ref)}" if side.ref is not None and side.ref != NIL else ""
        what = f" ({side.type})" if side.type not in ("link", "process", "port", other) else ""
        return f"{other}{by}{what}"

    def _flags(self, process: Process) -> Iterator[str]:
        for field, names in (
            ("flags", vm_flags.PROCESS_FLAGS), ("state", vm_flags.STATE_FLAGS), ("sig_qs.flags", vm_flags.QUEUE_FLAGS),
        ):  # fmt: skip
            yield from vm_flags.set_in(_field(process, field), names)

    def _current(self, process: Process) -> str | None:
        if not process.is_running() and (call := _known(process.current_call)):
            return self._mfa(call)
        level = _known(lambda: next(iter(self._threads.levels(process)), None))
        name = _known(lambda: backtrace.function(self._node, process, level)) if level is not None else None
        return self._terms.syntax.function(name) if name else None

    def _mfa(self, call: tuple[int, int, int] | None) -> str | None:
        return self._terms.syntax.function(calls.mfa(self._node, *call)) if call else None

    def _term(self, word: int | None) -> str | None:
        return self._node.term(word) if word else None


def _field(process: Process, name: str) -> int | None:
    return _known(lambda: process.record[name])


def _known(question: Callable[[], _Answer]) -> _Answer | None:
    try:
        return question()
    except (Unreadable, Unavailable, KeyError):
        return None


def as_json(details: ProcessDetails) -> dict[str, object]:
    """What `--json` prints."""
    return asdict(details)


def lines(details: ProcessDetails, styler: Styler) -> Iterator[str]:
    """The text."""
    name = f" {details.name}" if details.name else ""
    spawned = f", spawned as {details.spawned}" if details.spawned else ""
    yield styler.heading(f"Process {details.pid}{name}{spawned}: {details.status}")
    facts = (
        ("label", details.label),
        ("in", details.current),
        ("parent", details.parent),
        ("group leader", details.group_leader),
        ("priority", details.priority),
        ("flags", ", ".join(details.flags) or None),
        ("reductions", details.reductions),
        ("state", details.state),
        ("heap", _heap(details.heap)),
        ("old heap", _heap(details.old_heap)),
        ("fragments", f"{details.fragments} words" if details.fragments else None),
        ("collections", f"{details.minor_collections} minor ones since the last full one"
         if details.minor_collections is not None else None),
        ("structure", f"{details.address:#x}"),
    )  # fmt: skip
    yield from (f"  {key + ':':14}{value}" for key, value in facts if value is not None)
    for title, items in (
        ("messages", details.messages), ("links", details.links), ("monitors", details.monitors),
        ("monitored by", details.monitored_by), ("dictionary", details.dictionary),
    ):  # fmt: skip
        if items.count != 0:
            yield f"  {title + ':':14}{'an unknown number' if items.count is None else items.count}"
            yield from (f"    {text}" for text in items.shown)
            if items.others:
                yield f"    ({items.others} more: -limit N)"
    if details.signals:
        yield f"  {'signals:':14}{', '.join(details.signals)}"
    if details.unknown:
        yield f"  {'not known:':14}{', '.join(details.unknown)}"


def _heap(heap: Heap | None) -> str | None:
    return f"{heap.used} of {heap.size} words" if heap is not None else None
