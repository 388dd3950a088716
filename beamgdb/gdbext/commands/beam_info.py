"""The command `beam-info`."""

from __future__ import annotations

import argparse

import gdb

from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import session, symbols
from beamgdb.gdbext.atomvm import session as atomvm
from beamgdb.gdbext.atomvm.running import Running
from beamgdb.gdbext.commands.command import Command
from beamgdb.gdbext.style import GdbStyler, limit
from beamgdb.views import info, layouts, tagged
from beamgdb.views.atomvm import info as atomvm_info
from beamgdb.views.info import SymbolsMade


class BeamInfo(Command):
    """Show which Erlang VM this is, and what beamgdb knows of it.

    Release, flavour and architecture, schedulers, counts of processes, atoms and loaded code; where field offsets,
    variables without a symbol, the state of the interpreter and symbols came from, and how long that took. What is not
    known is said, with the reason.

    With -layout it lists the VM's structures instead, and where each field came from: debug information, a built-in
    table, or what has proved it on this target. Fields that are unknown are not used. With -config it prints the C
    compiler's flags and the config.h that the VM was built with, which it keeps. -json prints an array of what is
    known, each with a name and a text."""

    name = "beam-info"
    category = gdb.COMMAND_STATUS

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("-layout", action="store_true")
        which.add_argument("-config", action="store_true")
        which.add_argument("-json", "--json", action="store_true")

    def run(self, arguments: argparse.Namespace) -> None:
        current = session.require()
        if arguments.layout:
            for row in layouts.rows(current.node.layout):
                gdb.write("".join(f"{line}\n" for line in layouts.lines(row, GdbStyler())))
            return
        if arguments.config:
            gdb.write("".join(f"{line}\n" for line in info.built_with(current.node)))
            return
        given = symbols.of_selected()
        made = SymbolsMade(len(given.files), current.code_seconds, given.seconds)
        facts = info.facts(current.node, made)
        for line in tagged.lines(facts) if arguments.json else info.lines(facts, limit()):
            gdb.write(line + "\n")

    def run_in_atomvm(self, arguments: argparse.Namespace, vm: AtomVm) -> None:
        if arguments.layout or arguments.config:
            self.parser.error(
                "AtomVM does not keep what it was built with; where fields lie its debug information tells"
            )
        facts = atomvm_info.facts(vm, Running(vm), atomvm.version())
        for line in tagged.lines(facts) if arguments.json else info.lines(facts):
            gdb.write(line + "\n")


def install() -> None:
    """Define the command."""
    BeamInfo()
