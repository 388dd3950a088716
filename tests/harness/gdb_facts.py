"""In what GDBs differ whatever the extension does: what tests expect otherwise, and of which versions."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Final, Literal

from tests.harness.gdb import GDB, installed_version
from tests.harness.patience import PATIENCE

Fact = Literal[
    "breaks in an unknown language", "closes quotes", "ends with a stub", "finds the program of a core",
    "interrupts the target", "names no condition that waits", "reads DWARF 5", "steps on to a statement",
    "stops all threads when it attaches",
]  # fmt: skip

#: The first version of which it is true.
SINCE: Final[dict[Fact, int]] = {
    # GDB 10 itself ends (SIGABRT) at any `break` after `set language unknown`, without any extension too.
    "breaks in an unknown language": 13,
    # Completion of a word in an open quote ends with that quote, of whatever command.
    "closes quotes": 16,
    # Where Python reads memory, and the stub ends meanwhile: an internal error in thread.c, without any extension too.
    "ends with a stub": 16,
    # A core that is opened alone has the program that wrote it, where the core names it and it is still there.
    "finds the program of a core": 16,
    # Ctrl-C that comes while Python code runs in `Breakpoint.stop` stops the target by SIGINT.
    "interrupts the target": 16,
    # "Breakpoint 1 (NAME) pending." was "Breakpoint 1 (NAME if CONDITION) pending."
    "names no condition that waits": 16,
    # The pyelftools of its Debian does; that of GDB 10's, 0.27, reads DWARF 4.
    "reads DWARF 5": 13,
    # In non-stop mode too.
    "stops all threads when it attaches": 13,
    # `next` ends at the first statement of another line, also where a jump leads to code before it that is of that line
    # but begins none; GDB 10 goes on there to the line after.
    "steps on to a statement": 13,
}


def is_true(fact: Fact) -> bool:
    """Of the GDB that runs where a test names none."""
    return (installed_version() or 0) >= SINCE[fact]


def completed(begun: str, line: str) -> str:
    """What GDB offers of a line that is begun: up to the quote first, where it closes one itself that is open."""
    return line[: line.rindex("'") + 1] if is_true("closes quotes") and begun.count("'") % 2 else line


@cache
def writes_vector_registers() -> bool:
    """Whether it can, as it does behind each call of a function of the program: GDB 13 cannot on an x86-64 processor
    whose registers take more room than it knows of ("Couldn't write extended state status")."""
    words = [GDB, "-nx", "-batch", "-ex", "starti", "-ex", "set $xmm0.uint128 = 1", "/bin/true"]
    ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return "Couldn't write extended state" not in ran.stderr
