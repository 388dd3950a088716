"""`python -m jit.signatures BUILD USED`: add the signatures of a build that has a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from jit.otp.layouts.extract import CannotExtract, extract
from jit.signatures.making import write
from jit.signatures.signature import TABLES
from jit.system.command_line import Parser, complete


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(
        prog="python -m jit.signatures",
        description="Write the signatures of functions that a beam.smp with debug information and a stripped one both "
        "have: those by the same compiler, of the same release or the next patch.",
    )
    parser.add_argument("build", type=Path, help="beam.smp with debug information")
    parser.add_argument("used", type=Path, help="the stripped beam.smp that people have")
    parser.add_argument("--otp", metavar="VERSION", help="patch release of OTP, as 25.2.3 (default: from OTP_VERSION)")
    parser.add_argument("-o", "--output", type=Path, default=TABLES, metavar="DIR", help="default: the built-in ones")

    def act() -> int:
        options = parser.parse_args(arguments)
        print(write(options.build, options.used, extract(options.build, None, options.otp), options.output))
        return 0

    return complete(parser.prog, act, (CannotExtract,))


if __name__ == "__main__":
    sys.exit(main())
