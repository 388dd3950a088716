"""The command `beamgdb`: GDB with this extension loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final, NoReturn

from beamgdb import __version__, core_file, erlang_start, gdb_options, pack, perf_map, report
from beamgdb.asked_gdb import Gdb, NoAnswer
from beamgdb.late import dataclass
from jit.system.command_line import Parser, complain, complete
from jit.system.file_names import is_file

LOADER = Path(__file__).resolve().parent / "loader.py"
#: The first that is installed is run; the multiarch one can also read cores of other machines.
GDBS = ("gdb-multiarch", "gdb")

SCREEN: Final = "--screen"

PATIENCE: Final = 20.0
"""Seconds in which a program says its version."""

USAGE = """beamgdb [--gdb GDB] [PID | CORE | NAME | HOST:PORT]
       beamgdb [--gdb GDB] --arch ARCH --otp N [-- ERL-ARGS]
       beamgdb [--gdb GDB] --screen GDB-OPTIONS ... | erl|iex|elixir|mix [ARGS]
       beamgdb [--gdb GDB] [GDB-OPTIONS] [PROGRAM CORE | PROGRAM PID | -p PID]
       beamgdb [--gdb GDB] [GDB-OPTIONS] erl|iex|elixir|mix [ARGS]
       beamgdb [--gdb GDB] report CORE [--json] [--program BEAM]
       beamgdb [--gdb GDB] pack CORE [-o FILE] [--program BEAM]
       beamgdb [--gdb GDB] symbols PID [-o FILE]
       beamgdb --print-loader"""

DESCRIPTION = """\
Erlang inside a stock BEAM, shown by GDB with the extension: on a full screen,
or at GDB's prompt."""

EXAMPLES = """\
examples:
  beamgdb                        choose from the nodes that run here and the
                                 core files in this folder, and see it on a
                                 full screen
  beamgdb PID                    the same for a running node; so NAME, by its
                                 -sname or -name
  beamgdb CORE                   the same for a core file, or what
                                 `beamgdb pack` has made of one
  beamgdb HOST:PORT              the same for what a remote stub has
  beamgdb --arch armhf --otp 27 -- -noinput -s my_module
                                 the same for a node of another architecture,
                                 from its first instruction on
  beamgdb --screen erl ARGS      the same for a node that `run` starts; so for
                                 whatever GDB is given: --args AtomVM FILE.beam
  beamgdb -p PID                 GDB's own prompt: attach to a running node
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
        prog="beamgdb", usage=USAGE, description=DESCRIPTION, epilog=EXAMPLES,
        formatter_class=layout,
    )  # fmt: skip
    found.add_argument("--gdb", metavar="GDB", help=f"the GDB to run (default: {', else '.join(GDBS)})")
    found.add_argument(
        "--arch", metavar="ARCH", help="the architecture of a node that is to be run: armhf, arm64 or amd64"
    )
    found.add_argument("--otp", metavar="N", type=int, help="its release of Erlang/OTP")
    found.add_argument(
        SCREEN, action="store_true", help="show what follows, as GDB takes it, on a full screen; must come first"
    )
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


def command_line(arguments: Sequence[str], *, runs: bool = True) -> CommandLine:
    """How to run GDB for the arguments of `beamgdb`; a node is begun at once if it `runs`. Raises LookupError and
    `NotStarted` when that cannot be done."""
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
    own = (*(("-ex", "run") if runs else ()), "--args", start.program, *start.arguments)
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
    if wanted is not GDBS and not _is_gdb(found):
        raise LookupError(f"{found} is no GDB")
    return found


def _is_gdb(path: str) -> bool:
    """Whether a program says that it is GDB."""
    try:
        said = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"gdb" in said.stdout.lower()


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
    elif _is_for_screen(rest):
        return _screen(Gdb(_gdb(wanted), LOADER), rest)
    else:
        command = command_line(arguments)
        os.execve(command.words[0], command.words, dict(command.environment))
    return 0


def _is_for_screen(rest: Sequence[str]) -> bool:
    """Whether one thing is named that is to be looked at, and no program for GDB; or nothing, on a terminal."""
    if not rest:
        return sys.stdin.isatty() and sys.stdout.isatty()
    if rest[0].partition("=")[0] in ("--arch", "--otp", SCREEN):
        return True
    if len(rest) > 1 or rest[0].startswith("-") or erlang_start.is_meant(rest[0]):
        return False
    path = Path(rest[0])
    return rest[0].isdecimal() or not path.is_file() or not core_file.is_program(path)


def _screen(gdb: Gdb, rest: Sequence[str]) -> int:
    """The exit status of the screen."""
    try:
        from beamgdb.screen import command
    except ModuleNotFoundError as error:
        raise LookupError(f"the screen needs Python packages ({error}): pip install prompt_toolkit pygdbmi") from None
    if rest[:1] == [SCREEN]:
        own = rest[1:]
        shown = own[gdb_options.split(own).length :] or own
        label = " ".join(Path(one).name if is_file(Path(one)) else one for one in shown)
        line = command_line(["--gdb", gdb.path, *own], runs=False)
        words = line.words[line.words.index(str(LOADER)) + 1 :]
        return command.run(command.of_line(gdb, words, line.environment, label))
    if rest and rest[0].startswith("--"):
        before = rest.index("--") if "--" in rest else len(rest)
        wanted = parser().parse_args(rest[:before])
        if not wanted.arch or not wanted.otp:
            raise LookupError(
                f"--arch {wanted.arch} also needs --otp, the release of Erlang/OTP" if wanted.arch
                else f"--otp {wanted.otp} also needs --arch, the architecture"
            )  # fmt: skip
        return command.run(command.sandboxed(gdb, wanted.arch, wanted.otp, rest[before + 1 :]))
    return command.run(command.named(gdb, rest[0] if rest else None))


def _run(module: ModuleType, wanted: Sequence[str], parsed: Namespace) -> int:
    """The exit status of one of the commands. A pack is made without GDB too."""
    if module is pack and not any(map(shutil.which, wanted)):
        return pack.run(None, parsed)
    status: int = module.run(Gdb(_gdb(wanted), LOADER), parsed)
    return status
