"""Where the sources of Erlang modules lie, so that GDB's `list` finds them."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import gdb

from beamgdb.beamasm.registrations import Module
from beamgdb.beamasm.symbol_file import Locate
from beamgdb.memory import Unreadable
from beamgdb.vm import compile_info
from beamgdb.vm.node import Node, Unavailable

MAX_DEPTH = 4
"""Folders below an application's `src` that are searched."""


def locator(node: Node) -> Locate:
    """A function that tells a module's source folder.

    First what the module's compile info says, if that file is here; else the sources installed beside the running
    system (`lib/APP-VERSION/src`); else what the compile info says, for `set substitute-path`.
    """
    root = _root()
    installed = _installed_sources(root) if root else {}
    modules = {module.name: module for module in node.code}

    def locate(module: str, file: str) -> tuple[str, str]:
        name = os.path.basename(file)
        compiled = _compiled_from(node, modules.get(module))
        if compiled:
            beside = os.path.normpath(os.path.join(os.path.dirname(compiled), name))
            if os.path.basename(compiled) == name and os.path.isfile(compiled):
                return os.path.dirname(compiled), name
            if os.path.isfile(beside):
                return os.path.dirname(beside), name
        found = installed.get(name)
        if found:
            return found, name
        if os.path.isabs(file):
            return os.path.dirname(file), name
        return (os.path.dirname(compiled) if compiled else "."), file

    return locate


def _compiled_from(node: Node, module: Module | None) -> str | None:
    """The path in a module's compile info."""
    if module is None:
        return None
    try:
        return compile_info.source(node, module)
    except (Unreadable, Unavailable, KeyError):
        return None


def _root() -> str | None:
    """ROOT of the running system: its beam.smp is ROOT/erts-VERSION/bin/beam.smp."""
    program = gdb.current_progspace().filename
    if not program:
        return None
    folder = Path(program).resolve().parent
    for ancestor in folder.parents:
        if (ancestor / "lib").is_dir() and any(ancestor.glob("lib/stdlib-*")):
            return str(ancestor)
    return None


@cache
def _installed_sources(root: str) -> dict[str, str]:
    """File name to folder of all sources in ROOT/lib/*/src."""
    found: dict[str, str] = {}
    try:
        applications = sorted(os.scandir(os.path.join(root, "lib")), key=lambda entry: entry.name)
    except OSError:
        return found
    for application in applications:
        for folder in ("src", "include"):
            _collect(os.path.join(application.path, folder), MAX_DEPTH, found)
    return found


def _collect(folder: str, depth: int, found: dict[str, str]) -> None:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith((".erl", ".hrl", ".yrl", ".xrl", ".ex")):
            found.setdefault(entry.name, folder)
        elif depth and entry.is_dir(follow_symlinks=False):
            _collect(entry.path, depth - 1, found)
