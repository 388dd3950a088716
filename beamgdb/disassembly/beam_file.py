"""Operations of a function as the compiler made them, from its module's .beam file.

Of a file that carries native code, what was added to stand beside that is left out again: places that native code needs
have labels above those of the compiler, which numbers them as they come, and jumps to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from beamgdb.command_line import told
from jit.beam.errors import BeamError
from jit.beam.module import Module, read_module
from jit.beam.operands import NOWHERE, Label
from jit.beam.operations import Operation
from jit.beam.text import operation_text

_NATIVE = "NatA"
"""The chunk with native code: CHUNK of jit/codegen/rewrite.py, which takes long to load."""


class NoOperations(Exception):
    """The file does not tell; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """An operation: its text, and the line of the source that it is from, None if that is not known."""

    text: str
    file: str | None
    line: int
    is_label: bool


@dataclass(frozen=True, slots=True)
class Code:
    """The operations of a function. `entry` is the label of its entry; None stands for an operation that is no text."""

    entry: int
    steps: tuple[Step | None, ...]


def of_function(path: Path, module: str, name: str, arity: int) -> Code:
    """A function's operations. Raises `NoOperations`."""
    try:
        read = read_module(path)
    except BeamError as error:
        raise NoOperations(str(error)) from None
    except OSError as error:
        raise NoOperations(told(error)) from None
    if read.name != module:
        raise NoOperations(f"{path} holds the module {read.name}")
    labels = _labels(read) if any(chunk.name == _NATIVE for chunk in read.chunks) else None
    for function in read.functions:
        if (function.name, function.arity) == (name, arity):
            own = [one for one in function.operations if labels is None or not _is_added(one, labels)]
            return Code(function.entry, tuple(_step(one) for one in own if one.name != "int_code_end"))
    raise NoOperations(f"{path} has no function {name}/{arity}")


def _labels(module: Module) -> int:
    """The first label above those of the compiler."""
    following = 1
    for function in module.functions:
        for one in function.operations:
            if one.name == "label" and one.operands[0] == following:
                following += 1
    return following


def _is_added(one: Operation, labels: int) -> bool:
    target = one.operands[0] if one.operands else None
    if one.name == "label":
        return isinstance(target, int) and target >= labels
    return one.name == "jump" and isinstance(target, Label) and target.number >= labels


def _step(one: Operation) -> Step | None:
    if one.name == "line":
        return None
    if one.name == "label":
        return Step(f"label {one.operands[0]}", None, 0, is_label=True)
    known = one.location != NOWHERE
    return Step(operation_text(one), one.location.file if known else None, one.location.line, is_label=False)
