"""Gives GDB symbol files for the code that BeamAsm has made, and takes them back."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import gdb

from beamgdb.beamasm import symbol_file
from beamgdb.beamasm.registrations import Module
from beamgdb.gdbext import source_files
from beamgdb.gdbext.questions import without_questions
from beamgdb.gdbext.session import Session
from beamgdb.interpreter.special_code import INTERPRETER
from beamgdb.vm.code import CodeIndex

MAX_FILES = 16
"""Symbol files at a time; when modules trickle in one by one, they are put together into one again."""


@dataclass
class _File:
    path: Path
    modules: frozenset[Module]


@dataclass
class _State:
    """Symbol files of one inferior."""

    files: list[_File] = field(default_factory=list)
    seconds: float = 0.0
    code: CodeIndex | None = None
    """The code that the files describe."""

    def described(self) -> set[Module]:
        return {module for file in self.files for module in file.modules}


_states: dict[int, _State] = {}
_folder: Path | None = None
_numbers = iter(range(1, 1 << 62))


def state() -> _State:
    """What GDB was given for the selected inferior."""
    return _states.setdefault(gdb.selected_inferior().num, _State())


def sync(current: Session) -> None:
    """Make GDB's symbols agree with the code that the session knows. Not for unwinders: it invalidates frames."""
    machine, mine = current.node.description, state()
    if machine is None or mine.code is current.node.code:
        return
    # The interpreter's own words lie among the variables of the program, which has symbols there.
    loaded = {module for module in current.node.code if module.name != INTERPRETER}
    described = mine.described()
    if loaded == described:
        mine.code = current.node.code
        return
    start = time.perf_counter()
    kept = [file for file in mine.files if file.modules <= loaded]
    new = loaded - {module for file in kept for module in file.modules}
    if len(kept) >= MAX_FILES:
        kept, new = [], loaded
    for file in mine.files:
        if file not in kept:
            _remove(file)
    mine.files = kept
    if new:
        locate = source_files.locator(current.node)
        described_as = [_beside_native(module, current.node.code) for module in new]
        data = symbol_file.write(sorted(described_as, key=lambda module: module.base), machine, locate)
        mine.files.append(_add(data, new))
    mine.code = current.node.code
    mine.seconds += time.perf_counter() - start


def _beside_native(module: Module, code: CodeIndex) -> Module:
    """A module as GDB is told of it: interpreted code that has native code beside it does not bear its plain name."""
    if next(code.native_modules(module.name), None) is None:
        return module
    ranges = (
        one if one.arity is None or code.is_interpreted(one) else one._replace(name=one.name + symbol_file.BYTECODE)
        for one in module.ranges
    )
    return replace(module, ranges=tuple(ranges))


def is_native(objfile: gdb.Objfile) -> bool:
    """Whether an object file is one that GDB has taken from the VM, of native code."""
    return (objfile.filename or "").startswith("<<")


def is_ours(objfile: gdb.Objfile) -> bool:
    """Whether GDB has an object file from here."""
    return _folder is not None and Path(objfile.filename or "").parent == _folder


def withdraw(number: int) -> None:
    """Take back the symbol files of an inferior that has ended."""
    for file in _states.pop(number, _State()).files:
        _remove(file)


def clean_up() -> None:
    """GDB ends: remove the files from disk."""
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)


def _add(data: bytes, modules: Iterable[Module]) -> _File:
    global _folder
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix="beamgdb-"))
    path = _folder / f"erlang-{next(_numbers)}.elf"
    path.write_bytes(data)
    without_questions(lambda: gdb.execute(f"add-symbol-file {path}", to_string=True))
    return _File(path, frozenset(modules))


def _remove(file: _File) -> None:
    # GDB may have dropped it by itself, when it forgot all symbols.
    if any(objfile.filename == str(file.path) for objfile in gdb.objfiles()):
        without_questions(lambda: gdb.execute(f"remove-symbol-file {file.path}", to_string=True))
    file.path.unlink(missing_ok=True)
