"""Where the .beam file of a loaded module may be, for what the VM does not keep of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gdb

from beamgdb.code.module import Module
from beamgdb.gdbext import source_files
from beamgdb.node import Node
from jit.system.file_names import NoFileName, file_name, is_file


def candidates(node: Node, module: Module) -> list[Path]:
    """Files of the module's name, the likeliest first: where GDB looks for libraries, with which NIFs lie; beside
    the source; among the installed applications; in the working directory."""
    try:
        name = file_name(module.name, ".beam")
    except NoFileName:
        return []
    found = (folder / name for folder in _folders(node, module))
    return [path for path in dict.fromkeys(found) if is_file(path)]


def _folders(node: Node, module: Module) -> Iterator[Path]:
    for folder in str(gdb.parameter("solib-search-path") or "").split(":"):
        if folder:
            yield Path(folder)
    compiled = source_files.compiled_from(node, module)
    if compiled is not None:
        yield from (Path(compiled.parent), Path(compiled.parent.parent, "ebin"))
    root = source_files.root()
    if root is not None:
        yield from sorted(root.glob("lib/*/ebin"))
    with suppress(OSError):  # the folder that GDB is in may have been removed
        yield Path.cwd()
