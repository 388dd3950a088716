"""GDB is about to leave the target: by `detach`, or because it quits.

What stands in the target's code then ends it later. GDB takes its own breakpoints out of a local process that runs, but
can tell a remote one nothing as long as that runs: `detach` is an error there, and GDB that quits leaves all behind. So
what runs is stopped first. That is a stop of which only GDB's event loop hears, and so the command begins anew then.

No event tells of it in time (`gdb_exiting` comes when GDB waits for no event any more, and not by GDB 10): hooks do
(GDB manual, "User-defined Command Hooks"), unless the user has one. `-gdb-exit` of GDB/MI calls none, nor does a
signal.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import gdb

from beamgdb.gdbext import connection, front_end, older_gdb, session
from beamgdb.gdbext.atomvm import session as atomvm_session
from beamgdb.gdbext.breakpoints import interpreted
from beamgdb.gdbext.extension import extension

_COMMANDS: Final = ("detach", "quit")

_BEFORE: Final = "maintenance beam-leave"


class BeforeLeaving(gdb.Command):
    """Have the program stand, and as it was, before GDB does what leaves it."""

    def __init__(self) -> None:
        super().__init__(_BEFORE, gdb.COMMAND_OBSCURE)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """`argument`: the command that leaves the program. Raises an error, so that it is not done, if the program is
        only about to stop."""
        if not _runs_with_something_in_it():
            # (Who is asked by `quit` whether to do so may say no.)
            if argument == "detach" or not older_gdb.tells_of_its_end():
                interpreted.breakpoints().leave()
            return
        again = partial(_again, argument)

        def stopped(_: Any) -> None:
            gdb.events.stop.disconnect(stopped)
            gdb.post_event(again)

        gdb.events.stop.connect(stopped)
        gdb.execute("interrupt")
        raise gdb.GdbError(f"The program is stopped first: `{argument}` follows.")


def _again(command: str) -> None:
    if session.has_process():
        gdb.execute(command)


def _runs_with_something_in_it() -> bool:
    """Whether the program runs, and has something in its code that could not be taken out now."""
    # (To list all threads GDB would ask the target.)
    thread = gdb.selected_thread()
    if thread is None or not thread.is_valid() or not thread.is_running():
        return False
    if extension().requests.any_trapped():
        return True
    return connection.is_remote() and (session.is_beam() or atomvm_session.is_atomvm())


def install() -> None:
    """Define hooks."""
    BeforeLeaving()
    for command in _COMMANDS:
        try:
            front_end.taken(f"show user hook-{command}")
        except gdb.error:
            front_end.taken(f"define hook-{command}\n{_BEFORE} {command}\nend")
