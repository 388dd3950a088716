"""The command `beamgdb`: GDB with this extension loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final, NoReturn

from beamgdb import __version__, erlang_start, gdb_options, pack, perf_map, report
from beamgdb.asked_gdb import Gdb, NoAnswer
from jit.system.command_line import Parser, complain, complete

LOADER = Path(__file__).resolve().parent / "loader.py"
#: The first that is installed is run; the multiarch one can also read cores of other machines.
GDBS = ("gdb-multiarch", "gdb")

USAGE = """beamgdb [--gdb GDB] [GDB-OPTIONS] [PROGRAM [CORE | PID]]
       beamgdb [--gdb GDB] [GDB-OPTIONS] erl|iex|elixir|mix [ARGS]
       beamgdb [--gdb GDB] report CORE [--json] [--program BEAM]
       beamgdb [--gdb GDB] pack CORE [-o FILE] [--program BEAM]
       beamgdb [--gdb GDB] symbols PID [-o FILE]
       beamgdb --print-loader"""

EXAMPLES = """\
examples:
  beamgdb -p PID                 attach to a running node
  beamgdb BEAM CORE              look at a core file; BEAM is its beam.smp
  beamgdb erl ARGS               start a node as erl does, and run it
  beamgdb iex -S mix             likewise; so do elixir and mix
  beamgdb -ex 'beam-break m:f/1' erl ARGS
                                 the same, with a breakpoint from the start:
                                 commands of -ex run before the node starts
  gdb -ix "$(beamgdb --print-loader)" ...
                                 load the extension into any GDB

All other options are GDB's: gdb --help. In GDB `help beam` tells of the
commands.
"""

COMMANDS: Final[Mapping[str, tuple[str, ModuleType]]] = {
    "report": ("print why a node died, by its core file, without a prompt", report),
    "pack": ("make one file of a core file and what it needs, to be looked at elsewhere", pack),
    "symbols": ("names of Erlang functions for perf, of a node that was started without +JPperf", perf_map),
}
"""What is no command line of GDB, with its help, and the module that does it."""


class _Parser(Parser):
    """One whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        complain(self.prog, f"{message} (see `{self.prog} --help`)")
        sys.exit(2)


def parser() -> ArgumentParser:
    """What the command takes that is not GDB's; for its help, the man page and completion in shells too."""
    layout = partial(RawDescriptionHelpFormatter, width=80)
    found = _Parser(
        prog="beamgdb", usage=USAGE, description="GDB with the extension that shows Erlang.", epilog=EXAMPLES,
        formatter_class=layout,
    )  # fmt: skip
    found.add_argument("--gdb", metavar="GDB", help=f"the GDB to run (default: {', else '.join(GDBS)})")
    found.add_argument(
        "--print-loader", action="store_true", help="print the path of the script that loads the extension"
    )
    found.add_argument("--version", action="store_true", help="print the versions of beamgdb and GDB")
    commands = found.add_subparsers(prog="beamgdb", title="commands", metavar="COMMAND", dest="command")
    for name, (summary, module) in COMMANDS.items():
        own = commands.add_parser(name, help=summary, description=module.DESCRIPTION)
        module.arguments(own)
    return found


@dataclass(frozen=True)
class CommandLine:
    """A command line of GDB, with the environment of what it runs."""

    words: list[str]
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def gdb_command(arguments: Sequence[str]) -> list[str]:
    """The GDB command line for those arguments of `beamgdb` that are GDB's, and `--gdb`. Raises LookupError when there
    is no GDB to run."""
    wanted, rest = _split(arguments)
    # -ix, not -x: GDB attaches and reads the core before it reads -x files.
    return [_gdb(wanted), "-ix", str(LOADER), *rest]


def command_line(arguments: Sequence[str]) -> CommandLine:
    """How to run GDB for the arguments of `beamgdb`. Raises LookupError and `NotStarted` when that cannot be done."""
    _, rest = _split(arguments)
    before = gdb_options.split(rest)
    at = len(arguments) - len(rest) + before.length
    if at == len(arguments) or not erlang_start.is_meant(arguments[at]):
        return CommandLine(gdb_command(arguments))
    program = arguments[at]
    if "args" in before.options:
        name = Path(program).name
        raise LookupError(f"{program} is a script, no program: `beamgdb {name} ARGS` starts what it starts")
    start = erlang_start.start(program, arguments[at + 1 :])
    erlang_start.start_epmd(start)
    own = ("-ex", "run", "--args", start.program, *start.arguments)
    return CommandLine(gdb_command([*arguments[:at], *own]), start.environment)


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Names of the GDBs that are wanted, and the other arguments."""
    rest = list(arguments)
    if rest[:1] == ["--gdb"]:
        if len(rest) < 2:
            raise LookupError("--gdb needs the name of a GDB")
        return (rest[1],), rest[2:]
    if rest and rest[0].startswith("--gdb="):
        return (rest[0].removeprefix("--gdb="),), rest[1:]
    return GDBS, rest


def _gdb(wanted: Sequence[str]) -> str:
    found = next((path for path in map(shutil.which, wanted) if path), None)
    if found is None:
        raise LookupError(f"no {' or '.join(wanted)} on this machine")
    return found


def _version(wanted: Sequence[str]) -> str:
    gdb = subprocess.run([_gdb(wanted), "--version"], stdout=subprocess.PIPE, text=True, check=False)
    return f"beamgdb {__version__}\n{gdb.stdout.partition(chr(10))[0]}\n"


def main() -> int:
    """Become GDB; returns only when it cannot, or has printed what was asked for, with an exit status."""
    return complete("beamgdb", _act, (LookupError, erlang_start.NotStarted, NoAnswer, pack.NoPack, perf_map.NoMap))


def _act() -> int:
    """Print what is asked for, or become GDB."""
    arguments = sys.argv[1:]
    wanted, rest = _split(arguments)
    if rest[:1] and rest[0] in COMMANDS:
        return _run(COMMANDS[rest[0]][1], wanted, parser().parse_args(rest))
    options = gdb_options.split(rest).options
    if rest == ["--print-loader"]:
        print(LOADER)
    elif {"help", "h"} & set(options):
        parser().print_help()
    elif {"version", "v"} & set(options):
        print(_version(wanted), end="")
    else:
        command = command_line(arguments)
        os.execve(command.words[0], command.words, dict(command.environment))
    return 0


def _run(module: ModuleType, wanted: Sequence[str], parsed: Namespace) -> int:
    """The exit status of one of the commands. A pack is made without GDB too."""
    if module is pack and not any(map(shutil.which, wanted)):
        return pack.run(None, parsed)
    status: int = module.run(Gdb(_gdb(wanted), LOADER), parsed)
    return status
