"""Lines of the source files that a module was made from, where they can be found."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jit.beam.module import Module
from jit.beam.operands import Location
from jit.codegen.line_rows import source_file


class Sources:
    """Source files are sought where the compiler read them, beside the .beam file, and in ``src`` beside its folder.

    One that is newer than the .beam file is not taken: its lines may be others.
    """

    def __init__(self, module: Module) -> None:
        beam = Path(module.file)
        told = source_file(module)
        self._folders = [*([Path(told).parent] if told else []), beam.parent, beam.parent.parent / "src"]
        self._newest = beam.stat().st_mtime if beam.exists() else 0.0
        self._lines = cache(self._read)

    def line(self, location: Location) -> str:
        """The text of a line without the blanks around it; nothing if it cannot be found."""
        lines = self._lines(location.file)
        return lines[location.line - 1].strip() if 0 < location.line <= len(lines) else ""

    def _read(self, name: str) -> list[str]:
        for path in (Path(name), *(folder / Path(name).name for folder in self._folders)):
            try:
                if path.stat().st_mtime <= self._newest:
                    return path.read_text(encoding="utf-8", errors="replace").split("\n")
            except OSError:
                continue
        return []
