"""Locks: of a node that stands in a native function the process that runs there has its main lock, and no more."""

from __future__ import annotations

import json

import pytest

from tests.matrix.conftest import Scene
from tests.views.listed import table

pytestmark = pytest.mark.no_frames


def test_the_main_lock_of_who_runs(scene: Scene) -> None:
    said = scene.gdb.cmd("beam-locks -json")
    (row,) = json.loads(said)
    (scheduler,) = json.loads(scene.gdb.cmd("beam-schedulers -json -where state=running"))
    assert (row["lock"], row["of"], row["state"], row["waits"]) == ("main", scheduler["runs"], "held", None)
    assert row["holder"] == f"{scheduler['runs']}, scheduler {scheduler['scheduler']}"
    assert row["thread"] == scheduler["thread"]


def test_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-locks")
    # Nothing is said to be unknown.
    assert len(text.splitlines()) == 2
    (row,) = table(text)
    assert (row["LOCK"], row["STATE"]) == ("main", "held")
