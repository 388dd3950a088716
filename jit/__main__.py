"""The command line: ``python -m jit COMMAND ...``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

if sys.version_info < (3, 11):
    sys.exit("jit: Python 3.11 or later is needed; this one is {}.{}".format(*sys.version_info[:2]))

from jit.commands import adopt, compile, coverage, dump, elf, glue, run
from jit.commands.arguments import PROGRAM
from jit.commands.errors import EXPECTED
from jit.commands.targets import ERTS
from jit.system.command_line import Paragraphs, Parser, complete, listed

_DESCRIPTION = f"""\
Compile BEAM bytecode to native code for 32-bit ARM, which runs inside Debian's unmodified Erlang/OTP \
{listed(ERTS.releases, "and")}, or in AtomVM."""

_EPILOG = f"""\
`{PROGRAM} COMMAND --help` tells of a command, with examples. The exit status is 0, or 1 after an error, or 2 for
a wrong command line; of `run` it is the program's own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status. An error is told in one line."""

    def act() -> int:
        options = _parser().parse_args(arguments)
        status: int = options.run(options)
        return status

    return complete("jit", act, EXPECTED)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog=PROGRAM, description=_DESCRIPTION, epilog=_EPILOG, formatter_class=Paragraphs)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (compile, run, dump, coverage, elf, glue, adopt):
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
