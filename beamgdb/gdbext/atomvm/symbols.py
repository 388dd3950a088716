"""Native code that AtomVM shows to debuggers. In an optimised build GDB does not hear of it: the compiler leaves out
the call of an empty function at which GDB would stop. The list is there all the same, and is read at each stop."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gdb

from beamgdb.atomvm.vm import AtomVm
from beamgdb.code import jit_interface
from beamgdb.gdbext import front_end, gdb_text
from beamgdb.gdbext import session as gdb_session
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.file_arguments import file_argument
from beamgdb.gdbext.temporary_settings import without_questions
from beamgdb.memory import READ_LIMIT
from jit.object.elf_constants import ELF_MAGIC

MAX_FILES: Final = 1000
"""Modules that GDB is told of."""

_TABLE: Final = {4: (32, 4, 46, 12), 8: (40, 8, 58, 16)}
"""By the size of a word: in an ELF file's header where that of sections is, and its size, and the size of each; in such
a header where the address is."""


class _Given(dict[int, dict[int, Path]]):
    """By inferior, the files that GDB was given, by where the VM has them."""


def sync(vm: AtomVm) -> None:
    """Make GDB know all native code that the VM shows. Not for unwinders: it invalidates frames."""
    descriptor = gdb_session.address_of(jit_interface.DESCRIPTOR)
    if descriptor is None:
        return
    given = extension().part(_Given).setdefault(gdb.selected_inferior().num, {})
    listed = [one for one in jit_interface.entries(vm.memory, descriptor) if one.size <= READ_LIMIT]
    present = {one.symfile for one in listed}
    for symfile in [one for one in given if one not in present]:
        _remove(given.pop(symfile))
    for one in listed[:MAX_FILES]:
        data = vm.memory.try_read(one.symfile, one.size) if one.symfile not in given else None
        address = _code(data, vm.memory.word_size) if data is not None else None
        if data is not None and address is not None and gdb.block_for_pc(address) is None:
            path = extension().symbol_folder.new_file()
            path.write_bytes(data)
            given[one.symfile] = path
            _add(path)


def withdraw(number: int) -> None:
    """Take back the files of an inferior that has ended."""
    for path in extension().part(_Given).pop(number, {}).values():
        _remove(path)


def _add(path: Path) -> None:
    without_questions(lambda: front_end.taken(f"add-symbol-file {file_argument(path)}"))


def _remove(path: Path) -> None:
    if any(gdb_text.file_name(objfile) == str(path) for objfile in gdb.objfiles()):
        without_questions(lambda: front_end.taken(f"remove-symbol-file {file_argument(path)}"))
    path.unlink(missing_ok=True)


def _code(data: bytes, word: int) -> int | None:
    """Where the code is that an ELF file describes: it is in the first of its sections. None of what is none."""
    at, size, each, address = _TABLE[word]
    if not data.startswith(ELF_MAGIC) or len(data) < each + 2:
        return None
    section = int.from_bytes(data[at : at + size], "little") + int.from_bytes(data[each : each + 2], "little")
    found = data[section + address : section + address + size]
    return int.from_bytes(found, "little") or None
