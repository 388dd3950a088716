"""Arguments that several commands have, and how their help looks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from jit.commands.targets import DEFAULT, DEFAULT_RUNTIME, ERTS, RUNTIMES, Wanted
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


def add_release(parser: argparse.ArgumentParser, *, default: int | None = None) -> None:
    """The option ``--otp``."""
    there = ERTS.releases
    text = f"release of Erlang/OTP that is to run it: {listed(there, 'or')} ({max(there)})"
    parser.add_argument("--otp", type=int, choices=there, default=default, metavar="N", help=text)


def add_target(parser: argparse.ArgumentParser) -> None:
    """The options ``--runtime``, ``--target`` and ``--otp``."""
    text = f"what is to run it: {' or '.join(RUNTIMES)} (%(default)s)"
    parser.add_argument("--runtime", choices=RUNTIMES, default=DEFAULT_RUNTIME, metavar="NAME", help=text)
    text = f"the processor to compile for: {', '.join(_targets())} (%(default)s)"
    parser.add_argument("--target", type=_target, default=DEFAULT, metavar="NAME", help=text)
    add_release(parser)


def wanted(options: argparse.Namespace) -> Wanted:
    """What these options ask for."""
    return Wanted(options.target, options.otp, options.runtime, getattr(options, "dwarf", False))


def add_files(parser: argparse.ArgumentParser) -> None:
    """The arguments FILE|DIR, and the option ``--jobs``."""
    parser.add_argument("files", metavar="FILE|DIR", nargs="+", type=Path, help=FILES)
    text = "processes that work side by side (one for each processor)"
    parser.add_argument("-j", "--jobs", type=_count, metavar="N", help=text)


def _targets() -> list[str]:
    """Of all runtimes."""
    return list(dict.fromkeys(name for one in RUNTIMES.values() for name in one.processors))


def _target(text: str) -> str:
    if text not in _targets():
        raise argparse.ArgumentTypeError(f"there is no target {text!r}; there is {', '.join(_targets())}")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"not a number from 1 on: {text}")
    return int(text)
