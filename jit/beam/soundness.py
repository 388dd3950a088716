"""What the loader takes for granted of code that a compiler has made, and so does who compiles it once more.

It is more than what makes a file readable: code that was rewritten to stand beside native code jumps between functions.
"""

from __future__ import annotations

from collections.abc import Container

from jit.beam.chunks import MOST_ROWS
from jit.beam.effects import operands_of
from jit.beam.errors import BeamError
from jit.beam.module import Module
from jit.beam.opcodes import Role
from jit.beam.operands import BeamLabel
from jit.beam.operations import Function, Operation
from jit.beam.text import atom_text

#: A label of which may be 0, which stands for none.
_OPTIONAL = frozenset((Role.FAIL, Role.MODE, Role.PLACE))


def check(module: Module) -> None:
    """Raise BeamError where a function has no beginning, is there twice, or refers to labels that are not its own."""
    if module.code.label_count > MOST_ROWS:
        what = f"labels up to {module.code.label_count}: {MOST_ROWS} are the most that is compiled"
        raise BeamError(module.file, what, chunk="Code")
    entries = {function.entry for function in module.functions}
    names: set[tuple[str, int]] = set()
    for function in module.functions:
        first = function.operations[0]
        if first.name != "label":
            raise _error(module, function, first, "a label expected where a function begins")
        if (function.name, function.arity) in names:
            raise _error(module, function, first, "the function is there twice")
        names.add((function.name, function.arity))
        last = next(one for one in reversed(function.operations) if one.name != "int_code_end")
        if last.name in ("label", "line"):
            raise _error(module, function, last, "an operation expected behind it")
        _check_labels(module, function, entries)
    for chunk, rows in (("ExpT", module.exports), ("LocT", module.locals), ("FunT", module.lambdas)):
        for row in rows:
            if row.label not in entries:
                what = f"{atom_text(row.function)}/{row.arity} at label {row.label}, where no function begins"
                raise BeamError(module.file, what, chunk=chunk)


def _check_labels(module: Module, function: Function, entries: Container[int]) -> None:
    own = {one.operands[0] for one in function.operations if one.name == "label"}
    for one in function.operations:
        for operand, role in operands_of(one):
            if not isinstance(operand, BeamLabel) or not operand.number and role in _OPTIONAL:
                continue
            if role is Role.CALLEE and operand.number not in entries:
                raise _error(module, function, one, f"label {operand.number}, where no function begins")
            if role is not Role.CALLEE and operand.number not in own:
                raise _error(module, function, one, f"label {operand.number}, which is not in the function")


def _error(module: Module, function: Function, one: Operation, what: str) -> BeamError:
    place = f"{one.name} in {atom_text(module.name)}:{atom_text(function.name)}/{function.arity}"
    return BeamError(module.file, what, chunk="Code", offset=one.offset, operation=place)
