"""Gives GDB symbol files for the code that BeamAsm has made, and takes them back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import field, replace
from pathlib import Path

import gdb

from beamgdb.code import symbol_file
from beamgdb.code.loaded import LoadedCode
from beamgdb.code.module import CODE_INFO, Module, Range
from beamgdb.gdbext import errors, front_end, gdb_text, source_files
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.file_arguments import file_argument
from beamgdb.gdbext.session import Session
from beamgdb.gdbext.temporary_settings import without_questions
from beamgdb.late import dataclass
from beamgdb.terms import elixir_quoting
from beamgdb.views.terms import Syntax
from beamgdb.vm.model import Unavailable

AROUND = 4
"""Bytes by which what has a label begins before it, of what stands in for a function."""

MAX_FILES = 16
"""Symbol files at a time; when modules trickle in one by one, they are put together into one again."""


@dataclass
class _File:
    path: Path
    modules: frozenset[Module]


@dataclass
class SymbolFiles:
    """The symbol files of one inferior."""

    files: list[_File] = field(default_factory=list)
    stand_ins: dict[str, _File] = field(default_factory=dict)
    """Those of `stand_in`, by what is looked for."""
    seconds: float = 0.0
    code: LoadedCode | None = None
    """The code that the files describe."""
    syntax: Syntax | None = None
    """How they name functions."""

    def described(self) -> set[Module]:
        return {module for file in self.files for module in file.modules}


class _Given(dict[int, SymbolFiles]):
    """What GDB was given for each inferior, by its number."""


def of_selected() -> SymbolFiles:
    """What GDB was given for the selected inferior."""
    return extension().part(_Given).setdefault(gdb.selected_inferior().num, SymbolFiles())


def sync(current: Session) -> None:
    """Make GDB's symbols agree with the code that the session knows. Not for unwinders: it invalidates frames."""
    machine, mine, syntax = current.node.description, of_selected(), extension().parameters.syntax
    if mine.code is not current.node.code:
        current.node.code.text = source_files.reader(current)
    is_named = mine.syntax is not None and mine.syntax.elixir_names == syntax.elixir_names
    if machine is None or (mine.code is current.node.code and is_named):
        return
    # The interpreter's own words lie among the variables of the program, which has symbols there.
    loaded = {module for module in current.node.code if not (module.of_vm and current.node.is_interpreter)}
    described = mine.described()
    if loaded == described and is_named:
        mine.code = current.node.code
        return
    start = time.perf_counter()
    kept = [file for file in mine.files if file.modules <= loaded and (is_named or not _of_elixir(file.modules))]
    new = loaded - {module for file in kept for module in file.modules}
    if len(kept) >= MAX_FILES:
        kept, new = [], loaded
    for file in mine.files:
        if file not in kept:
            _remove(file)
    mine.files = kept
    if new:
        locate = source_files.locator(current)
        described_as = [_beside_native(module, current.node.code) for module in new]
        described_as.sort(key=lambda module: module.base)
        data = symbol_file.write(described_as, machine, locate, syntax.function)
        try:
            mine.files.append(_add(data, new))
        except (OSError, Unavailable, gdb.error) as error:
            gdb.write(f"beamgdb: no symbols for {len(new)} modules: {errors.one_line(error)}\n", gdb.STDERR)
    mine.code, mine.syntax = current.node.code, syntax
    mine.seconds += time.perf_counter() - start


def _of_elixir(modules: Iterable[Module]) -> bool:
    """Whether there is a module among these that Elixir would name otherwise than Erlang."""
    return any(elixir_quoting.is_alias(module.name) for module in modules)


def _beside_native(module: Module, code: LoadedCode) -> Module:
    """A module as GDB is told of it: interpreted code that has native code beside it does not bear its plain name."""
    if next(code.native_modules(module.name), None) is None:
        return module
    ranges = (
        one if one.arity is None or code.is_interpreted(one) else one._replace(name=one.name + symbol_file.BYTECODE)
        for one in module.ranges
    )
    return replace(module, ranges=tuple(ranges))


def stand_in(current: Session, wanted: str, module: str, place: Range) -> None:
    """Have GDB find a function, or the line that it has, at a place where there is none; a function also as a label of
    its `module`, as in `symbol_file`, where that has a name. `wanted`: what is looked for, of which this is done once.
    Raises OSError, `gdb.error`."""
    machine, mine = current.node.description, of_selected()
    if machine is None or wanted in mine.stand_ins:
        return
    # What begins last is what the place is in: the function, which has the variables.
    start = place.start - (AROUND if module else 0)
    head = (Range(start, place.stop, module + CODE_INFO, ()),) if module else ()
    described = Module(module, start, place.stop - start, (*head, place))
    data = symbol_file.write([described], machine, lambda _, file: os.path.split(file))
    mine.stand_ins[wanted] = _add(data, ())


def is_native(objfile: gdb.Objfile) -> bool:
    """Whether an object file is one that GDB has taken from the VM, of native code."""
    return gdb_text.file_name(objfile).startswith("<<")


def is_ours(objfile: gdb.Objfile) -> bool:
    """Whether GDB has an object file from here."""
    return Path(gdb_text.file_name(objfile)).parent == extension().symbol_folder.path


def withdraw(number: int) -> None:
    """Take back the symbol files of an inferior that has ended."""
    given = extension().part(_Given).pop(number, SymbolFiles())
    for file in (*given.files, *given.stand_ins.values()):
        _remove(file)


def _add(data: bytes, modules: Iterable[Module]) -> _File:
    path = extension().symbol_folder.new_file()
    command = f"add-symbol-file {file_argument(path)}"
    path.write_bytes(data)
    without_questions(lambda: front_end.taken(command))
    return _File(path, frozenset(modules))


def _remove(file: _File) -> None:
    # GDB may have dropped it by itself, when it forgot all symbols.
    if any(gdb_text.file_name(objfile) == str(file.path) for objfile in gdb.objfiles()):
        without_questions(lambda: front_end.taken(f"remove-symbol-file {file_argument(file.path)}"))
    file.path.unlink(missing_ok=True)
