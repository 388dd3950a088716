"""The line table of native code: statements where an operation of another line begins, and where functions begin."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any, Final

from jit.beam.operands import NOWHERE, Location
from jit.codegen.native import Fragment, Native, NativeFunction, Region, regions
from jit.codegen.processor import Processor
from jit.object.dwarf_line import LineNumberTable, LineRow, RowFlag
from jit.system.controls import harmless

#: Operations after which a callee comes back.
_CALLS: Final = frozenset("call call_ext call_fun call_fun2 apply".split())


class Lines:
    """Source files of a module, its own first, and where in them its code comes from.

    ``folder`` is where the module was compiled from, as far as its file tells.
    """

    def __init__(self, native: Native[Any]) -> None:
        module = native.module
        own = module.lines.own_file if module.lines else f"{module.name}.erl"
        source = PurePosixPath(module.source or own)
        self.folder = harmless(str(source.parent))
        self.own_file = harmless(source.name)
        self._numbers = {self.own_file: 1}
        self._known: dict[str, int] = {}
        for function in native.functions:
            for location in _locations(function):
                if location != NOWHERE:
                    self._number(location.file)
        for fragment in native.fragments:
            self._number(fragment.source[0])

    def _number(self, file: str) -> int:
        """The number of a file. The module's own has many names, as it was given to the compiler."""
        if file not in self._known:
            # GDB prints it as it is.
            name = harmless(file)
            name = self.own_file if PurePosixPath(name).name == self.own_file else name
            self._known[file] = self._numbers.setdefault(name, len(self._numbers) + 1)
        return self._known[file]

    def place(self, location: Location) -> tuple[int, int] | None:
        """Number of the file, and line; None if there is none."""
        return (self._number(location.file), location.line) if location != NOWHERE else None

    def first(self, function: NativeFunction[Any]) -> tuple[int, int]:
        """The first line of a function that is known; line 0 of the module's file is none."""
        places = (self.place(location) for location in _locations(function))
        return next((place for place in places if place), (1, 0))

    def body(self, function: NativeFunction[Any]) -> tuple[int, int]:
        """The line that a breakpoint at a function is at: the last that begins where its body does."""
        up_to_body = takewhile(lambda row: row[0] <= function.body, self._rows(function))
        return list(up_to_body)[-1][1:3]

    def fragment(self, fragment: Fragment) -> tuple[int, int]:
        """Where in the compiler a shared fragment is made."""
        file, line = fragment.source
        return self._number(file), line

    def table(self, native: Native[Any], processor: Processor) -> LineNumberTable:
        """The line table of all code but the ways in from the interpreter."""
        files = [(name, 0) for name in self._numbers]
        table = LineNumberTable(processor.file, [self.folder], files, minimum_instruction_length=processor.instruction)
        for function in native.functions:
            table.add_sequence(self._rows(function), function.end)
        for fragment in native.fragments:
            # Not statements: who steps by lines comes through here to the next line of Erlang.
            table.add_sequence([(fragment.begin, *self.fragment(fragment), 0, RowFlag.NONE)], fragment.end)
        return table

    def _rows(self, function: NativeFunction[Any]) -> Iterator[LineRow]:
        """Rows where the line changes, and where a callee comes back, so that steps show that.

        Code that is rarely run, and what stands before the entry in the bytecode, is behind the rest, and has no
        statements: a breakpoint at a line belongs where all come by.
        """
        current = self.first(function)
        yield function.start, *current, 0, RowFlag.NONE
        yield function.body, *current, 0, RowFlag.IS_STMT | RowFlag.PROLOGUE_END
        operations = function.emission.operations
        behind = comes_back = False
        for region in regions(function):
            if region.index < 0:
                continue
            place = self.place(operations[region.index].location)
            begins_behind = not behind and _is_behind(function, region)
            behind = behind or begins_behind
            if place and place != current or begins_behind or comes_back:
                current = place or current
                yield region.begin, *current, 0, RowFlag.NONE if behind else RowFlag.IS_STMT
            comes_back = operations[region.index].name in _CALLS


def _is_behind(function: NativeFunction[Any], region: Region) -> bool:
    """Whether code is behind the function's main part."""
    return region.cold or function.emission.operations[region.index].name == "func_info"


def _locations(function: NativeFunction[Any]) -> Iterator[Location]:
    return (operation.location for operation in function.emission.operations)
