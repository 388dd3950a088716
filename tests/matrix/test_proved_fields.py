"""Fields that are proved on the VM itself, as if there were no table of its release: none is wrong, and with them all
that is shown is the same, or says what is unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.matrix.conftest import Scene

PROVE = Path(__file__).with_name("prove_fields.py")
FORGET = "python from beamgdb.gdbext import session; session.drop(gdb.selected_inferior().num)"

COMMANDS = (
    "bt", "beam-bt", "beam-bt init", "beam-bt busy", "beam-bt terms_holder", "beam-bt all -limit 3", "eterm 15",
    "eterm argument", "beam-disas lists:map/2",
)  # fmt: skip

UNKNOWN = re.compile(r"<[^<>]*: layout unknown>")


def said(scene: Scene) -> list[str]:
    """What the commands print, line by line."""
    return [line for command in COMMANDS for line in scene.gdb.cmd(command).splitlines()]


@pytest.fixture
def hidden(scene: Scene) -> Iterator[tuple[list[str], dict[str, Any], Scene]]:
    """What the commands print with the table; then the session goes on without it."""
    before = said(scene)
    report = scene.gdb.cmd(f"source {PROVE}")
    yield before, json.loads(report), scene
    scene.gdb.cmd(FORGET)


def test_without_its_table(hidden: tuple[list[str], dict[str, Any], Scene]) -> None:
    before, report, scene = hidden
    assert report["wrong"] == []
    assert len(report["unknown"]) <= report["wanted"] // 10, report["unknown"]
    after = said(scene)
    assert len(after) == len(before)
    for line, now in zip(before, after, strict=True):
        pattern = ".*".join(map(re.escape, UNKNOWN.split(now)))
        assert re.fullmatch(pattern, line), (line, now)
    assert re.search(r"^layouts: +\d+ fields proved on this target", scene.gdb.cmd("beam-info"), re.M)
    assert re.search(r"^Atom: proved by 64 atoms\n    slot.index len name$", scene.gdb.cmd("beam-info -layout"), re.M)
