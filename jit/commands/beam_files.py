"""Files that commands read and write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jit import whole_files
from jit.beam.module import Module, read_module
from jit.codegen.rewrite import CHUNK
from jit.commands.errors import CommandError


def find(paths: Sequence[Path]) -> list[Path]:
    """The files that the arguments FILE|DIR stand for, each once. Raises CommandError for a folder without any."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            found[path] = None
            continue
        inside = sorted(path.rglob("*.beam"))
        if not inside:
            raise CommandError(f"{path}: there is no .beam file in this folder, nor in those below")
        found.update(dict.fromkeys(inside))
    return list(found)


def read_plain(path: Path) -> Module:
    """A module as the Erlang compiler made it. Raises CommandError for one with native code, BeamError and OSError."""
    module = read_module(path)
    if native_chunk(module) is not None:
        raise CommandError(f"{path}: has native code already: take the file that the Erlang compiler made")
    return module


def native_chunk(module: Module) -> bytes | None:
    """The ELF file with native code that a compiled module carries; None for others."""
    return next((chunk.data for chunk in module.chunks if chunk.name == CHUNK), None)


def refuse_to_overwrite(path: Path, target: Path, what: str) -> None:
    """Raise CommandError where a file that is read is the one to be written; *what* is what -o names."""
    if target.exists() and path.exists() and target.samefile(path):
        raise CommandError(f"{path}: would be overwritten: name another {what} with -o")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole, or not at all. Raises CommandError where that is not possible."""
    try:
        whole_files.write(path, data)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror}") from None
