"""What there is to look at: nodes that run on this machine, and core files."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Final

from beamgdb import core_file
from beamgdb.core_file import NoCore
from beamgdb.late import dataclass
from beamgdb.screen.lines import shortened

MOST: Final = 500
"""Core files that are looked at."""

MOST_GIVEN: Final = 30
"""Columns for what a node without a name was given."""

PARTS: Final = 3
"""Of the path of a program: `erts-15.2.7/bin/beam.smp`."""

NAMES: Final = ("-sname", "-name")
"""Options of `erl` that name a node."""

UNTOLD: Final = ("-pa", "-pz", "-path", "-noshell", "-noinput", "-elixir_root")
"""Options of `erl` that do not tell what a node is for."""

OTP, ATOMVM = "beam", "AtomVM"
"""With what names of programs begin that run Erlang."""

REMOTE: Final = re.compile(r"[^/\s:]*:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")
"""HOST:PORT, where a remote stub is."""


@dataclass(frozen=True)
class Target:
    """What GDB is to be started with, in words for people in `label`; `pid` of a node that runs here. `is_live`: it can
    run; `is_started`: GDB starts it itself, and ends it. `loader` loads the extension, where `command` has not."""

    label: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    pid: int | None = None
    is_live: bool = True
    is_started: bool = False
    loader: Path | None = None

    @property
    def can_begin(self) -> bool:
        """Whether GDB itself can begin it, also again: not where another program has started it for GDB, as qemu."""
        return self.is_started and any(word.lstrip("-") == "args" for word in self.command)


@dataclass(frozen=True)
class Found:
    """A node or a core file (`core`, `dump`: what coredumpctl is to be asked for it) that one can choose, in words: its
    name, since when it is there, what it runs, whose it is, and what else is to be known."""

    name: str
    since: str
    program: str
    pid: int | None = None
    user: str = ""
    note: str = ""
    core: Path | None = None
    dump: Dump | None = None


@dataclass(frozen=True)
class Dump:
    """A core file that systemd keeps: `time` in seconds or, where only that is known, as coredumpctl writes it; the
    program, the process that it was, and how whole the file is. `match` is what the journal has of this one alone."""

    time: float | str
    pid: int
    program: str
    is_whole: bool
    match: str | None = None

    def words(self) -> tuple[str, ...]:
        """What coredumpctl is given for it."""
        return (str(self.pid), self.match) if self.match is not None else (str(self.pid),)


KEPT: Final = ("present", "truncated", "inaccessible", "journal")
"""What coredumpctl says of core files that are there, if perhaps not for everyone."""

DUMP: Final = re.compile(r"(?:\w+ )?(\d+-\d+-\d+ \d+:\d+)\S* \S+ +(\d+) +\d+ +\d+ +\S+ +(\S+) +(/.*)")
"""A line of the table of `coredumpctl list`: time, process, user, group, signal, core file, program."""

STORAGE: Final = re.compile(r"^ *Storage: (/.*) \(\w+\)$", re.MULTILINE)
"""Where it is, as `coredumpctl info` says."""

SIZE: Final = re.compile(r" +(-|n/a|[\d.]+[A-Z]?)$")
"""What is behind the program, from systemd 249 on."""


def nodes() -> Iterator[Found]:
    """The nodes that run, by /proc: programs named beam.* and AtomVM. GDB sees none in those that qemu runs."""
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda one: int(one.name)):
        words = _words(folder)
        program = Path(words[0]).name if words else ""
        if program.startswith(ATOMVM) or (program.startswith(OTP) and "-progname" in words):
            name = node_name(words) or shortened(given(words), MOST_GIVEN)
            tracer = tracer_of(int(folder.name))
            debugged = f"debugged by process {tracer}" if tracer else ""
            yield Found(name, _begun(folder), _end(words[0]), int(folder.name), _owner(folder), debugged)


def node_name(words: Sequence[str]) -> str | None:
    """The name that a node was given by the words of its command line; that of an AtomVM is the file that it runs."""
    if words and Path(words[0]).name.startswith(ATOMVM):
        return next((Path(word).name for word in words[1:] if word and not word.startswith("-")), None)
    pairs = zip(words, words[1:])
    return next((value for option, value in pairs if option in NAMES), None)


def given(words: Sequence[str]) -> str:
    """What a node without a name was started with, without where its code is: `erl` puts behind the home folder what
    it was given itself."""
    behind = [word for word in words[words.index("-home") + 2 :] if word not in ("", "--")] if "-home" in words else []
    options = (option.strip() for option in re.split(r" (?=[-+])", f" {' '.join(behind)}"))
    told = [option for option in options if option and option.split()[0] not in UNTOLD]
    return " ".join(["erl", *told]) if told else "a node without a name"


def is_vm(program: str) -> bool:
    """Whether a program runs Erlang, by its name."""
    return Path(program).name.startswith((OTP, ATOMVM))


def named(name: str) -> list[int]:
    """The processes of nodes of that name, with or without its host."""
    found = [(one.pid, node_name(words_of(one.pid or 0))) for one in nodes()]
    return [pid for pid, own in found if pid is not None and own and name in (own, own.partition("@")[0])]


def cores(folder: Path) -> Iterator[Found]:
    """Core files of what runs Erlang: those in a folder, and those that coredumpctl has; in each the latest first."""
    files = [path for path in folder.iterdir() if "core" in path.name and path.is_file()]
    for path in sorted(files, key=lambda one: -one.stat().st_mtime)[:MOST]:
        try:
            found = core_file.read(path)
        except (NoCore, OSError):
            continue
        if found.program is not None and is_vm(found.program):
            yield Found(path.name, moment(path.stat().st_mtime), _end(found.program), note="core file", core=path)
    for dump in _kept_by_systemd():
        cut = "" if dump.is_whole else ", cut off or not to be read by all"
        written = moment(dump.time) if isinstance(dump.time, float) else dump.time
        yield Found("coredumpctl", written, _end(dump.program), dump.pid, note=f"core file{cut}", dump=dump)


def _end(path: str) -> str:
    """The end of a path, which has the version of erts."""
    parts = path.split("/")
    return path if len(parts) <= PARTS + 1 else "/".join(["…", *parts[-PARTS:]])


def moment(seconds: float) -> str:
    """A time, as people here read it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _kept_by_systemd() -> Sequence[Dump]:
    """JSON is told from systemd 250 on; before, and where there is nothing, the table is all there is."""
    for words, read in ((("--json=short",), dumps), ((), dumps_in_table)):
        try:
            said = subprocess.run(
                ["coredumpctl", *words, "--no-pager", "list"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL, timeout=10, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
            ).stdout.decode(errors="replace")  # fmt: skip
            found = [one for one in read(said) if is_vm(one.program)]
        except (OSError, ValueError, subprocess.TimeoutExpired):
            continue
        if found:
            return found[: -MOST - 1 : -1]
    return ()


def kept_whole(dump: Dump) -> Path | None:
    """The file in which systemd keeps a core file that is not compressed, which coredumpctl 252 does not give."""
    try:
        said = subprocess.run(
            ["coredumpctl", "--no-pager", "info", *dump.words()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=10, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
        ).stdout.decode(errors="replace")  # fmt: skip
        paths = [Path(one) for one in STORAGE.findall(said)]
        return next((path for path in reversed(paths) if core_file.is_elf(path)), None)
    except (OSError, subprocess.TimeoutExpired):
        return None


def dumps(said: str) -> Iterator[Dump]:
    """What `coredumpctl --json=short list` has told, the oldest first. Raises ValueError."""
    rows = json.loads(said or "[]")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("corefile") in KEPT and isinstance(row.get("exe"), str):
            at, pid = int(row.get("time") or 0), int(row.get("pid") or 0)
            yield Dump(at / 1e6, pid, row["exe"], row["corefile"] in ("present", "journal"), f"COREDUMP_TIMESTAMP={at}")


def dumps_in_table(said: str) -> Iterator[Dump]:
    """The same of `coredumpctl list`, a table whose first line are its headings."""
    head, *lines = said.splitlines() or [""]
    for line in lines:
        found = DUMP.match(line.rstrip())
        if found is not None and found[3] in KEPT:
            program = SIZE.sub("", found[4]) if head.split()[-1:] == ["SIZE"] else found[4]
            yield Dump(found[1], int(found[2]), program, found[3] in ("present", "journal"))


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


def tracer_of(pid: int) -> int:
    """The process that debugs one, which no other can then; 0 where there is none, or it cannot be told."""
    try:
        (tracer,) = re.findall(
            r"^TracerPid:\t(\d+)$", Path(f"/proc/{pid}/status").read_text(errors="replace"), re.MULTILINE
        )
    except (OSError, ValueError):
        return 0
    return int(tracer)


def _begun(process: Path) -> str:
    """When a process has begun: of its stat, behind its name in brackets, the 20th word tells how long after the system
    has, in ticks (proc(5)). The times of its folder are when somebody first looked there."""
    try:
        ticks = int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[19])
        (system,) = re.findall(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
    except (OSError, ValueError, IndexError):
        return "?"
    return moment(int(system) + ticks / os.sysconf("SC_CLK_TCK"))


def other_program(pid: int) -> str | None:
    """The program that a process runs if it is neither a BEAM nor AtomVM; None where it is, or cannot be told."""
    process = Path(f"/proc/{pid}")
    paths = _words(process)[:1]
    with suppress(OSError):
        paths.append(str((process / "exe").readlink()).removesuffix(" (deleted)"))
    named = [path for path in paths if path]
    return None if not named or any(map(is_vm, named)) else named[-1]


def state_of(pid: int) -> str:
    """What a process does, in words."""
    state = _state(pid)
    if not state:
        return f"process {pid} is no more"
    return f"process {pid} {'stands still' if state in 'tT' else 'has ended' if state in 'ZX' else 'runs on'}"


def _state(pid: int) -> str:
    """The letter for what a process does, see proc(5), empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def stands_still(pid: int) -> bool:
    """Whether a process was stopped, by a signal and no debugger."""
    return _state(pid) == "T" and not tracer_of(pid)


def go_on(pid: int) -> None:
    """Have a process go on if it was stopped."""
    if stands_still(pid):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGCONT)
