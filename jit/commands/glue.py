"""``glue``: what a node needs to run native code."""

from __future__ import annotations

import argparse
from pathlib import Path

from jit.arm32.cpus import ARMV7_A, CPUS
from jit.commands import arguments
from jit.erts.boot import write_boot
from jit.erts.glue import build

_DESCRIPTION = """\
Build what a node loads to run native code: the library native.so, by Debian's cross compiler (package
gcc-arm-linux-gnueabihf; erl_nif.h is in erlang-dev), and the module native, by erlc. They serve each release. For an
ARMv6, such as a Raspberry Pi Zero, say --cpu arm1176 here too.

  {program} glue -o native
  erl -pa native -s native -s my_module

Modules that a node needs before it can load the glue like that, those of kernel and stdlib, run natively if the node
is started by a boot script that loads the glue first. --boot makes one from that of the release:

  {program} glue -o native --boot ROOT/bin/start.boot
  {program} compile -o native ROOT/lib/kernel-*/ebin ROOT/lib/stdlib-*/ebin
  erl -boot native/native -pa native"""


def add_to(commands: arguments.Commands) -> None:
    """Declare the command."""
    parser = arguments.add(commands, "glue", "build what a node needs to run native code", _DESCRIPTION)
    text = "where to write it; made if it is not there (default: the current folder)"
    parser.add_argument("-o", dest="out", metavar="DIR", type=Path, default=Path(), help=text)
    arguments.add_cpu(parser)
    text = "write a boot script DIR/native.boot too: the given one, and the glue"
    parser.add_argument("--boot", metavar="FILE", type=Path, help=text)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build it."""
    build(options.out, CPUS[options.cpu] if options.cpu else ARMV7_A)
    if options.boot:
        write_boot(options.boot, options.out)
    return 0
