"""Arguments that several commands have, and how their help looks."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from jit.arm32.cpus import ARMV7_A
from jit.commands.targets import DEFAULT, DEFAULT_RUNTIME, ERTS, RUNTIMES, Wanted
from jit.system.command_line import Paragraphs, listed

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
        formatter_class=Paragraphs,
        **options,
    )
    return parser


def add_release(parser: argparse.ArgumentParser, *, default: int | None = None) -> None:
    """The option ``--otp``."""
    there = ERTS.releases
    text = f"release of Erlang/OTP that is to run it: {listed(there, 'or')} ({ERTS.usual})"
    parser.add_argument("--otp", type=int, choices=there, default=default, metavar="N", help=text)


def add_cpu(parser: argparse.ArgumentParser) -> None:
    """The option ``--cpu``."""
    there = {name: None for one in RUNTIMES.values() for cpus in one.cpus.values() for name in cpus}
    text = f"with the instructions that a processor has: {listed(tuple(there), 'or')} ({ARMV7_A.name})"
    parser.add_argument("--cpu", choices=tuple(there), metavar="NAME", help=text)


def add_target(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """The options ``--runtime``, ``--target``, ``--cpu`` and ``--otp``."""
    text = f"what is to run it: {' or '.join(RUNTIMES)} (%(default)s)"
    parser.add_argument("--runtime", choices=RUNTIMES, default=DEFAULT_RUNTIME, metavar="NAME", help=text)
    there = "; ".join(f"for {name} {listed(tuple(one.processors), 'or')}" for name, one in RUNTIMES.items())
    more = ", or several with commas between them" if several else ""
    text = f"the processor to compile for: {there}{more} (%(default)s)"
    parser.add_argument("--target", default=DEFAULT, metavar="NAME[,...]" if several else "NAME", help=text)
    add_cpu(parser)
    add_release(parser)


def wanted(options: argparse.Namespace) -> Wanted:
    """What these options ask for."""
    return Wanted(options.target, options.otp, options.runtime, getattr(options, "dwarf", False), options.cpu)


def each_wanted(options: argparse.Namespace) -> list[Wanted]:
    """The same of each target of several."""
    return [replace(wanted(options), target=name) for name in dict.fromkeys(options.target.split(","))]


def add_files(parser: argparse.ArgumentParser) -> None:
    """The arguments FILE|DIR, and the option ``--jobs``."""
    parser.add_argument("files", metavar="FILE|DIR", nargs="+", type=Path, help=FILES)
    text = "processes that work side by side (one for each processor)"
    parser.add_argument("-j", "--jobs", type=_count, metavar="N", help=text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"not a number from 1 on: {text}")
    return int(text)
