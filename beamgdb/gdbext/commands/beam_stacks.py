"""The command `beam-stacks`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict

import gdb

from beamgdb.gdbext import session, term_printing
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.commands.list_command import limit_of
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.gdbext.style import GdbStyler
from beamgdb.node import Node
from beamgdb.views import stack, stack_groups
from beamgdb.views.stack import DamageRow
from beamgdb.views.stack_groups import StackGroup
from beamgdb.vm.processes import Process

GROUPS = 20
"""Groups that are shown unless more are asked for."""


class BeamStacks(Command):
    """Show which Erlang stacks there are, and how many processes have each.

    Processes are together whose frames are of the same functions; the group with the most comes first, with some of its
    pids. `beam-bt PID` shows one with its terms.

    -limit N shows N groups; without it 20. -json prints an array of objects, with all groups unless limited."""

    name = "beam-stacks"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-limit", metavar="N", type=limit_of)
        parser.add_argument("-json", "--json", action="store_true")

    def run(self, arguments: argparse.Namespace) -> None:
        node, damaged = session.require().node, list[DamageRow]()
        groups = groups_of(node, damaged)
        limit = arguments.limit if arguments.limit is not None else None if arguments.json else GROUPS
        if arguments.json:
            gdb.write(json.dumps([asdict(group) for group in groups[:limit]]) + "\n")
            return
        syntax = term_printing.terms(node).syntax
        for group in groups[:limit]:
            gdb.write("".join(f"{line}\n" for line in stack_groups.lines(group, syntax, GdbStyler())) + "\n")
        if groups[limit:]:
            gdb.write(f"({len(groups) - len(groups[:limit])} more groups: -limit {limit})\n")
        for line in stack.damaged_lines(damaged):
            gdb.write(line + "\n")


def groups_of(node: Node, damaged: list[DamageRow]) -> list[StackGroup]:
    """The groups; `damaged` gets what cannot be read."""
    running = Running(node)
    with ProgressLine("processes", node.processes.count()) as progress:
        return stack_groups.grouped(node, _sound(node, running, damaged, progress), running)


def _sound(node: Node, running: Running, damaged: list[DamageRow], progress: ProgressLine) -> Iterator[Process]:
    for found in stack.processes(node, running):
        progress.advance()
        if isinstance(found, DamageRow):
            damaged.append(found)
        else:
            yield found


def install() -> None:
    """Define the command."""
    BeamStacks()
