"""The code of a function of AtomVM: operations where it is interpreted, else machine code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.atomvm.frames import Position
from beamgdb.atomvm.modules import CODE_HEADER, Function, Module, Place
from beamgdb.atomvm.vm import AtomVm
from beamgdb.machine_code import text
from beamgdb.views.disassembly.listing import FunctionRow, InstructionRow, ListingRow, SourceRow
from beamgdb.views.terms import Syntax
from beamgdb.vm.model import Unavailable
from jit.beam.text import operation_text

LONGEST: Final = 32 << 10
"""Bytes of a function whose code is taken apart at each stop."""


def rows(vm: AtomVm, position: Position, place: Place, syntax: Syntax) -> Iterator[ListingRow]:
    """The function at a place, which is that of a position. Raises `Broken`, `Unreadable`, `Unavailable`."""
    module, function = position.module, place.function
    end = _end(module, function)
    if end - function.start > LONGEST:
        raise Unavailable(f"the code of {syntax.function(function.text)} is too long to be taken apart at each stop")
    kind = "native" if module.native else "interpreted"
    yield FunctionRow(syntax.function(function.text), kind, end - function.start)
    line: SourceRow | None = None
    for offset, size, shown in _instructions(vm, module, function, end):
        where = module.place(offset)
        found = SourceRow(where.file, where.line) if where is not None and where.file and where.line else None
        if found is not None and found != line:
            yield found
        line = found
        is_current = offset <= place.offset < offset + size
        yield InstructionRow(module.start + offset, offset - function.start, shown, "", is_current, False)


def _instructions(vm: AtomVm, module: Module, function: Function, end: int) -> Iterator[tuple[int, int, str]]:
    """Offset, size and text of each."""
    if module.native:
        code = vm.memory.read(module.start + function.start, end - function.start)
        for one in text.instructions(vm.arch or "", code, module.start + function.start):
            yield one.address - module.start, one.size, one.text
        return
    found = (many for many in module.file.operations if many[0].offset - CODE_HEADER == function.start)
    operations = next(found, [])
    ends = [one.offset for one in operations[1:]] + [end + CODE_HEADER]
    for operation, behind in zip(operations, ends):
        yield operation.offset - CODE_HEADER, behind - operation.offset, operation_text(operation)


def _end(module: Module, function: Function) -> int:
    later = (one.start for one in module.file.functions if one.start > function.start)
    return min(later, default=module.size)
