"""What there is to look at: nodes that run on this machine, and core files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from beamgdb import core_file
from beamgdb.core_file import NoCore
from jit.system.controls import harmless

MOST: Final = 500
"""Core files that are looked at."""

NAMES: Final = ("-sname", "-name")
"""Options of `erl` that name a node."""


@dataclass(frozen=True)
class Target:
    """What GDB is to be started with, in words for people in `label`; `pid` of a node that runs here. `is_live`: it can
    run; `is_started`: GDB starts it itself, and ends it."""

    label: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    pid: int | None = None
    is_live: bool = True
    is_started: bool = False


@dataclass(frozen=True)
class Found:
    """A node (`pid`) or a core file (`core`, `dump`: what coredumpctl is to be asked for it) that one can choose."""

    label: str
    pid: int | None = None
    core: Path | None = None
    dump: int | None = None


def nodes() -> Iterator[Found]:
    """The nodes that run, by /proc: programs named beam.*. GDB sees no node in those that qemu runs."""
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda one: int(one.name)):
        words = _words(folder)
        if words and Path(words[0]).name.startswith("beam") and "-progname" in words:
            name = node_name(words) or "a node without a name"
            yield Found(harmless(f"{name}  pid {folder.name}, {_owner(folder)}, {words[0]}"), pid=int(folder.name))


def node_name(words: Sequence[str]) -> str | None:
    """The name that a node was given by the words of its command line."""
    pairs = zip(words, words[1:])
    return next((value for option, value in pairs if option in NAMES), None)


def named(name: str) -> list[int]:
    """The processes of nodes of that name, with or without its host."""
    found = [(one.pid, node_name(words_of(one.pid or 0))) for one in nodes()]
    return [pid for pid, own in found if pid is not None and own and name in (own, own.partition("@")[0])]


def cores(folder: Path) -> Iterator[Found]:
    """Core files of a BEAM: those in a folder, and those that coredumpctl has."""
    for path in sorted(path for path in folder.iterdir() if "core" in path.name and path.is_file())[:MOST]:
        try:
            found = core_file.read(path)
        except (NoCore, OSError):
            continue
        if found.program is not None and Path(found.program).name.startswith("beam"):
            yield Found(harmless(f"{path.name}  core file of {found.program}"), core=path)
    yield from _kept_by_systemd()


def _kept_by_systemd() -> Iterator[Found]:
    program = shutil.which("coredumpctl")
    if program is None:
        return
    try:
        said = subprocess.run(
            [program, "--json=short", "--no-pager", "list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, timeout=10, check=False,
        ).stdout  # fmt: skip
        rows: list[dict[str, Any]] = json.loads(said or b"[]")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return
    for row in rows[-MOST:]:
        if Path(str(row.get("exe", ""))).name.startswith("beam") and row.get("corefile") == "present":
            yield Found(harmless(f"coredumpctl: pid {row['pid']} of {row['exe']}"), dump=int(row["pid"]))


def words_of(pid: int) -> list[str]:
    """The command line of a process, empty where it cannot be read."""
    return _words(Path(f"/proc/{pid}"))


def _words(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _owner(process: Path) -> str:
    try:
        return process.owner()
    except (OSError, KeyError):
        return "another user"


def state_of(pid: int) -> str:
    """What a process does, in words."""
    try:
        state = (Path(f"/proc/{pid}") / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return f"process {pid} is no more"
    return f"process {pid} {'stands still' if state in 'tT' else 'has ended' if state in 'ZX' else 'runs on'}"
