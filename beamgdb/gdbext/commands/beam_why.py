"""The command `beam-why`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import gdb

from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import session, stop_reason, term_printing
from beamgdb.gdbext.atomvm import running as atomvm
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.gdbext.style import GdbStyler, limit
from beamgdb.node import Node
from beamgdb.views import why
from beamgdb.views.atomvm import why as atomvm_why
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.styler import PLAIN, fitted
from beamgdb.views.why import Why
from beamgdb.vm.processes import Process


class BeamWhy(Command):
    """Report why a node died, or what is odd about it.

    The signal and the thread that it came in, C code down to Erlang, the process that the thread works for with its
    stack; counts near their limits, memory, the largest processes and ETS tables, and the longest queues; and
    suspects, the likeliest first. What could not be looked at, as of a build of which not all fields are known, is
    named. In a core file the selected thread is at first the one that died, but for those of qemu; the first line
    tells of another thread that has crashed. -json prints an object."""

    name = "beam-why"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-json", "--json", action="store_true")

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        running = Running(node)
        process, found = report(node, running)
        if arguments.json:
            text = list(why.lines(found, node, process, running, term_printing.terms(node), PLAIN))
            pid = node.term(process.id) if process is not None else None
            gdb.write(json.dumps({**asdict(found), "process": pid, "text": text}) + "\n")
            return
        for line in why.lines(found, node, process, running, term_printing.terms(node), GdbStyler()):
            _write(line)

    def run_in_atomvm(self, arguments: argparse.Namespace, vm: AtomVm) -> None:
        stop, threads = stop_reason.stop(None, vm.memory), atomvm.Running(vm)
        work, terms = threads.selected(), term_printing.any_terms(vm)
        context = work.context if work is not None else None
        if arguments.json:
            text = list(atomvm_why.lines(vm, stop, context, threads, terms, PLAIN))
            pid = context.pid if context is not None else None
            gdb.write(json.dumps({"stop": asdict(stop), "process": pid, "text": text}) + "\n")
            return
        for line in atomvm_why.lines(vm, stop, context, threads, terms, GdbStyler()):
            _write(line)


def _write(line: str) -> None:
    gdb.write("".join(f"{one}\n" for one in fitted(line, limit())))


def report(node: Node, running: Running) -> tuple[Process | None, Why]:
    """The process that the selected thread works for, and all that is told."""
    process, stop = running.selected(), stop_reason.stop(node, node.memory)
    shown = ProcessColumns(node, running, term_printing.terms(node).syntax)
    words = stop_reason.stack_words(node.memory) if process is None else ()
    with ProgressLine("processes", node.processes.count()) as progress:
        return process, why.report(node, shown, stop, process, progress.advance, words)


def install() -> None:
    """Define the command."""
    BeamWhy()
