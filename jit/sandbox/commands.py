"""What each command of the command line does. Those that run a program become it, and return only where they cannot."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from jit.sandbox.debuggee import debuggee
from jit.sandbox.errors import SandboxError
from jit.sandbox.gdbs import SUITES, GdbSandbox
from jit.sandbox.pairs import PAIRS
from jit.sandbox.sandbox import Sandbox


def run(options: Namespace, arguments: Sequence[str]) -> int:
    """Become `erl`."""
    sandbox = _wanted(options)
    if options.core_dir:
        _allow_core(options.core_dir)
    _become(sandbox.command(arguments), os.environ)


def compile_files(options: Namespace, arguments: Sequence[str]) -> int:
    """Become `erlc`."""
    _become([str(_wanted(options).bindir / "erlc"), *arguments], os.environ)


def debug(options: Namespace, arguments: Sequence[str]) -> int:
    """Run GDB on a node; GDB's exit status."""
    sandbox = _wanted(options)
    further = [*options.gdb_arg, *(word for command in options.ex for word in ("-ex", command))]
    if sandbox.native:
        settings = sandbox.gdb_settings()
        program = sandbox.beam_command(arguments)
        command = _gdb_command(options.gdb, [*settings, *further, "--args", *program])
        _become(command, _for_gdb(sandbox.environment()))
    # Before a node is started: is there a GDB at all?
    _gdb_command(options.gdb, [])
    with debuggee(sandbox, arguments, options.port) as node:
        return _in_foreground(_gdb_command(options.gdb, [*node.gdb_arguments(*options.nifs), *further]))


def fetch(options: Namespace, _arguments: Sequence[str]) -> int:
    """Fetch a sandbox, and print its folder, or a GDB, and print its path."""
    if options.gdb is not None:
        if options.arch or options.otp:
            raise SandboxError("either --gdb, or --arch and --otp")
        print(GdbSandbox(options.gdb).ensure(again=options.again).program)
        return 0
    if not options.arch or not options.otp:
        raise SandboxError("which one? --arch and --otp tell, or --gdb")
    print(Sandbox(options.arch, options.otp).ensure(again=options.again).folder)
    return 0


def show_all(_options: Namespace, _arguments: Sequence[str]) -> int:
    """Print a line for each sandbox."""
    for pair in PAIRS:
        sandbox = Sandbox(pair.arch, pair.otp)
        how = f"under {pair.machine.qemu}" if pair.machine.qemu else "natively"
        where = str(sandbox.folder) if sandbox.complete else "not fetched"
        print(f"--arch {pair.arch} --otp {pair.otp}   {how:<18} {where}")
    for version in SUITES:
        gdb = GdbSandbox(version)
        print(f"--gdb {version:<17} natively           {gdb.program if gdb.complete else 'not fetched'}")
    return 0


def _wanted(options: Namespace) -> Sandbox:
    sandbox = Sandbox(options.arch, options.otp)
    sandbox.check_runnable()
    return sandbox.ensure()


def _allow_core(folder: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    if most == 0:
        raise SandboxError("core files are forbidden here: the hard limit `ulimit -Hc` is 0")
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
    except OSError as error:
        raise SandboxError(f"cannot run in {folder}: {error.strerror}") from None


def _become(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        raise SandboxError(f"cannot run {command[0]}: {error.strerror}") from None


def _gdb_command(gdb: str, arguments: Sequence[str]) -> list[str]:
    if shutil.which(gdb) is None:
        raise SandboxError(f"no {gdb} on this machine: install gdb-multiarch, or name a GDB with --gdb")
    # A program of its own: nothing here depends on the debugger.
    return [sys.executable, "-m", "beamgdb", "--gdb", gdb, "-q", *arguments]


def _for_gdb(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which the extension finds the packages that this Python has."""
    own = {"VIRTUAL_ENV": sys.prefix} if sys.prefix != sys.base_prefix else {}
    return {**environment, **own}


def _in_foreground(command: Sequence[str]) -> int:
    """Run a command that has the terminal, and so Ctrl-C; its exit status. It ends when this process is told to."""
    signal.signal(signal.SIGINT, lambda *_: None)
    with subprocess.Popen(command, env=_for_gdb(os.environ)) as process:
        for end in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(end, lambda *_: process.kill())
        status = process.wait()
    return status if status >= 0 else 128 - status
