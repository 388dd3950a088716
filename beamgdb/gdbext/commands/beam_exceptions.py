"""The command `beam-exceptions`."""

from __future__ import annotations

import argparse

from beamgdb.gdbext import machine_word, term_printing
from beamgdb.gdbext.commands.list_command import List, ListCommand, within
from beamgdb.gdbext.commands.options_around import OptionsAround
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.views import process_named
from beamgdb.views.exceptions import ExceptionColumns
from beamgdb.vm.exceptions import LastException
from beamgdb.vm.processes import Process


class BeamExceptions(OptionsAround, ListCommand[LastException]):
    """List the last exceptions of processes, as far as they are kept.

    Once an exception is caught the VM forgets all but its class. What else there is depends on the state:

      raised   it is being raised, or re-raised: class, reason, stack trace
      exiting  the process ends: the reason, with the stack of an error
      handled  a register still leads to the raw stack trace, as in `after`
      caught   nothing does, but no collection has removed it yet
      unclear  it runs, and raises this just now, or it has failed in a guard
      over     only the class is left; it may be long ago

    In a raw trace is the kind of an error, not its value, for which _ stands; that of an exception which Erlang code
    has raised is in a register of who handles it, if anywhere: see `beam-bt`. A trap of a BIF makes the VM forget the
    class too, as does a guard that fails, so a process that is not listed may have had one. The column stack has all
    functions of the trace, held the registers that lead to it.

    PROCESS is as in `beam-process`: then only that one is shown. -where, -sort, -reverse, -limit and -json are as in
    `beam-ps`.

    Columns: pid, called, state, class, reason, in, arguments, stack, held."""

    name = "beam-exceptions"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        super().arguments(parser)
        parser.add_argument("process", metavar="PROCESS", nargs="?")

    def list(self, node: Node) -> List[LastException]:
        return self._of(node, None)

    def listed(self, node: Node, arguments: argparse.Namespace) -> List[LastException]:
        text = arguments.process
        return self._of(node, process_named.find(node, text, machine_word.evaluated) if text is not None else None)

    @staticmethod
    def _of(node: Node, process: Process | None) -> List[LastException]:
        progress = ProgressLine("processes", node.processes.count())
        shown = ExceptionColumns(node, Running(node), term_printing.terms(node), process, progress.advance)
        return List(shown.columns, within(progress, shown.items()), "processes", shown.notes)


def install() -> None:
    """Define the command."""
    BeamExceptions()
