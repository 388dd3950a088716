"""Where the sources of Erlang modules lie, so that GDB's `list` finds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from beamgdb.code.loaded import Text
from beamgdb.code.module import Module
from beamgdb.code.symbol_file import Locate
from beamgdb.gdbext import program_file
from beamgdb.gdbext.session import Session
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.views import source_lines
from beamgdb.vm import compile_info
from beamgdb.vm.model import Unavailable
from jit.system.file_names import is_file

MAX_DEPTH = 4
"""Levels of folders below an application's `src` that are searched."""

_SOURCES = (".erl", ".hrl", ".yrl", ".xrl", ".ex")


def locator(current: Session) -> Locate:
    """A function that tells a module's source folder.

    First where the module's compile info says, if the file is there; else among the sources installed with the running
    system (`lib/APP-VERSION/src`); else what the compile info says, for `set substitute-path`.
    """
    node, top = current.node, root()
    if top is not None and top not in current.installed_sources:
        current.installed_sources[top] = _installed_sources(top)
    installed = current.installed_sources[top] if top is not None else {}
    modules = {module.name: module for module in node.code}

    def locate(module: str, file: str) -> tuple[str, str]:
        name = PurePosixPath(file).name
        compiled = compiled_from(node, modules.get(module))
        folders = [compiled.parent] if compiled else []
        if PurePosixPath(file).is_absolute():
            folders.insert(0, PurePosixPath(file).parent)
        here = next((folder for folder in folders if is_file(Path(folder, name))), None)
        found = str(here) if here else installed.get(name)
        return (found, name) if found else (str(folders[0]) if folders else ".", name)

    return locate


def reader(current: Session) -> Text:
    """A function that gives the text of such a source."""

    known: dict[tuple[str, str], Sequence[str] | None] = {}

    def text(module: str, file: str) -> Sequence[str] | None:
        if (module, file) not in known:
            try:
                path = Path(*locator(current)(module, file))
                known[module, file] = source_lines.texts(path) if is_file(path) else None
            except (OSError, ValueError):
                known[module, file] = None
        return known[module, file]

    return text


def compiled_from(node: Node, module: Module | None) -> PurePosixPath | None:
    """The path in a module's compile info."""
    if module is None:
        return None
    try:
        path = compile_info.source(node, module)
    except (Unreadable, Unavailable, KeyError):
        return None
    return PurePosixPath(path) if path else None


def root() -> Path | None:
    """ROOT of the running system, whose beam.smp is ROOT/erts-VERSION/bin/beam.smp."""
    program = program_file.name()
    if program is None:
        return None
    return next((folder for folder in Path(program).resolve().parents if any(folder.glob("lib/stdlib-*"))), None)


def _installed_sources(root: Path) -> dict[str, str]:
    """File name to folder of all sources in ROOT/lib/*/src."""
    found: dict[str, str] = {}
    for application in sorted(root.glob("lib/*")):
        for file in (*_files(application / "src", MAX_DEPTH), *_files(application / "include", 0)):
            found.setdefault(file.name, str(file.parent))
    return found


def _files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.suffix in _SOURCES:
            yield entry
        elif depth and not entry.suffix and entry.is_dir() and not entry.is_symlink():
            yield from _files(entry, depth - 1)
