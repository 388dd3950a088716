"""Where Erlang runs, as a user is told after Ctrl-C."""

from __future__ import annotations

from beamgdb.late import dataclass
from beamgdb.node import Node
from beamgdb.views.styler import COLUMNS
from beamgdb.views.terms import Syntax
from beamgdb.views.threads import Threads
from beamgdb.vm.processes import Process


@dataclass(frozen=True)
class WhereRow:
    """A process that is run. `thread` is the debugger's number of the one that does it, None where that is not known;
    `in_erlang`: it runs Erlang code, not C on behalf of it. `name` is the registered one."""

    pid: str
    name: str | None
    thread: int | None
    in_erlang: bool


def row(node: Node, threads: Threads, syntax: Syntax) -> WhereRow | None:
    """A process whose thread is in Erlang code, else one that a thread works for, None if there is none."""
    busy = list(threads.by_schedulers())
    on_thread = [(process, thread) for process in busy if (thread := threads.thread(process)) is not None]
    for process, thread in on_thread:
        if threads.in_erlang(process):
            return _row(node, process, thread.number, syntax, in_erlang=True)
    for process, thread in on_thread:
        return _row(node, process, thread.number, syntax, in_erlang=False)
    return _row(node, busy[0], None, syntax, in_erlang=False) if busy else None


def _row(node: Node, process: Process, thread: int | None, syntax: Syntax, *, in_erlang: bool) -> WhereRow:
    name = process.registered_name()
    return WhereRow(node.term(process.id), syntax.module(node.term(name)) if name else None, thread, in_erlang)


def text(row: WhereRow | None) -> str:
    """What to tell of it: a line that fits a terminal."""
    if row is None:
        return "No thread runs Erlang now. `beam-bt all` shows what processes wait for."
    if row.thread is None:
        return f"No thread runs Erlang now, but one works for a process: `beam-bt {row.pid}`"
    full = _on_thread(row, f"{row.pid} {row.name}" if row.name is not None else row.pid)
    return full if len(full) <= COLUMNS else _on_thread(row, row.pid)


def _on_thread(row: WhereRow, process: str) -> str:
    if row.in_erlang:
        return f"Thread {row.thread} runs Erlang, {process}: `thread {row.thread}`"
    return f"Thread {row.thread} works for {process}, in C: `thread {row.thread}`"
