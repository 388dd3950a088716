"""Modules compiled, and run in stock nodes for 32-bit ARM: interpreted and native."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from jit.__main__ import main as jit
from jit.otp.erlc import FOR_ALL
from jit.sandbox import Sandbox, debuggee
from tests.harness import patience
from tests.harness.erl import SETTINGS
from tests.harness.gdb import batch
from tests.harness.glue import put_glue

#: Seconds. One run takes two on an idle machine.
PATIENCE = 2 * patience.PATIENCE
#: The command line as users have it.
PYTHON_JIT = (sys.executable, "-m", "jit")


def erlc(source: Path, folder: Path, *options: str) -> Path:
    """Compile an Erlang module for all releases; its .beam file."""
    return _compiled("erlc", source, folder, *FOR_ALL, *options)


def _compiled(program: str | Path, source: Path, folder: Path, *options: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([program, "-W0", *options, "-o", folder, source], check=True, timeout=PATIENCE)
    return folder / f"{source.stem}.beam"


def erlc_of(otp: int, source: Path, folder: Path) -> Path:
    """Compile an Erlang module by the compiler of a release, with all the operations that it has; its .beam file."""
    return _compiled(Sandbox("amd64", otp).ensure().bindir / "erlc", source, folder)


def library(otp: int, name: str) -> Path:
    """The folder of .beam files of an application of Erlang/OTP."""
    (folder,) = Sandbox("armhf", otp).ensure().otp_root.glob(f"lib/{name}-*/ebin")
    return folder


def compile_native(beams: list[Path], folder: Path, otp: int, *options: str, mistakes: int = 0) -> None:
    """Compile .beam files to native code, with the glue beside them. So many functions show *mistakes* of the compiler.

    Without this a function that an emitter cannot do any more would pass all tests that look at results.
    """
    with redirect_stderr(StringIO()) as told:
        status = jit(["compile", *map(str, beams), "-o", str(folder), "--otp", str(otp), *options])
    print(told.getvalue(), end="", file=sys.stderr)
    assert (status, told.getvalue().count("the compiler or this file is wrong")) == (0, mistakes)
    put_glue(folder)


def node(otp: int, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """What a node says, and its exit status."""
    command = Sandbox("armhf", otp).ensure().command(["-noinput", *arguments])
    own = {**os.environ, **SETTINGS, **(environment or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=own, check=False)


def node_says(otp: int, *arguments: str) -> str:
    """What a node says that ends well, and says nothing on standard error."""
    ran = node(otp, *arguments)
    assert (ran.returncode, ran.stderr) == (0, ""), f"status {ran.returncode}, {ran.stderr[-2000:]!r}, {ran.stdout!r}"
    return ran.stdout


def native_says(otp: int, beam: Path, folder: Path, run: str, *options: str) -> str:
    """What a node says whose one native module is that of a .beam file, which is compiled into a folder for this."""
    compile_native([beam], folder, otp, *options)
    tell = f'io:format("~w~n", [{{code:ensure_loaded({beam.stem}), native:loaded(), native:modules()}}]),'
    loaded, _, answer = node_says(otp, "-pa", str(folder), "-s", "native", "-eval", f"{tell} {run}").partition("\n")
    assert loaded == f"{{{{module,{beam.stem}}},1,[{beam.stem}]}}"
    return answer


def gdb_says(otp: int, folder: Path, run: str, *words: str, environment: Mapping[str, str] | None = None) -> str:
    """What stock GDB says, with arguments *words*, of a node with native modules before its first instruction."""
    arguments = ["-noinput", "-pa", str(folder), "-s", "native", "-eval", run]
    with debuggee(Sandbox("armhf", otp).ensure(), arguments, stdout=subprocess.DEVNULL) as target:
        return batch(*target.gdb_arguments(folder), *words, environment=environment, timeout=2 * PATIENCE)


def python_jit(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run([*PYTHON_JIT, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
