"""`beamgdb [PID | CORE | NAME | HOST:PORT | --arch ARCH --otp N ... | --screen ...]`: the screen on what that is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from beamgdb import asked_gdb, gdb_options, pack
from beamgdb.asked_gdb import Attached, Gdb, Opened
from beamgdb.screen import targets
from beamgdb.screen.choosing import chosen
from beamgdb.screen.screen import Screen
from beamgdb.screen.targets import Found, Target
from jit.sandbox.debuggee import debuggee
from jit.sandbox.errors import SandboxError
from jit.sandbox.sandbox import Sandbox
from jit.system.controls import harmless

WAYS: Final = (*asked_gdb.SAFE, "set width 0", "set height 0")


class NoTarget(LookupError):
    """There is nothing to look at; the text is one line that says why, and what to do."""


def run(found: AbstractContextManager[Target | None]) -> int:
    """Show what there is to look at, None if nothing was chosen, until the user quits; the exit status. Raises
    `NoTarget`, `NoAnswer`, `NoPack`, OSError."""
    with found as target:
        _require_terminal()
        if target is not None:
            asyncio.run(_show(target))
    return 0


def _require_terminal() -> None:
    """Raises `NoTarget` where there is none, or one on which nothing can be moved to its place."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        raise NoTarget("the screen needs a terminal; `beamgdb -p PID` and `beamgdb report CORE` do without")


async def _show(target: Target) -> None:
    """The screen, made in the event loop that it is in."""
    await Screen(target, "Source" if target.is_live else "Why").run()


@contextmanager
def named(gdb: Gdb, word: str | None) -> Iterator[Target | None]:
    """What a word names, or what is chosen without one."""
    if word is None:
        _require_terminal()
        found = asyncio.run(chosen(_all()))
        if found is None:
            yield None
        elif found.pid is not None:
            yield _node(gdb, found.pid)
        else:
            with _dumped(found) as path, pack.whatever(path, None) as opened:
                yield _core(gdb, opened)
    elif word.isdecimal():
        if not Path(f"/proc/{word}").exists():
            raise NoTarget(f"{word} is no process")
        other = targets.other_program(int(word))
        if other is not None:
            raise NoTarget(f"process {word} runs {other}, which is no BEAM; `beamgdb -p {word}` attaches to it anyway")
        yield _node(gdb, int(word))
    elif "/" not in word and targets.named(word):
        yield _node(gdb, _named(word))
    elif Path(word).is_socket() or (targets.REMOTE.fullmatch(word) and not Path(word).exists()):
        yield Target(harmless(word), command(gdb, ("-ex", f"target remote {word}")), loader=gdb.loader)
    elif Path(word).exists():
        with pack.whatever(Path(word), None) as opened:
            yield _core(gdb, opened)
    else:
        yield _node(gdb, _named(word))


@contextmanager
def of_line(gdb: Gdb, words: Sequence[str], environment: Mapping[str, str], label: str) -> Iterator[Target]:
    """What GDB is given on a command line."""
    before = gdb_options.split(words)
    options, rest = {*before.options}, words[before.length :]
    is_started = "args" in options
    of_core = bool({"c", "core"} & options) or (len(rest) > 1 and not is_started and not rest[1].isdecimal())
    yield Target(
        harmless(label), command(gdb, words), environment, is_live=not of_core, is_started=is_started, loader=gdb.loader
    )


def _all() -> Sequence[Found]:
    found = [*targets.nodes(), *targets.cores(Path())]
    if not found:
        raise NoTarget("nothing that runs Erlang is here, and no core file of it in this folder: name one")
    return found


def _named(name: str) -> int:
    pids = targets.named(name)
    if not pids:
        raise NoTarget(f"{name}: no core file, and no node of that name runs here; `beamgdb` alone lists what there is")
    if len(pids) > 1:
        raise NoTarget(f"{name}: several nodes have that name: give the process, one of {', '.join(map(str, pids))}")
    return pids[0]


def _node(gdb: Gdb, pid: int) -> Target:
    name = targets.node_name(targets.words_of(pid))
    label = f"{name} (pid {pid})" if name else f"pid {pid}"
    return Target(harmless(label), command(gdb, Attached(pid).words()), pid=pid, loader=gdb.loader)


def _core(gdb: Gdb, opened: Opened) -> Target:
    words = command(gdb, opened.words(), opened.settings())
    return Target(harmless(opened.core.name), words, is_live=False, loader=gdb.loader)


@contextmanager
def _dumped(found: Found) -> Iterator[Path]:
    """The core file that was chosen, which coredumpctl writes if it is kept there."""
    if found.core is not None:
        yield found.core
        return
    assert found.dump is not None
    print(f"beamgdb: coredumpctl writes the core file of {found.dump.pid} to a temporary folder ...", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="beamgdb-") as folder:
        path = Path(folder) / f"core.{found.dump.pid}"
        done = subprocess.run(
            ["coredumpctl", "--no-pager", "-q", "-o", str(path), "dump", *found.dump.words()],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        kept = targets.kept_whole(found.dump) if done.returncode else path
        if kept is None:
            raise NoTarget(f"coredumpctl does not give the core file: {done.stderr.decode(errors='replace').strip()}")
        yield kept


@contextmanager
def sandboxed(gdb: Gdb, arch: str, otp: int, arguments: Sequence[str]) -> Iterator[Target]:
    """A node of another architecture or release: one for this machine is begun by `run`, the others wait at their first
    instruction, and what they print would be on the screen, and is dropped."""
    try:
        sandbox = Sandbox(arch, otp)
        sandbox.check_runnable()
        sandbox.ensure()
        label, own, quiet = f"Erlang/OTP {otp} for {arch}", arguments or ["-noinput"], subprocess.DEVNULL
        if sandbox.native:
            words = (*sandbox.gdb_settings(), "--args", *sandbox.beam_command(own))
            yield Target(label, command(gdb, words), sandbox.environment(), is_started=True, loader=gdb.loader)
            return
        with debuggee(sandbox, own, stdout=quiet, stderr=quiet) as node:
            yield Target(label, command(gdb, tuple(map(str, node.gdb_arguments()))), is_started=True, loader=gdb.loader)
    except SandboxError as error:
        raise NoTarget(str(error)) from None


def command(gdb: Gdb, words: Sequence[str], settings: Sequence[str] = ()) -> list[str]:
    """The command line of a GDB that the screen asks."""
    ways = [word for one in (*WAYS, *settings) for word in ("-iex", one)]
    return [gdb.path, "-nx", "-q", "--interpreter=mi3", *ways, "-ix", str(gdb.loader), *words]
