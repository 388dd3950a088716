"""The command `beam-why`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import gdb

from beamgdb.gdbext import session, stop_reason, term_printing
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.gdbext.style import GdbStyler
from beamgdb.views import why
from beamgdb.views.process_list import ProcessColumns
from beamgdb.views.styler import PLAIN


class BeamWhy(Command):
    """Report why a node died, or what is odd about it.

    The signal and the thread that it came in, C code down to Erlang, the process that the thread works for with its
    stack; counts near their limits, memory, the largest processes and the longest queues; and suspects, the likeliest
    first. In a core file the selected thread is at first the one that died, but for those of qemu; the first line tells
    of another thread that has crashed. -json prints an object."""

    name = "beam-why"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-json", "--json", action="store_true")

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        running = Running(node)
        process, stop = running.selected(), stop_reason.stop()
        terms = term_printing.terms(node)
        shown = ProcessColumns(node, running, terms.syntax)
        words = stop_reason.stack_words(node.memory) if process is None else ()
        with ProgressLine("processes", node.processes.count()) as progress:
            found = why.report(node, shown, stop, process, progress.advance, words)
        if arguments.json:
            text = list(why.lines(found, node, process, running, terms, PLAIN))
            pid = node.term(process.id) if process is not None else None
            gdb.write(json.dumps({**asdict(found), "process": pid, "text": text}) + "\n")
            return
        for line in why.lines(found, node, process, running, terms, GdbStyler()):
            gdb.write(line + "\n")


def install() -> None:
    """Define the command."""
    BeamWhy()
