"""GNU as, asked for many instructions at once."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def assembled(lines: Sequence[str], folder: Path, *, tools: str = "", head: Sequence[str] = ()) -> bytes:
    """The code of these lines; *tools* is what the names of the processor's tools begin with."""
    source, made, raw = folder / "lines.s", folder / "lines.o", folder / "lines.bin"
    source.write_text("\n".join((*head, *lines)) + "\n")
    subprocess.run([f"{tools}as", "-o", made, source], check=True)
    subprocess.run([f"{tools}objcopy", "-O", "binary", "-j", ".text", made, raw], check=True)
    return raw.read_bytes()
