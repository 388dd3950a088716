"""The command `beam-process`."""

from __future__ import annotations

import argparse
import json

import gdb

from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import machine_word, session, term_printing
from beamgdb.gdbext.atomvm import running as atomvm
from beamgdb.gdbext.commands.list_command import limit_of
from beamgdb.gdbext.commands.options_around import OptionsAround
from beamgdb.gdbext.running import Running
from beamgdb.gdbext.style import GdbStyler
from beamgdb.views import process_details, process_named
from beamgdb.views.atomvm import process_details as atomvm_details
from beamgdb.views.process_details import Details, ProcessDetails
from beamgdb.vm.model import Unavailable


class BeamProcess(OptionsAround):
    """Show one Erlang process in full.

    PROCESS is a pid (<0.80.0> or 0.80.0), a registered name, or the address of a Process structure; without it, the
    process that the selected thread runs. Shown are its label, status, flags and sizes, the state of a gen_server or
    gen_statem that waits, the messages that wait for it, first ones first, how many other signals of which kinds do,
    its links and monitors, and its dictionary.

    -limit N shows N of each of these; without it 10. -json prints an object. Sizes are in words."""

    name = "beam-process"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("-limit", metavar="N", type=limit_of, default=process_details.ITEMS)
        parser.add_argument("-json", "--json", action="store_true")
        parser.add_argument("process", metavar="PROCESS", nargs="?")

    def run(self, arguments: argparse.Namespace) -> None:
        node = session.require().node
        running = Running(node)
        if arguments.process is None:
            process = running.selected()
            if process is None:
                raise Unavailable("the selected thread runs no Erlang process (try `beam-ps`, or `thread N`)")
        else:
            process = process_named.find(node, arguments.process, machine_word.evaluated)
        self._show(arguments, Details(node, running, term_printing.terms(node), arguments.limit).of(process))

    def run_in_atomvm(self, arguments: argparse.Namespace, vm: AtomVm) -> None:
        threads = atomvm.Running(vm)
        context = atomvm.meant(vm, threads, arguments.process)
        self._show(arguments, atomvm_details.of(vm, threads, term_printing.any_terms(vm), context, arguments.limit))

    def _show(self, arguments: argparse.Namespace, details: ProcessDetails) -> None:
        if arguments.json:
            gdb.write(json.dumps(process_details.as_json(details)) + "\n")
            return
        for line in process_details.lines(details, GdbStyler()):
            gdb.write(line + "\n")


def install() -> None:
    """Define the command."""
    BeamProcess()
