"""What came out of many modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from jit.erts.arm32.emitters import EMITTERS
from tests.differential.workshop import Outcome


class Total:
    """The sum of outcomes."""

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self.modules = self.functions = self.native = self.cases = self.values = 0
        self.wrong: list[Outcome] = []
        self.refused: Counter[str] = Counter()
        self.interpreted: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        for outcome in outcomes:
            self.add(outcome)

    def add(self, one: Outcome) -> None:
        """One more."""
        self.modules += 1
        self.functions += one.functions
        self.native += one.native
        self.cases += one.cases
        self.values += one.values
        self.interpreted += one.interpreted
        self.operations += one.operations
        if one.wrong:
            self.wrong.append(one)
        if one.refused:
            self.refused[one.refused] += 1

    @property
    def share(self) -> float:
        """The share of functions that have native code."""
        return self.native / max(self.functions, 1)

    def text(self) -> str:
        """All of it."""
        unused = sorted(EMITTERS.keys() - self.operations.keys())
        return "\n".join(
            (
                f"{self.modules} modules, {self.native} of {self.functions} functions native ({self.share:.1%}), "
                f"{self.cases} calls, {self.values} of them gave a value; "
                f"{self.refused.total()} modules not run, {len(self.wrong)} wrong",
                *(f"{count:7}  not run: {why[:300]}" for why, count in self.refused.most_common(8)),
                *(f"{count:7}  interpreted: {what}" for what, count in self.interpreted.most_common(12)),
                f"emitters without a use: {' '.join(unused)}",
            )
        )
