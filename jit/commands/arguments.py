"""Arguments that several commands have, and how their help looks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from jit.commands.targets import DEFAULT, ERTS
from jit.system.command_line import listed

PROGRAM: Final = "python -m jit"

FILES: Final = "a .beam file, or a folder: all those in it and in folders below"

#: What ``add_subparsers`` gives; argparse has no public name for it.
Commands = Any


def add(commands: Commands, name: str, summary: str, description: str, **options: Any) -> argparse.ArgumentParser:
    """A command. *summary* stands in the list of commands; *description* is its help, with ``{program}`` in it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description.format(program=PROGRAM),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    return parser


def add_release(parser: argparse.ArgumentParser) -> None:
    """The option ``--otp``."""
    there = ERTS.releases
    text = f"release of Erlang/OTP that is to run it: {listed(there, 'or')} (%(default)s)"
    parser.add_argument("--otp", type=int, choices=there, default=max(there), metavar="N", help=text)


def add_target(parser: argparse.ArgumentParser) -> None:
    """The options ``--target`` and ``--otp``."""
    text = f"what to compile for: {', '.join(ERTS.processors)} (%(default)s)"
    parser.add_argument("--target", type=_target, default=DEFAULT, metavar="NAME", help=text)
    add_release(parser)


def add_files(parser: argparse.ArgumentParser) -> None:
    """The arguments FILE|DIR, and the option ``--jobs``."""
    parser.add_argument("files", metavar="FILE|DIR", nargs="+", type=Path, help=FILES)
    text = "processes that work side by side (one for each processor)"
    parser.add_argument("-j", "--jobs", type=_count, metavar="N", help=text)


def _target(text: str) -> str:
    if text not in ERTS.processors:
        raise argparse.ArgumentTypeError(f"there is no target {text!r}; there is {', '.join(ERTS.processors)}")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"not a number from 1 on: {text}")
    return int(text)
