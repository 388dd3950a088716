"""Errors as a user sees them: one line, and a traceback only on request (`set beam-debug on`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import gdb

from beamgdb.interpreter.operations import Unsupported
from beamgdb.memory import Unreadable
from beamgdb.vm.node import Unavailable

_Answer = TypeVar("_Answer")


class _Debug(gdb.Parameter):
    """Whether errors of beamgdb show a Python traceback."""

    set_doc = "Set whether errors of beamgdb show a Python traceback."
    show_doc = "Show whether errors of beamgdb show a Python traceback."
    __doc__ = "When on, an error inside beamgdb prints where it happened, for a bug report. Off by default."

    def __init__(self) -> None:
        super().__init__("beam-debug", gdb.COMMAND_MAINTENANCE, gdb.PARAM_BOOLEAN)
        self.value = False

    def get_set_string(self) -> str:
        return ""


_debug: _Debug | None = None


def install() -> None:
    """Define the parameter."""
    global _debug
    _debug = _debug or _Debug()


def debugging() -> bool:
    """Whether the user wants tracebacks."""
    return bool(_debug and _debug.value)


def one_line(error: BaseException) -> str:
    """What to tell the user of an error."""
    if isinstance(error, (Unavailable, Unsupported, gdb.error, gdb.GdbError)):
        return str(error)
    if isinstance(error, Unreadable):
        return f"cannot read memory: {error.size} bytes at {error.address:#x}"
    if isinstance(error, KeyError):
        return f"not in the layout of this VM: {error.args[0] if error.args else error}"
    return f"internal error, {type(error).__name__}: {error} (set beam-debug on shows where)"


def guarded(action: Callable[[], object]) -> None:
    """Do something in the background; a failure is a warning, for GDB itself must go on."""
    try:
        action()
    except KeyboardInterrupt:
        gdb.write("beamgdb: interrupted; Erlang symbols may be incomplete\n", gdb.STDERR)
    except Exception as error:
        if debugging():
            raise
        gdb.write(f"beamgdb: {one_line(error)}\n", gdb.STDERR)


def raised_as_gdb_error(action: Callable[[], _Answer]) -> _Answer:
    """Do the work of a command or function; whatever goes wrong becomes an error of one line."""
    try:
        return action()
    except (gdb.GdbError, KeyboardInterrupt):
        raise
    except Exception as error:
        if debugging():
            raise
        raise gdb.GdbError(one_line(error)) from None
