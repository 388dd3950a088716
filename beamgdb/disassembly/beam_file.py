"""Operations of a function as the compiler made them: a .beam file with native code has them unchanged."""

from __future__ import annotations

from pathlib import Path

from beamgdb.late import dataclass
from jit.beam.errors import BeamError
from jit.beam.module import read_module
from jit.beam.operands import NOWHERE
from jit.beam.operations import Operation
from jit.beam.text import operation_text
from jit.system.command_line import told


class NoOperations(Exception):
    """The file does not tell; the text is one line that says why."""


@dataclass(frozen=True)
class OperationStep:
    """An operation: its text, and the line of the source that it is from, None if that is not known."""

    text: str
    file: str | None
    line: int
    is_label: bool


@dataclass(frozen=True)
class BeamFileCode:
    """The operations of a function. `entry` is the label of its entry; None stands for an operation that is no text."""

    entry: int
    steps: tuple[OperationStep | None, ...]


def of_function(path: Path, module: str, name: str, arity: int) -> BeamFileCode:
    """A function's operations. Raises `NoOperations`."""
    if path.exists() and not path.is_file():
        # GDB could not be interrupted while it waits for what a pipe may give.
        raise NoOperations(f"{path}: not a file")
    try:
        read = read_module(path)
    except BeamError as error:
        raise NoOperations(str(error)) from None
    except OSError as error:
        raise NoOperations(told(error)) from None
    if read.name != module:
        raise NoOperations(f"{path} holds the module {read.name}")
    for function in read.functions:
        if (function.name, function.arity) == (name, arity):
            own = (one for one in function.operations if one.name != "int_code_end")
            return BeamFileCode(function.entry, tuple(_step(one) for one in own))
    raise NoOperations(f"{path} has no function {name}/{arity}")


def _step(one: Operation) -> OperationStep | None:
    if one.name == "line":
        return None
    if one.name == "label":
        return OperationStep(f"label {one.operands[0]}", None, 0, is_label=True)
    known = one.location != NOWHERE
    return OperationStep(operation_text(one), one.location.file if known else None, one.location.line, is_label=False)
