"""`beamgdb [PID | CORE | NAME | --arch ARCH --otp N [-- ARGS]]`: the screen on what that is."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from beamgdb import asked_gdb, pack
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


def run(gdb: Gdb, word: str | None, sandbox: tuple[str, int, Sequence[str]] | None = None) -> int:
    """Show what a word names, or what is chosen, or a node of an architecture and release with arguments, until the
    user quits; the exit status. Raises `NoTarget`, `NoAnswer`, `NoPack`, OSError."""
    with _target(gdb, word, sandbox) as target:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise NoTarget("the screen needs a terminal; `beamgdb -p PID` and `beamgdb report CORE` do without")
        if target is not None:
            asyncio.run(_show(target))
    return 0


async def _show(target: Target) -> None:
    """The screen, made in the event loop that it is in."""
    await Screen(target, "Source" if target.is_live else "Why").run()


@contextmanager
def _target(gdb: Gdb, word: str | None, sandbox: tuple[str, int, Sequence[str]] | None) -> Iterator[Target | None]:
    if sandbox is not None:
        with _sandbox(gdb, sandbox) as target:
            yield target
    elif word is None:
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
    elif Path(word).exists():
        with pack.whatever(Path(word), None) as opened:
            yield _core(gdb, opened)
    else:
        yield _node(gdb, _named(word))


def _all() -> Sequence[Found]:
    found = [*targets.nodes(), *targets.cores(Path())]
    if not found:
        raise NoTarget("no BEAM node runs here, and there is no core file of one in this folder: name one")
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
    return Target(harmless(label), command(gdb, Attached(pid).words()), pid=pid)


def _core(gdb: Gdb, opened: Opened) -> Target:
    return Target(harmless(opened.core.name), command(gdb, opened.words(), opened.settings()), is_live=False)


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
def _sandbox(gdb: Gdb, wanted: tuple[str, int, Sequence[str]]) -> Iterator[Target]:
    """A node of another architecture or release: one for this machine is begun by `run`, the others wait at their first
    instruction. What it prints would be on the screen, and is dropped."""
    arch, otp, arguments = wanted
    try:
        sandbox = Sandbox(arch, otp)
        sandbox.check_runnable()
        sandbox.ensure()
        label, own, quiet = f"Erlang/OTP {otp} for {arch}", arguments or ["-noinput"], subprocess.DEVNULL
        if sandbox.native:
            words = (*sandbox.gdb_settings(), "--args", *sandbox.beam_command(own))
            line = command(gdb, words, ("set inferior-tty /dev/null",))
            yield Target(label, line, sandbox.environment(), is_started=True)
            return
        with debuggee(sandbox, own, stdout=quiet, stderr=quiet) as node:
            yield Target(label, command(gdb, tuple(map(str, node.gdb_arguments()))), is_started=True)
    except SandboxError as error:
        raise NoTarget(str(error)) from None


def command(gdb: Gdb, words: Sequence[str], settings: Sequence[str] = ()) -> list[str]:
    """The command line of a GDB that the screen asks."""
    ways = [word for one in (*WAYS, *settings) for word in ("-iex", one)]
    return [gdb.path, "-nx", "-q", "--interpreter=mi3", *ways, "-ix", str(gdb.loader), *words]
