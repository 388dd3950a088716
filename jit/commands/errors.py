"""What a command raises when it cannot do what it is asked to, and how errors are told."""

from __future__ import annotations

import traceback

from jit.beam.errors import BeamError
from jit.erts.boot import BootError
from jit.erts.glue import GlueError
from jit.erts.hidden.builds import AdoptError
from jit.system import command_line


class CommandError(Exception):
    """The message is one line: what is wrong, where, and what to do."""


#: Errors of the user's world; any other is one of the compiler.
EXPECTED = (CommandError, AdoptError, BeamError, BootError, GlueError, OSError)


def told(error: BaseException) -> str:
    """What users read of an error that is expected: one line."""
    return command_line.told(error) if isinstance(error, OSError) else str(error)


def told_of_work(error: Exception, name: str) -> str:
    """What users read of an error in the work on one of many files: of one that is not expected, all that helps."""
    if isinstance(error, EXPECTED):
        return command_line.one_line(told(error))
    return f"{name}: an error of the compiler, please report it:\n{''.join(traceback.format_exception(error)).rstrip()}"
