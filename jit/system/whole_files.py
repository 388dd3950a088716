"""Files that are read whole, if they are not too large, and written whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def read(path: Path, most: int) -> bytes:
    """What a file holds. Raises OSError, also for one of more than *most* bytes, which are not read."""
    with path.open("rb") as file:
        # A device and a pipe have no size.
        is_larger = os.fstat(file.fileno()).st_size > most
        data = b"" if is_larger else file.read(most + 1)
    if is_larger or len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes, the most that is read of such a file", str(path))
    return data


def write(path: Path, data: bytes) -> None:
    """Write a file: whoever reads it meanwhile gets the old one or the new one. Raises OSError, and then what was there
    is still there.

    A link stays one, and so does what is no file: a device or a pipe is written to.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    # Not before: /dev/stdout that is a pipe is a link that leads to no path.
    path = Path(os.path.realpath(path))
    part = _part(path)
    try:
        with part.open("xb") as file:
            file.write(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def new_file(path: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """A file to be written piece by piece, which gets its name when all has been written, and is nothing if it has not.
    Only its owner may read it. Raises OSError: FileExistsError where there is something of that name, unless it is to
    be replaced and is a file."""
    if os.path.lexists(path) and not (replace and path.is_file()):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    part = _part(path)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
            yield file
        if replace:
            part.replace(path)
        else:
            _name(part, path)
    finally:
        part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    """Beside a file, what becomes it: a name that does not grow with that of the file, which may be as long as names
    can be."""
    return path.with_name(f".{secrets.token_hex(8)}.part")


def _name(part: Path, path: Path) -> None:
    """Give a file a name that no other one has, also if that has come meanwhile."""
    try:
        os.link(part, path, follow_symlinks=False)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
    except OSError:
        # There are file systems without links.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        part.rename(path)
