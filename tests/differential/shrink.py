"""The smallest source that still shows a difference."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from tests.differential.generator.module import Source
from tests.differential.tree import Node, simple_texts, simpler, with_simple
from tests.differential.workshop import Outcome, Workshop

#: Sources to try.
_TRIES = 600


def shrink(source: Source, outcome: Outcome, workshop: Workshop, *, stress: bool = False) -> tuple[Source, Outcome]:
    """Take out whatever does not matter, as long as there is something that does not: whole functions first."""
    work = _Shrinking(source, outcome, workshop, stress)
    work.functions()
    while work.parts():
        pass
    return work.source, work.outcome


class _Shrinking:
    """The smallest source so far, and what became of it."""

    def __init__(self, source: Source, outcome: Outcome, workshop: Workshop, stress: bool) -> None:
        self.source, self.outcome = source, outcome
        self._workshop, self._stress = workshop, stress
        self._left = _TRIES
        self._kind = outcome.wrong[0].split(" ")[0]

    def functions(self) -> None:
        """Functions that do nothing: many at once, then fewer."""
        names = simple_texts(self.source.tree)
        size = len(names)
        while size:
            for begin in range(0, len(names), size):
                self._try(with_simple(self.source.tree, names[begin : begin + size]))
            size //= 2

    def parts(self) -> bool:
        """Simpler parts, one after the other; whether there are any, and tries left."""
        before, start = self.source, 0
        while True:
            for number, tree in enumerate(islice(simpler(self.source.tree), start, None), start):
                if self._try(tree):
                    start = number  # what comes before it was tried already
                    break
                if self._left <= 0:
                    return False
            else:
                return self.source is not before

    def _try(self, tree: Node) -> bool:
        self._left -= 1
        smaller = replace(self.source, tree=tree)
        (outcome,) = self._workshop.run([smaller], stress=self._stress)
        wrong = any(line.startswith(self._kind) for line in outcome.wrong)
        if wrong:
            self.source, self.outcome = smaller, outcome
        return wrong
