"""One process of AtomVM in full, as `beam-process` shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

from beamgdb.atomvm.contexts import FLAGS, LINK, MONITORED, MONITORING, SIGNALS, Context
from beamgdb.atomvm.vm import AtomVm
from beamgdb.memory import Unreadable
from beamgdb.views.atomvm.process_list import current
from beamgdb.views.atomvm.threads import Threads
from beamgdb.views.process_details import Heap, Items, ProcessDetails
from beamgdb.views.terms import AnyTerms

_Answer = TypeVar("_Answer")
_Item = TypeVar("_Item")


def of(vm: AtomVm, threads: Threads, terms: AnyTerms, context: Context, limit: int) -> ProcessDetails:
    """All that is known of a process, `limit` things of each kind."""

    def known(question: Callable[[], _Answer]) -> _Answer | None:
        try:
            return question()
        except (Unreadable, KeyError):
            return None

    def items(every: Iterable[_Item], text: Callable[[_Item], str]) -> Items:
        shown: list[str] = []
        try:
            left = iter(every)
            shown += map(text, islice(left, limit))
            return Items(tuple(shown), sum(1 for _ in left))
        except Unreadable as error:
            return Items((*shown, f"(the rest is damaged or unknown: {error})"), None)

    def links(kind: int) -> Items:
        return items((one.other for one in context.links() if one.kind == kind), terms.text)

    flags = context.flags
    size = vm.memory.word_size
    record = context.record
    counted: dict[int, int] = known(lambda: Counter(one.kind for one in context.mailbox() if not one.is_message)) or {}
    kinds = (f"{count} {SIGNALS[kind] if kind < len(SIGNALS) else kind}" for kind, count in counted.items())
    used = known(lambda: (record["heap.heap_ptr"] - record["heap.heap_start"]) // size)
    total = known(context.heap_words)
    return ProcessDetails(
        pid=context.pid,
        address=context.address,
        name=known(lambda: vm.name(context, vm.contexts.names())),
        label=None,
        status=context.status,
        flags=(*(name for bit, name in FLAGS.items() if flags & bit), *(("trap_exit",) if record["trap_exit"] else ())),
        priority=None,
        current=known(lambda: current(threads, context)),
        spawned=None,
        parent=None,
        group_leader=terms.text(record["group_leader"]),
        reductions=None,
        state=None,
        state_word=None,
        heap=Heap(used, total) if used is not None and total is not None else None,
        old_heap=None,
        fragments=None,
        minor_collections=None,
        messages=items((one.word for one in context.mailbox() if one.is_message), terms.text),
        signals=tuple(kinds),
        links=links(LINK),
        monitors=links(MONITORING),
        monitored_by=links(MONITORED),
        dictionary=items(context.dictionary(), lambda pair: f"{terms.text(pair[0])} = {terms.text(pair[1])}"),
    )
