"""Output that nobody takes: one line, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ("jit dump PROGRAM", "beamgdb.sandbox list")
HELP = ("jit --help", "beamgdb.sandbox --help")


@pytest.mark.parametrize("words", [*COMMANDS, *HELP])
def test_full(program: Path, words: str) -> None:
    module, said = errors(program, words, ">/dev/full")
    assert said == [f"{module}: No space left on device"]


@pytest.mark.parametrize("words", COMMANDS)
def test_closed(program: Path, words: str) -> None:
    assert errors(program, words, ">&-")[1] == []


@pytest.mark.parametrize("words", [*COMMANDS, *HELP])
def test_nobody_reads(program: Path, words: str) -> None:
    assert errors(program, words, "| :")[1] == []


def errors(program: Path, words: str, redirection: str) -> tuple[str, list[str]]:
    """The module that is run, and what it says on standard error."""
    command = f"{sys.executable} -m {words.replace('PROGRAM', str(program))} {redirection}"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, timeout=60)
    return words.split()[0], done.stderr.splitlines()
