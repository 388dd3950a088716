"""The command `beam-locks`."""

from __future__ import annotations

import gdb

from beamgdb.gdbext.commands.list_command import List, ListCommand
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.terms.quoting import bare
from beamgdb.views.locks import LockColumns
from beamgdb.views.threads import ThreadRow
from beamgdb.vm.locks import Lock


class BeamLocks(ListCommand[Lock]):
    """List the locks that are held or waited for, and by whom, where that can be told.

    These are the five locks of each process (main, msgq for messages, btm for timers, status, trace), those of ETS
    tables and of groups of buckets in them, of fixations of tables, those of ports and drivers, and the permission to
    change code with the processes that wait for it (in OTP 25 only if some do, and without who has it).

    Locks do not tell who has them, but for the main lock of a process, which the scheduler has that runs it, mutexes of
    glibc (ports, fixations), and the permission. Who may have a lock of a table is told by who calls a BIF of ets now;
    of the others the holder is not known: see what threads do in `beam-schedulers`. A VM with one scheduler has no
    locks of tables. A lock of a table for much reading (read_concurrency) does not tell of
    readers, and is listed only while it is written or waited for. Not looked at are locks inside of an ordered_set with
    write_concurrency, and the VM's own. A process that runs has its main lock: that is as it should be.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: lock, of, state, holder, thread, waits, address."""

    name = "beam-locks"

    def list(self, node: Node) -> List[Lock]:
        running = Running(node)

        def thread(lock: Lock) -> ThreadRow | None:
            if lock.scheduler is not None:
                return running.of_scheduler(lock.scheduler)
            found = (one for one in gdb.selected_inferior().threads() if lock.thread in one.ptid[1:])
            one = next(found, None) if lock.thread else None
            return ThreadRow(one.num, bare(one.name or "")) if one is not None else None

        shown = LockColumns(node, thread)
        return List(shown.columns, shown.items(), "locks", shown.notes)


def install() -> None:
    """Define the command."""
    BeamLocks()
