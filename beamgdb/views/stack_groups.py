"""Processes whose stacks are of the same functions, as `beam-stacks` shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Final

from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views.styler import Styler
from beamgdb.views.terms import Syntax
from beamgdb.views.threads import Threads
from beamgdb.vm import backtrace
from beamgdb.vm.backtrace import StackEnds
from beamgdb.vm.processes import Process

FRAMES: Final = 50
"""Frames by which stacks are compared; what is below them is not looked at."""

MOST_GROUPS: Final = 100_000
"""Different stacks that are kept; those of later processes are counted together."""

NAMED: Final = 3
"""Pids of each group that are shown."""


@dataclass
class StackGroup:
    """Processes with the same stack. `functions` are the names of its frames, innermost first, as symbols have them;
    `end` says why there are no more, if that is not the first function of the process."""

    functions: tuple[str, ...]
    end: str
    count: int = 0
    pids: list[str] = field(default_factory=list)


def grouped(node: Node, processes: Iterable[Process], threads: Threads) -> list[StackGroup]:
    """All groups, the largest first."""
    groups: dict[tuple[tuple[str, ...], str], StackGroup] = {}
    others = StackGroup((), "other stacks, of which there are too many")
    for process in processes:
        key = _stack(node, process, threads)
        group = groups.get(key)
        if group is None and len(groups) < MOST_GROUPS:
            group = groups[key] = StackGroup(*key)
        group = group or others
        group.count += 1
        if len(group.pids) < NAMED:
            group.pids.append(node.term(process.id))
    found = sorted(groups.values(), key=lambda one: -one.count)
    return [*found, others] if others.count else found


def _stack(node: Node, process: Process, threads: Threads) -> tuple[tuple[str, ...], str]:
    names: list[str] = []
    if threads.moves(process):
        return (), "running, its thread is not stopped"
    try:
        for level in threads.levels(process):
            if len(names) == FRAMES:
                return tuple(names), "more frames"
            names.append(backtrace.function(node, process, level) or "<unknown code>")
    except (StackEnds, Unreadable):
        return tuple(names), "the stack is damaged here or missing"
    return tuple(names), ""


def lines(group: StackGroup, syntax: Syntax, styler: Styler) -> Iterator[str]:
    """The text of a group."""
    pids = ", ".join(group.pids) + (", ..." if group.count > len(group.pids) else "")
    yield styler.heading(f"{group.count} process{'es' if group.count > 1 else ''}: {pids}")
    for number, name in enumerate(group.functions):
        yield f"#{number:<2} {styler.function(syntax.function(name))}"
    if group.end:
        yield f"    ({group.end})"
