"""Arguments that several commands have, and how their help looks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from jit.erts.layout import RELEASES

PROGRAM: Final = "python -m jit"
TARGETS: Final = ("arm32",)

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
    text = "release of Erlang/OTP that is to run it: 25 or 27 (%(default)s)"
    parser.add_argument("--otp", type=int, choices=RELEASES, default=27, metavar="N", help=text)


def add_target(parser: argparse.ArgumentParser) -> None:
    """The options ``--target`` and ``--otp``."""
    parser.add_argument("--target", choices=TARGETS, default="arm32", help="what to compile for (%(default)s)")
    add_release(parser)


def add_files(parser: argparse.ArgumentParser) -> None:
    """The arguments FILE|DIR, and the option ``--jobs``."""
    parser.add_argument("files", metavar="FILE|DIR", nargs="+", type=Path, help=FILES)
    text = "processes that work side by side (one for each processor)"
    parser.add_argument("-j", "--jobs", type=_count, metavar="N", help=text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"not a number from 1 on: {text}")
    return int(text)
