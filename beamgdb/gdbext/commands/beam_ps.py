"""The command `beam-ps`."""

from __future__ import annotations

from beamgdb.atomvm.contexts import Context
from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import term_printing
from beamgdb.gdbext.atomvm import running as atomvm
from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.views.atomvm import process_list
from beamgdb.views.process_list import ProcessColumns
from beamgdb.vm.process_list import Noted


class BeamPs(ListCommand[Noted]):
    """List the Erlang processes.

    Each with its pid, memory, the messages that wait for it, its status as process_info/2 gives it, the name that it is
    registered under, else its label or its first function, and the function in which it is. That first function is
    what it was spawned with, or of what proc_lib starts, as gen_server and supervisor do, what that calls. Memory is
    that of its heaps and of the messages that wait for it, in bytes; of a queue of more than 16384 messages the
    first ones stand for all, and of one that is damaged those behind the damage are left out. Nothing stands there
    where a part of it cannot be told, as of a build of which not all fields are known.

    -where CONDITION leaves out those for which it does not hold: -where queue>1000 -where name~shop. It may be given
    several times; it has no blanks, or stands in quotes. Instead of > there are =, !=, <, <=, >= and ~ (or =~), for a
    text that contains another; 10k, 10M and 10G are numbers. -sort COLUMN sorts, largest numbers first, -reverse the
    other way round. -limit N shows N of them; without it 1000 are shown. -json prints an array of objects, with all
    columns and, unless limited, all processes.

    Columns: pid, memory, queue, status, name, label, spawned, called (name, label or first function), current,
    reductions, parent, address."""

    name = "beam-ps"

    def list(self, node: Node) -> List[Noted]:
        shown = ProcessColumns(node, Running(node), term_printing.terms(node).syntax)
        return List(shown.columns, shown.items(), "processes", shown.notes, count=shown.list.count())

    def list_in_atomvm(self, vm: AtomVm) -> List[Context]:
        shown = process_list.ProcessColumns(vm, atomvm.Running(vm))
        return List(shown.columns, shown.items(), "processes", shown.notes)


def install() -> None:
    """Define the command."""
    BeamPs()
