"""Why an AtomVM stands still, as `beam-why` tells it: what was done, and by whom."""

from __future__ import annotations

from collections.abc import Iterator

from beamgdb.atomvm.contexts import Context
from beamgdb.atomvm.vm import AtomVm
from beamgdb.memory import Unreadable
from beamgdb.views import stack, why
from beamgdb.views.atomvm.stack import Stacks
from beamgdb.views.atomvm.threads import Threads
from beamgdb.views.styler import Sentence, Styler
from beamgdb.views.terms import AnyTerms
from beamgdb.views.why import Stop


def lines(
    vm: AtomVm, stop: Stop, context: Context | None, threads: Threads, terms: AnyTerms, styler: Styler
) -> Iterator[str]:
    """The text; `context` is the process that the thread works for."""
    yield Sentence(styler.heading(why.headline(stop)))
    yield from why.c_frames(stop)
    if context is None:
        yield "The thread works for no Erlang process."
    else:
        for row in Stacks(vm, threads, terms, why.FRAMES).of(context):
            yield from stack.lines(row, styler)
    yield ""
    try:
        every = list(vm.contexts)
        ports = sum(one.is_port for one in every)
        yield f"There are {len(every) - ports} processes and {ports} ports."
        queues = [(one.queue_length(), one.pid) for one in every]
        count, pid = max(queues, default=(0, ""))
        if count:
            yield f"Longest queue: {count} messages, {pid}"
    except Unreadable as error:
        yield Sentence(f"Not all processes can be read: {error}")
