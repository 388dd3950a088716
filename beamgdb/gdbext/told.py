"""What commands and the VM tell, for the program that runs GDB to tell it: see `beamgdb.asked_gdb`."""

from __future__ import annotations

import json
from collections.abc import Iterable

import gdb

from beamgdb.code.module import NO_CODE
from beamgdb.code.ranges import is_permanent
from beamgdb.gdbext import front_end, session, stop_reason
from beamgdb.gdbext.errors import one_line
from beamgdb.memory import Unreadable
from beamgdb.vm import compile_info
from beamgdb.vm.model import Unavailable


def all_of(token: str, commands: Iterable[str]) -> None:
    """Print a line for each command: the token, and an object with its text, or why there is none, and whether GDB has
    taken what it was given at all. Where a thread has
    crashed, they are asked of that one, which GDB does not select at first in core files of qemu 10."""
    crashed = stop_reason.crashed_elsewhere()
    if crashed is not None:
        front_end.taken(f"thread {crashed}")
    for command in commands:
        told: dict[str, str | bool | None] = {"text": None, "error": None, "taken": session.has_process()}
        try:
            told["text"] = front_end.taken(command)
        except gdb.error as error:
            told["error"] = one_line(error)
        _write(token, told)


def sources(token: str) -> None:
    """Print a line with the token, and an object with the paths that modules say that they were compiled from, or why
    there are none."""
    found: list[str] = []
    error = None
    try:
        node = session.require().node
        for module in node.code:
            try:
                path = compile_info.source(node, module) if not is_permanent(module) else None
            except (Unreadable, KeyError):
                continue
            found += [path] if path is not None else []
    except (gdb.error, Unavailable) as trouble:
        error = one_line(trouble)
    _write(token, {"sources": found, "error": error})


def code(token: str) -> None:
    """Print a line with the token, and an object with the machine code of Erlang functions, each as its start, its end
    and its name, or why there is none; and whether there is a process at all."""
    found: list[tuple[int, int, str]] = []
    error = None
    try:
        node = session.require().node
        for module in node.native if node.is_interpreter else node.code:
            found += (one[:3] for one in module.ranges if not one.name.endswith(NO_CODE))
        if not found:
            error = "the node interprets its code: there is no machine code of Erlang functions"
    except (gdb.error, Unavailable) as trouble:
        error = one_line(trouble)
    _write(token, {"code": found, "error": error, "attached": gdb.selected_inferior().pid != 0})


def _write(token: str, told: object) -> None:
    gdb.write(f"{token}{json.dumps(told)}\n")
    gdb.flush()
