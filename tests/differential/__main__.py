"""Compare native code with the interpreter on random modules: ``python -m tests.differential --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jit.codegen.emitters import EMITTERS
from tests.differential.generator.module import Source, generate
from tests.differential.shrink import shrink
from tests.differential.workshop import Outcome, Workshop, report


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if there is a difference."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="differential-") as folder:
        return _run(options, options.keep or Path(folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first module (%(default)s)")
    parser.add_argument("--count", type=int, default=100, help="how many modules (%(default)s)")
    parser.add_argument("--otp", type=int, choices=(25, 27), default=27, help="release (%(default)s)")
    parser.add_argument("--stress", action="store_true", help="collect garbage and yield wherever that can happen")
    parser.add_argument("--shrink", metavar="N", type=int, default=0, help="make the first N wrong modules small")
    parser.add_argument("--text", action="store_true", help="print the sources, and run nothing")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="write all files there, and leave them")
    return parser


def _run(options: argparse.Namespace, folder: Path) -> int:
    sources = [generate(seed, options.otp) for seed in range(options.seed, options.seed + options.count)]
    if options.text:
        for source in sources:
            print(source.text())
        return 0
    total = Total()
    began = time.monotonic()
    with Workshop(folder, options.otp, stress=options.stress) as workshop:
        wrong = []
        for source, outcome in zip(sources, workshop.run(sources)):
            total.add(outcome)
            if outcome.wrong:
                _tell(source, outcome)
                wrong.append((source, outcome))
        for source, outcome in wrong[: options.shrink]:
            smaller, outcome = shrink(source, outcome, workshop)
            report(smaller.text())
            _tell(smaller, outcome)
    total.tell(time.monotonic() - began)
    return 1 if total.wrong else 0


def _tell(source: Source, outcome: Outcome) -> None:
    report(f"==== {source.name} [{source.options}]")
    for line in outcome.wrong[:12]:
        report(line[:2000])


class Total:
    """The sum of outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.wrong = 0
        self.interpreted: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.outcomes.append(outcome)
        self.wrong += bool(outcome.wrong)
        self.interpreted += outcome.interpreted
        self.operations += outcome.operations
        if outcome.refused:
            self.refused[outcome.refused] += 1

    def tell(self, seconds: float) -> None:
        """Print it."""
        native, functions, cases, values = (
            sum(getattr(one, name) for one in self.outcomes) for name in ("native", "functions", "cases", "values")
        )
        report(
            f"{len(self.outcomes)} modules, {native} of {functions} functions native"
            f" ({native / max(functions, 1):.1%}), {cases} calls, {values} of them gave a value,"
            f" {sum(self.refused.values())} modules not run, {self.wrong} with differences, {seconds:.0f} s"
        )
        for why, count in self.refused.most_common(8):
            report(f"{count:7}  not run: {why[:300]}")
        for what, count in self.interpreted.most_common(12):
            report(f"{count:7}  interpreted: {what}")
        report(f"emitters that were not used: {' '.join(sorted(EMITTERS.keys() - self.operations.keys()))}")


if __name__ == "__main__":
    sys.exit(main())
