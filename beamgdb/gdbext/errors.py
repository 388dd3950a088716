"""Errors as a user sees them: one line, and a traceback only on request (`set beam-debug on`)."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

import gdb

from beamgdb.gdbext import ctrl_c, host_charset
from beamgdb.gdbext.extension import extension
from beamgdb.terms.quoting import bare
from beamgdb.views import errors

_Answer = TypeVar("_Answer")


def one_line(error: BaseException) -> str:
    """What to tell the user of an error."""
    return errors.one_line(error, gdb.error, gdb.GdbError)


def trace(error: Exception) -> None:
    """Print where an error comes from, if the user wants that. GDB itself does so only with `set python print-stack
    full`, which concerns all that is in Python."""
    if extension().parameters.debugging and not isinstance(error, gdb.GdbError):
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines()
        gdb.write("".join(f"{bare(line)}\n" for line in lines), gdb.STDERR)


def guarded(action: Callable[[], object], interrupted: str = "Erlang symbols may be incomplete") -> None:
    """Do something in the background; a failure is a warning, for GDB itself must go on. `interrupted`: what is to be
    known when Ctrl-C has ended it."""
    try:
        with ctrl_c.taken():
            action()
    except KeyboardInterrupt:
        extension().interruptions += 1
        gdb.write(f"beamgdb: interrupted; {interrupted}\n", gdb.STDERR)
    except Exception as error:
        trace(error)
        what = one_line(error) if host_charset.is_usable() else host_charset.UNUSABLE
        gdb.write(f"beamgdb: {what}\n", gdb.STDERR)


def raised_as_gdb_error(action: Callable[[], _Answer]) -> _Answer:
    """Do the work of a command or function; whatever goes wrong becomes an error of one line."""
    try:
        return action()
    except KeyboardInterrupt:
        raise
    except Exception as error:
        trace(error)
        raise gdb.GdbError(one_line(error)) from None
