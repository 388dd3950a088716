"""The smallest source that still shows a difference."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from tests.differential.generator.module import Source
from tests.differential.tree import Node, simpler
from tests.differential.workshop import Outcome, Workshop

#: Seconds to spend.
_PATIENCE = 200.0


def shrink(source: Source, outcome: Outcome, workshop: Workshop) -> tuple[Source, Outcome]:
    """Take out whatever does not matter, as long as there is something that does not."""
    kind = outcome.wrong[0].split(" ")[0]
    deadline = time.monotonic() + _PATIENCE
    skip = 0
    while time.monotonic() < deadline:
        for number, tree in enumerate(_candidates(source, skip)):
            if time.monotonic() > deadline:
                break
            smaller = replace(source, tree=tree)
            (tried,) = workshop.run([smaller])
            if any(line.startswith(kind) for line in tried.wrong):
                source, outcome, skip = smaller, tried, skip + number
                break
        else:
            if not skip:
                break
            skip = 0  # what could not be left out at first perhaps can be now
    return source, outcome


def _candidates(source: Source, skip: int) -> Iterator[Node]:
    for number, tree in enumerate(simpler(source.tree)):
        if number >= skip:
            yield tree
