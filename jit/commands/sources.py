"""Lines of the source files that a module was made from, where they can be found."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from stat import S_ISREG
from typing import Final

from jit.beam.module import Module
from jit.beam.operands import Location
from jit.system import whole_files

#: The most bytes of a source file that is looked into.
LARGEST_SOURCE: Final = 1 << 24


class Sources:
    """Source files are sought where the compiler read them, beside the .beam file, and in ``src`` beside its folder.

    One that is newer than the .beam file is not taken: its lines may be others.
    """

    def __init__(self, module: Module) -> None:
        beam = Path(module.file)
        told = module.source
        self._folders = [*([Path(told).parent] if told else []), beam.parent, beam.parent.parent / "src"]
        self._newest = beam.stat().st_mtime if beam.exists() else 0.0
        self._lines = cache(self._read)

    def line(self, location: Location) -> str:
        """The text of a line without the blanks around it, and without tabs; nothing if it cannot be found."""
        lines = self._lines(location.file)
        return lines[location.line - 1].strip().expandtabs() if 0 < location.line <= len(lines) else ""

    def _read(self, name: str) -> list[str]:
        for path in (Path(name), *(folder / Path(name).name for folder in self._folders)):
            try:
                status = path.stat()
                if S_ISREG(status.st_mode) and status.st_size and status.st_mtime <= self._newest:
                    return whole_files.read(path, LARGEST_SOURCE).decode(errors="replace").split("\n")
            except (OSError, ValueError):  # the file that a .beam file names may be any, and none
                continue
        return []
