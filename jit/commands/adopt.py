"""``adopt``: a build of beam.smp that hides its symbols, made known to the glue."""

from __future__ import annotations

import argparse
from pathlib import Path

from jit.commands import arguments
from jit.erts.hidden import builds
from jit.system.command_line import say

_DESCRIPTION = """\
Make a build of OTP 29's beam.smp for 32-bit ARM known, which hides its symbols: find in the file what native code and
the glue need of it, and keep that by the file's build id. A glue that is built from then on (`{program} glue`) knows
the build; one that does not runs everything interpreted, and says so. The builds of Debian are known already.

  {program} adopt build/erts-17.1.1/bin/beam.smp
  {program} glue -o native"""


def add_to(commands: arguments.Commands) -> None:
    """Declare the command."""
    parser = arguments.add(commands, "adopt", "make a beam.smp known that hides its symbols", _DESCRIPTION)
    parser.add_argument("beam", metavar="BEAM", type=Path, help="beam.smp for 32-bit ARM, stripped or not")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look at it."""
    build, path = builds.adopt(options.beam)
    say(f"{options.beam}: erts {build.erts}, build id {build.build_id}: {len(build.places)} places, kept in {path}\n")
    return 0
