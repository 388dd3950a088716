"""The command line: ``python -m jit COMMAND ...``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from beamgdb.command_line import complete
from jit.commands import compile, coverage, dump, elf, glue, run
from jit.commands.arguments import PROGRAM
from jit.commands.errors import EXPECTED, told

_DESCRIPTION = """\
Compile BEAM bytecode to native code for 32-bit ARM, which runs inside Debian's unmodified Erlang/OTP 25 and 27."""

_EPILOG = f"""\
`{PROGRAM} COMMAND --help` tells of a command, with examples. The exit status is 0, or 1 after an error, or 2 for
a wrong command line; of `run` it is the program's own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status. An error is told in one line."""

    def act() -> int:
        options = _parser().parse_args(arguments)
        status: int = options.run(options)
        return status

    try:
        return complete(act)
    except KeyboardInterrupt:
        print("jit: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    except EXPECTED as error:
        print(f"jit: {told(error)}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog=PROGRAM, description=_DESCRIPTION, epilog=_EPILOG, formatter_class=layout)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (compile, run, dump, coverage, elf, glue):
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
