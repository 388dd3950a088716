"""Files that commands read and write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from jit.beam import soundness
from jit.beam.chunks import LARGEST, Chunk, read_chunks
from jit.beam.module import Module, decode_module, read_module
from jit.commands.errors import CommandError
from jit.commands.targets import RUNTIMES
from jit.system import whole_files


def find(paths: Sequence[Path]) -> list[Path]:
    """The files that the arguments FILE|DIR stand for, each once. Raises CommandError for a folder without any."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            found[path] = None
            continue
        # No pipe: nobody may ever write to it.
        inside = sorted(one for one in path.rglob("*.beam") if one.is_file() or not one.exists())
        if not inside:
            raise CommandError(f"{path}: there is no .beam file in this folder, nor in those below")
        found.update(dict.fromkeys(inside))
    return list(found)


def read_plain(path: Path) -> Module:
    """A module as the Erlang compiler made it. Raises CommandError for one with native code, BeamError and OSError."""
    return plain(read_module(path))


def plain(module: Module) -> Module:
    """The module, if it is as a compiler made it. Raises CommandError for one with native code, and BeamError."""
    if native_chunk(module.chunks) is not None:
        raise has_native_code(module.file)
    soundness.check(module)
    return module


def has_native_code(file: str) -> CommandError:
    """The error for a file that is not as the Erlang compiler made it."""
    return CommandError(f"{file}: has native code already: take the file that the Erlang compiler made")


def read_any(path: Path) -> tuple[Module | None, list[Chunk]]:
    """The module as the Erlang compiler made it, or None for a file with native code; and all chunks.

    Files with native code for AtomVM may have no bytecode. The file is read once: it may be a pipe. Raises BeamError
    and OSError.
    """
    data = whole_files.read(path, LARGEST)
    chunks = read_chunks(data, str(path))
    if native_chunk(chunks) is not None:
        return None, chunks
    return plain(decode_module(data, str(path))), chunks


def native_chunk(chunks: Iterable[Chunk]) -> Chunk | None:
    """The chunk with native code that a compiled module carries; None for others."""
    names = {one.chunk for one in RUNTIMES.values()}
    return next((chunk for chunk in chunks if chunk.name in names), None)


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
