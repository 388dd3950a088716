"""`python -m jit.otp.layouts BEAM`: add the layout table of a release."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from jit.otp.layouts.extract import CannotExtract, compare, extract, write_table
from jit.otp.layouts.layout import TABLES
from jit.system.command_line import Parser, complete


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(
        prog="python -m jit.otp.layouts",
        description="Write the table of field offsets of an Erlang VM, from the debug information of its beam.smp.",
    )
    parser.add_argument("beam", type=Path, help="beam.smp with debug information, or its separate debug file")
    parser.add_argument("--binary", type=Path, help="the stripped beam.smp that a separate debug file belongs to")
    parser.add_argument(
        "--like", type=Path, metavar="BEAM", help="the stripped beam.smp in use: tell how this build's config.h differs"
    )
    parser.add_argument("--otp", metavar="VERSION", help="patch release of OTP, as 25.2.3 (default: from OTP_VERSION)")
    parser.add_argument("-o", "--output", type=Path, default=TABLES, metavar="DIR", help="default: the built-in tables")

    def act() -> int:
        options = parser.parse_args(arguments)
        for line in compare(options.binary or options.beam, options.like) if options.like else ():
            print(f"config.h: {line}", file=sys.stderr)
        print(write_table(extract(options.beam, options.binary, options.otp), options.output))
        return 0

    return complete(parser.prog, act, (CannotExtract,))


if __name__ == "__main__":
    sys.exit(main())
