"""Who holds a binary, by the one that population.erl shares."""

from __future__ import annotations

import json
import re

import pytest

from tests.matrix.conftest import Scene
from tests.views.listed import table

pytestmark = pytest.mark.no_frames

SIZE = 1234567


def test_all_holders_of_a_binary(scene: Scene) -> None:
    said = re.search(r"^binary (\S+) (\S+) (<[\d.]+>)", scene.said, re.M)
    assert said
    holder, told, inside = said.groups()
    (row,) = json.loads(scene.gdb.cmd(f"beam-binaries -json -where size={SIZE}"))
    assert row["references"] == row["found"]
    held = dict(re.findall(r"((?:ETS )?[^\s,]+)(?: \((\d+) times\))?", row["holders"]))
    assert held[told] == "3"
    assert set(held) == {holder, told, inside, "ETS t_holds_part"}
    assert row["binary"] in scene.gdb.cmd(f"beam-binaries -where holders~{inside}")


def test_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-binaries -limit 5")
    assert max(map(len, text.splitlines())) < 80
    rows = table(text)
    sizes = [int(row["SIZE"]) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] >= SIZE
    assert all(int(row["FOUND"]) <= int(row["REFERENCES"]) for row in rows)
