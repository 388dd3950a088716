"""The command `beam-locks`."""

from __future__ import annotations

from functools import cache

import gdb

from beamgdb.gdbext import connection
from beamgdb.gdbext.commands.list_command import List, ListCommand, within
from beamgdb.gdbext.progress import ProgressLine
from beamgdb.gdbext.running import Running
from beamgdb.node import Node
from beamgdb.terms.quoting import bare
from beamgdb.views.locks import LockColumns
from beamgdb.views.threads import ThreadRow
from beamgdb.vm.locks import Lock


class BeamLocks(ListCommand[Lock]):
    """List the locks that are held or waited for, and by whom, where that can be told.

    These are the five locks of each process (main, msgq for messages, btm for timers, status, trace), those of ETS
    tables, of groups of buckets in them, of the trees that an ordered_set with write_concurrency has, and of fixations
    of tables, those of ports and drivers, and the permission to change code with the processes that wait for it (in
    OTP 25 only if some do, and without who has it).

    Locks do not tell who has them, but for the main lock of a process, which the scheduler has that runs it (a dirty
    one does not), mutexes of glibc (ports, fixations), and the permission. Who may have a lock of a table is told by
    who calls a BIF of ets now; of the others the holder is not known: see what threads do in `beam-schedulers`. A VM
    with one scheduler has no locks of tables. A lock of a table for much reading (read_concurrency) does not tell of
    readers, and is listed only while it is written or waited for. A mutex that somebody had to wait for may say so
    after that (perhaps somebody). Not looked at are the VM's own. A process that runs has its main lock: that is as it
    should be.

    A thread of the system is named by its number in the PID namespace of the node, that of its container. Where GDB is
    in another one, and the node remote or a core, the column thread may be wrong of mutexes.

    -where, -sort, -reverse, -limit and -json are as in `beam-ps`.

    Columns: lock, of, state, holder, thread, waits, address."""

    name = "beam-locks"

    def list(self, node: Node) -> List[Lock]:
        running = Running(node)
        threads = cache(_threads)
        progress = ProgressLine("processes, tables and ports", 0)

        def thread(lock: Lock) -> ThreadRow | None:
            if lock.scheduler is not None:
                return running.of_scheduler(lock.scheduler)
            one = threads().get(lock.thread) if lock.thread else None
            return ThreadRow(one.num, bare(one.name or "")) if one is not None else None

        shown = LockColumns(node, thread, progress.advance)
        return List(shown.columns, within(progress, shown.items()), "locks", shown.notes)


def _threads() -> dict[int, gdb.InferiorThread]:
    """The threads of the program by their numbers in the system, as the program knows them."""
    is_native, found = connection.kind() == "native", dict[int, gdb.InferiorThread]()
    for one in gdb.selected_inferior().threads():
        process, *numbers = one.ptid
        own = connection.own_number(process, numbers[0]) if is_native else None
        found.update((number, one) for number in ([own] if own is not None else numbers) if number)
    return found


def install() -> None:
    """Define the command."""
    BeamLocks()
