"""Compare native code with the interpreter on random modules: ``python -m tests.differential --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from jit.arm32.cpus import ARMV7_A, CPUS
from jit.erts.layout import RELEASES
from tests.differential.generator.module import Source, generate, mutated
from tests.differential.shrink import shrink
from tests.differential.total import Total
from tests.differential.workshop import Outcome, Workshop


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if there is a difference."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="differential-") as folder:
        return _run(options, options.keep or Path(folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first module (%(default)s)")
    parser.add_argument("--count", type=int, default=100, help="how many modules (%(default)s)")
    parser.add_argument("--otp", type=int, choices=RELEASES, default=27, help="release (%(default)s)")
    parser.add_argument("--cpu", choices=CPUS, default=ARMV7_A.name, help="processor to compile for (%(default)s)")
    parser.add_argument("--stress", action="store_true", help="collect garbage and yield wherever that can happen")
    parser.add_argument("--mutated", action="store_true", help="change what the compiler makes, into other valid code")
    parser.add_argument("--shrink", metavar="N", type=int, default=0, help="make the first N wrong modules small")
    parser.add_argument("--most", metavar="N", type=int, default=10, help="stop after N wrong modules (%(default)s)")
    parser.add_argument("--text", action="store_true", help="print the sources, and run nothing")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="write all files there, and leave them")
    return parser


def _run(options: argparse.Namespace, folder: Path) -> int:
    sources = [generate(seed, options.otp) for seed in range(options.seed, options.seed + options.count)]
    if options.mutated:
        sources = [mutated(source, options.seed + number) for number, source in enumerate(sources)]
    if options.text:
        for source in sources:
            print(source.text())
        return 0
    total = Total()
    began = time.monotonic()
    with Workshop(folder, options.otp) as workshop:
        wrong = []
        for source, outcome in zip(sources, workshop.run(sources, stress=options.stress, cpu=CPUS[options.cpu])):
            total.add(outcome)
            if outcome.wrong:
                _tell(source, outcome)
                wrong.append((source, outcome))
            if len(wrong) == options.most:
                report(f"no more than {options.most}")
                break
        for source, outcome in wrong[: options.shrink]:
            smaller, outcome = shrink(source, outcome, workshop, stress=options.stress)
            report(smaller.text())
            _tell(smaller, outcome)
    report(f"{total.text()}\n{time.monotonic() - began:.0f} s")
    return 1 if total.wrong else 0


def report(line: str) -> None:
    """Tell the user at once."""
    print(line, flush=True)


def _tell(source: Source, outcome: Outcome) -> None:
    report(f"==== {source.name} [{source.options}] without {sorted(source.without)}")
    for line in outcome.wrong[:12]:
        report(line[:2000])


if __name__ == "__main__":
    sys.exit(main())
