"""Fields that are proved on the VM itself, as if there were no table of its release: none is wrong, and with them all
that is shown is the same, or says what is unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.matrix.conftest import Scene

PROVE = Path(__file__).with_name("prove_fields.py")
RESTORE = "python restore()"

COMMANDS = (
    "bt", "beam-bt", "beam-bt init", "beam-bt busy", "beam-bt terms_holder", "beam-bt all -limit 3", "eterm 15",
    "eterm argument", "beam-disas lists:map/2",
)  # fmt: skip

NAMES_ARE_TERMS = 29
"""From this release on the atom table is not known without a table of fields."""

UNKNOWN = re.compile(r"<[^<>]*: layout unknown>")


def said(scene: Scene) -> list[str]:
    """What the commands print, line by line."""
    return [line for command in COMMANDS for line in scene.gdb.cmd(command).splitlines()]


@pytest.fixture
def hidden(scene: Scene) -> Iterator[tuple[list[str], str, Scene]]:
    """What the commands print with the table, and what is told when the session is to go on without it."""
    before = said(scene)
    yield before, scene.gdb.cmd(f"source {PROVE}", check=False), scene
    scene.gdb.cmd(RESTORE)


def test_without_its_table(hidden: tuple[list[str], str, Scene]) -> None:
    before, told, scene = hidden
    if scene.target.otp >= NAMES_ARE_TERMS:
        assert re.search(r"NoLayout: \S+ is not proved", told)
        return
    report = json.loads(told)
    assert report["wrong"] == []
    assert len(report["unknown"]) <= report["wanted"] // 10, report["unknown"]
    after = said(scene)
    assert len(after) == len(before)
    for line, now in zip(before, after, strict=True):
        pattern = ".*".join(map(re.escape, UNKNOWN.split(now)))
        assert re.fullmatch(pattern, line), (line, now)
    assert re.search(r"^layouts: +\d+ fields proved on this target", scene.gdb.cmd("beam-info"), re.M)
    assert re.search(r"^Atom: proved by 64 atoms\n    slot.index len name$", scene.gdb.cmd("beam-info -layout"), re.M)
