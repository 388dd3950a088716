"""The command `beam-schedulers`."""

from __future__ import annotations

from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.views.schedulers import SchedulerColumns
from beamgdb.vm.schedulers import Scheduler


class BeamSchedulers(ListCommand[Scheduler]):
    """List the scheduler threads and what waits for them.

    Each with GDB's number of its thread, what it does, the process or port that it runs, and the length of its run
    queue: in all, of processes by priority, and of ports. Dirty schedulers of a kind have one queue together. It
    sleeps, polls for input (polling), looks for work (waiting), is not in use (suspended), or does work of the VM's own
    (working) where it does not run a process or port. The column work tells which such work is to be done,
    jobs whether its run queue has some, too, and cpu the logical processor that it is bound to.

    How run queues are balanced the columns emigrates, immigrates and evacuates tell: of which priorities, and of ports,
    something is to go to the run queue of which other scheduler, is to come from there, or all has to go there, as of a
    scheduler that is not online.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: scheduler, thread, state, runs, queue, max, high, normal, low, ports, reductions, switches, flags, work,
    jobs, cpu, emigrates, immigrates, evacuates, address."""

    name = "beam-schedulers"

    def list(self, node: Node) -> List[Scheduler]:
        shown = SchedulerColumns(node, Running(node).of_scheduler)
        return List(shown.columns, shown.items(), "schedulers", lambda: iter(()))


def install() -> None:
    """Define the command."""
    BeamSchedulers()
