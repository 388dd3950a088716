"""The command line of the sandboxes: `python -m beamgdb.sandbox --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from jit.sandbox import commands
from jit.sandbox.errors import SandboxError
from jit.sandbox.gdbs import SUITES
from jit.sandbox.pairs import PAIRS
from jit.system.command_line import Parser, complete, listed

_PROGRAM = "python -m beamgdb.sandbox"

_DESCRIPTION = """\
Debian's Erlang for other architectures and releases. Each is fetched once, by apt, into a cache folder, and then runs
without a network: programs for ARM under qemu-user, those for amd64 natively. Needs no root. The cache is
$BEAMGDB_CACHE, else $XDG_CACHE_HOME/beamgdb, else ~/.cache/beamgdb."""

_RUN = """\
Run `erl ARGS`. Input, output, signals and the exit status are its own.

  {program} run --arch armhf --otp 25 -- -noshell -eval 'io:format("hello~n"), halt().'"""

_SHELL = """\
The interactive Erlang shell, `erl ARGS`.

  {program} shell --arch arm64 --otp 27"""

_GDB = """\
Run `erl ARGS` under GDB with the extension loaded. A node for ARM waits at its first instruction, under qemu's stub,
and GDB is connected to it: type `continue`. It gets no input, has one scheduler of each kind unless ARGS say otherwise
(the stub stops only one thread), and ends with GDB. A node for amd64 is started by `run`.

  {program} gdb --arch armhf --otp 27 -- -noinput -s my_module"""

_ERLC = """\
Compile Erlang files: `erlc ARGS`.

  {program} erlc --arch armhf --otp 25 -- -o ebin my_module.erl"""

_FETCH = """\
Fetch a sandbox, and run nothing. Prints its folder; of a GDB, which is for x86-64, the program's path:

  beamgdb --gdb "$({program} fetch --gdb 18)" -p PID"""

_LIST = "The sandboxes that there are, and where those are that have been fetched."

_CORE = """\
run in DIR (made if it is not there), and leave a core file there when Erlang crashes:
qemu_beam.smp_DATE_PID.core of a node for ARM (another one is of qemu itself); for amd64 as
/proc/sys/kernel/core_pattern says"""


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; an exit status."""
    own, arguments = _split(list(sys.argv[1:] if words is None else words))

    def act() -> int:
        options = _parser().parse_args(own)
        status: int = options.act(options, arguments)
        return status

    return complete("beamgdb.sandbox", act, (SandboxError,))


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """The words before the first `--`, and those behind it."""
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place + 1 :]


def _parser() -> argparse.ArgumentParser:
    layout = argparse.RawTextHelpFormatter
    parser = Parser(prog=_PROGRAM, description=_DESCRIPTION, formatter_class=layout)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, summary: str, description: str) -> argparse.ArgumentParser:
        text = description.format(program=_PROGRAM)
        usage = f"{_PROGRAM} {name} [OPTIONS]{' -- ARGS' if 'ARGS' in text else ''}"
        return subparsers.add_parser(name, help=summary, description=text, usage=usage, formatter_class=layout)

    run = command("run", "run erl", _RUN)
    shell = command("shell", "an interactive shell", _SHELL)
    gdb = command("gdb", "erl under GDB", _GDB)
    erlc = command("erlc", "compile Erlang files", _ERLC)
    fetch = command("fetch", "only fetch", _FETCH)
    command("list", "what there is", _LIST).set_defaults(act=commands.show_all)
    architectures = listed((pair.arch for pair in PAIRS), "or")
    releases = listed(sorted(pair.otp for pair in PAIRS), "or")
    for sub in (run, shell, gdb, erlc, fetch):
        sub.add_argument("--arch", required=sub is not fetch, help=architectures)
        sub.add_argument("--otp", required=sub is not fetch, type=int, help=f"release of Erlang/OTP: {releases}")
    for sub in (run, shell):
        sub.add_argument("--core-dir", metavar="DIR", type=Path, help=_CORE)
        sub.set_defaults(act=commands.run)
    _add_gdb_options(gdb)
    gdb.set_defaults(act=commands.debug)
    erlc.set_defaults(act=commands.compile_files)
    gdbs = ", ".join(f"{version} (Debian's {suite})" for version, suite in SUITES.items())
    fetch.add_argument("--gdb", metavar="VERSION", type=int, help=f"a GDB instead of an Erlang: {gdbs}")
    fetch.add_argument("--again", action="store_true", help="make it anew if it is there")
    fetch.set_defaults(act=commands.fetch)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"not a port: {text}")
    return int(text)


def _add_gdb_options(gdb: argparse.ArgumentParser) -> None:
    def repeated(option: str, metavar: str, text: str, kind: type[str] | type[Path] = str) -> None:
        gdb.add_argument(option, metavar=metavar, action="append", default=[], type=kind, help=text)

    gdb.add_argument("--port", type=_port, default=0, help="loopback port for GDB (ARM; default: a free one)")
    gdb.add_argument("--gdb", metavar="GDB", default="gdb-multiarch", help="the GDB to run (default: %(default)s)")
    repeated("--nifs", "DIR", "a folder of NIFs that Erlang loads (ARM; may be repeated)", Path)
    repeated("--gdb-arg", "WORD", "a further argument of GDB, as --gdb-arg=-batch (may be repeated)")
    repeated("-ex", "COMMAND", "a command of GDB, once it is connected (may be repeated)")
