"""GNU as for ARM, asked for many instructions at once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

_HEAD = (".syntax unified", ".arch armv7-a", ".arch_extension idiv", ".fpu vfpv3-d16", ".arm")


def assemble(lines: Sequence[str], folder: Path) -> list[int]:
    """The word of each line, which must be one instruction."""
    source, made, raw = folder / "lines.s", folder / "lines.o", folder / "lines.bin"
    source.write_text("\n".join((*_HEAD, *lines)) + "\n")
    run = subprocess.run(["arm-linux-gnueabihf-as", "-o", made, source], capture_output=True, text=True)
    assert run.returncode == 0, _quote(run.stderr, lines)
    subprocess.run(["arm-linux-gnueabihf-objcopy", "-O", "binary", "-j", ".text", made, raw], check=True)
    data = raw.read_bytes()
    words = [int.from_bytes(data[place : place + 4], "little") for place in range(0, len(data), 4)]
    assert len(words) == len(lines)
    return words


def refused(lines: Sequence[str], folder: Path) -> set[int]:
    """Numbers, from 0, of the lines that are errors."""
    source = folder / "lines.s"
    source.write_text("\n".join((*_HEAD, *lines)) + "\n")
    run = subprocess.run(["arm-linux-gnueabihf-as", "-o", "/dev/null", source], capture_output=True, text=True)
    return {int(line) - len(_HEAD) - 1 for line in re.findall(r"lines\.s:(\d+): Error", run.stderr)}


def _quote(errors: str, lines: Sequence[str]) -> str:
    found = re.findall(r"lines\.s:(\d+): (.*)", errors)[:20]
    return "\n".join(f"{lines[int(line) - len(_HEAD) - 1]}: {message}" for line, message in found)
