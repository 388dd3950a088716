"""All commands of the extension, and what each is asked where all are asked: none is forgotten."""

from __future__ import annotations

from pathlib import Path

from tests.harness.gdb import Gdb

#: Command lines that only look. PROCESS is one with terms of all kinds; DIR a folder for what is written.
LINES = (
    "beam", "beam-info", "beam-info -layout", "beam-info -config", "beam-why", "beam-why -json",
    "beam-bt", "beam-bt all", "beam-bt init", "beam-bt busy", "beam-bt PROCESS", "beam-bt <0.0.0>",
    "beam-ps", "beam-ps -json -sort queue", "beam-top", "beam-process", "beam-process init", "beam-process PROCESS",
    "beam-tree", "beam-waits", "beam-exceptions -json", "beam-exceptions PROCESS", "beam-purge", "beam-locks",
    "beam-stacks", "beam-binaries", "beam-resources -json", "beam-resources -types",
    "beam-heap", "beam-heap -things PROCESS", "beam-refs init", "beam-refs $rsp", "beam-verify", "beam-verify PROCESS",
    "beam-ets", "beam-ets-objects code", "beam-ports -json", "beam-fds -json", "beam-persistent-terms -json",
    "beam-nodes -json", "beam-timers -json", "beam-schedulers -json",
    "beam-memory", "beam-allocators -json", "beam-allocators -instances", "beam-allocators -carriers",
    "beam-allocators -check", "beam-block $rsp", "beam-crashdump -force DIR/dump",
    "xreg", "xreg -raw", "yreg", "yreg -raw", "freg", "eterm 687", "eterm $rsp", "eterm $pc", "eterm -boxed $rsp",
    "beam-disas", "beam-disas lists:map/2", "beam-disas -bytecode lists:map/2", "beam-breakpoints",
    "beam-context", "beam-context stack", "beam-context -json", "beam-bt -json init", "beam-info -json",
    "eterm -json 687", "beam-disas -json lists:map/2", "beam-breakpoints -json",
)  # fmt: skip

#: Those that let the program run, or set a breakpoint.
OTHERS = ("beam-break", "beam-step", "beam-next", "beam-finish", "beam-receive")

_NAMES = """
from beamgdb.gdbext.commands.command import Command
def names(kind):
    return {kind.name} if hasattr(kind, 'name') else set().union(*map(names, kind.__subclasses__()))
print(*names(Command))
"""


def registered(gdb: Gdb) -> set[str]:
    """The names of all commands that there are."""
    return set(gdb.cmd(f"python exec({_NAMES!r})").split())


def lines(gdb: Gdb, process: str, folder: Path | str) -> list[str]:
    """What all are asked that look."""
    found = [line.replace("PROCESS", process).replace("DIR", str(folder)) for line in LINES]
    assert registered(gdb) == {line.split()[0] for line in found} | set(OTHERS)
    return found
