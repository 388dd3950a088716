"""Files that are written whole, or not at all: whoever reads one meanwhile gets the old one or the new one."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write a file. Raises OSError, and then what was there is still there."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
