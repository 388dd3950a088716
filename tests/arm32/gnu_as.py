"""GNU as for ARM, asked for many instructions at once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from jit.arm32.cpus import ARM1176, CORTEX_A7, Cpu, Feature


class FromHere(dict[int, str]):
    """Branch targets as GNU as is told distances."""

    def get(self, target: int, _default: object = None) -> str:
        return f".{(target ^ 1 << 31) - (1 << 31):+d}"


def assemble(lines: Sequence[str], folder: Path, cpu: Cpu = CORTEX_A7) -> list[int]:
    """The word of each line, which must be one instruction that the processor has."""
    source, made, raw = folder / "lines.s", folder / "lines.o", folder / "lines.bin"
    source.write_text("\n".join((*_head(cpu), *lines)) + "\n")
    run = subprocess.run(["arm-linux-gnueabihf-as", "-o", made, source], capture_output=True, text=True)
    assert run.returncode == 0, _quote(run.stderr, lines, len(_head(cpu)))
    subprocess.run(["arm-linux-gnueabihf-objcopy", "-O", "binary", "-j", ".text", made, raw], check=True)
    data = raw.read_bytes()
    words = [int.from_bytes(data[place : place + 4], "little") for place in range(0, len(data), 4)]
    assert len(words) == len(lines)
    return words


def refused(lines: Sequence[str], folder: Path, cpu: Cpu = CORTEX_A7) -> set[int]:
    """Numbers, from 0, of the lines that are errors."""
    source = folder / "lines.s"
    source.write_text("\n".join((*_head(cpu), *lines)) + "\n")
    run = subprocess.run(["arm-linux-gnueabihf-as", "-o", "/dev/null", source], capture_output=True, text=True)
    return {int(line) - len(_head(cpu)) - 1 for line in re.findall(r"lines\.s:(\d+): Error", run.stderr)}


def _head(cpu: Cpu) -> list[str]:
    """What GNU as is to be told of a processor: not its name, by which it would take all that it knows of it."""
    if cpu is ARM1176:
        return [".syntax unified", ".arch armv6k", ".fpu vfp", ".arm"]
    division = [".arch_extension idiv"] if Feature.DIVISION in cpu.features else []
    return [".syntax unified", ".arch armv7-a", *division, ".fpu vfpv3-d16", ".arm"]


def _quote(errors: str, lines: Sequence[str], before: int) -> str:
    found = re.findall(r"lines\.s:(\d+): (.*)", errors)[:20]
    return "\n".join(f"{lines[int(line) - before - 1]}: {message}" for line, message in found)
