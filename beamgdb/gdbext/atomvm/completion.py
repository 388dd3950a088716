"""What there is in an AtomVM to complete names from; see `commands.completion`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from beamgdb.atomvm.modules import Broken, ModuleFile
from beamgdb.gdbext.atomvm import session
from beamgdb.memory import Unreadable


def functions() -> Iterator[str]:
    """Names of all functions."""
    return (one.text for file in _files() for one in file.functions)


def lines(start: str) -> Iterator[str]:
    """Lines with code, as FILE:LINE, of the files whose names may begin so."""
    name = start.partition(":")[0]
    seen: set[tuple[str, int]] = set()
    for file in _files():
        for _, path, number in file.lines:
            short = PurePosixPath(path).name
            if short.startswith(name) and (short, number) not in seen:
                seen.add((short, number))
                yield f"{short}:{number}"


def names_of_processes() -> Iterator[str]:
    """Names that processes are registered under."""
    vm = session.require()
    names = vm.contexts.names()
    return (name for context in vm.contexts if (name := vm.name(context, names)) is not None)


def pids() -> Iterator[str]:
    """Pids of processes."""
    return (one.pid for one in session.require().contexts)


def _files() -> Iterator[ModuleFile]:
    """What can be read of the modules that are loaded."""
    for module in session.require().modules:
        try:
            file = module.file
            _ = file.functions, file.lines
        except (Broken, Unreadable):
            continue
        yield file
