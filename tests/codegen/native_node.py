"""Modules compiled, and run in stock nodes for 32-bit ARM: interpreted and native."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from beamgdb.sandbox import Sandbox
from jit.__main__ import main as jit

RELEASES = (25, 27)
#: Seconds. One run takes two on an idle machine.
PATIENCE = 100
_ENVIRONMENT = {**os.environ, "ERL_CRASH_DUMP": "/dev/null", "ERL_FLAGS": "", "ERL_AFLAGS": "", "ERL_ZFLAGS": ""}


def erlc(source: Path, folder: Path, *options: str) -> Path:
    """Compile an Erlang module; its .beam file."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["erlc", "-W0", *options, "-o", str(folder), str(source)], check=True, timeout=PATIENCE)
    return folder / f"{source.stem}.beam"


def erlc_of(otp: int, source: Path, folder: Path) -> Path:
    """Compile an Erlang module by the compiler of a release, with all the operations that it has; its .beam file."""
    folder.mkdir(parents=True, exist_ok=True)
    work = f'{{ok, _}} = compile:file("{source}", [{{outdir, "{folder}"}}]), halt().'
    command = Sandbox("amd64", otp).ensure().command(["-noinput", "-eval", work])
    subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE)
    return folder / f"{source.stem}.beam"


def compile_native(beams: list[Path], folder: Path, otp: int, *options: str) -> None:
    """Compile .beam files to native code, with the glue beside them."""
    assert jit(["compile", *map(str, beams), "-o", str(folder), "--otp", str(otp), *options]) == 0
    assert jit(["glue", "-o", str(folder)]) == 0


def node(otp: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a node says, and its exit status."""
    command = Sandbox("armhf", otp).ensure().command(["-noinput", *arguments])
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=_ENVIRONMENT, check=False)


def python_jit(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line as users have it."""
    command = [sys.executable, "-m", "jit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
