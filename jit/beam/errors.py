"""What is raised for a .beam file that cannot be read."""

from __future__ import annotations

from jit.system.controls import printable


class BeamError(ValueError):
    """A file that is no sound .beam file, or one of a release that is not known here.

    The text is one printable line: the file, the chunk and the offset in it in bytes, the function and operation where
    there are such, and what is wrong. The parts are attributes too; ``offset`` is None where no place is meant.
    """

    def __init__(
        self, file: str, what: str, *, chunk: str = "", offset: int | None = None, operation: str = ""
    ) -> None:
        self.file = file
        self.what = what
        self.chunk = chunk
        self.offset = offset
        self.operation = operation
        place = [part for part in (chunk and f"chunk {chunk}", _offset(offset), operation) if part]
        text = ": ".join(part for part in (file, ", ".join(place), what) if part)
        # Names in a damaged file can hold anything.
        super().__init__(printable(text))


def _offset(offset: int | None) -> str:
    return "" if offset is None else f"offset {offset:#x}"
