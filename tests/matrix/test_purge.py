"""Who is in old code, as the node itself has answered for each process of aging.erl."""

from __future__ import annotations

import json
import re

import pytest

from tests.matrix.conftest import Scene
from tests.views.listed import table

pytestmark = pytest.mark.no_frames


def test_what_the_node_says_of_each(scene: Scene) -> None:
    text = scene.gdb.cmd("beam-purge -json")
    rows = json.JSONDecoder().raw_decode(text)[0]
    answers = dict(re.findall(r"^old (<\S+>) (true|false)\r?$", scene.said, re.M))
    assert sorted(answers.values()) == ["false", "false", "true", "true"]
    found = {row["pid"]: (row["module"], row["how"], row["place"]) for row in rows}
    assert set(found) == {pid for pid, answer in answers.items() if answer == "true"}
    assert sorted(found.values()) == [
        ("aged", "goes on there", "aged:waits/1"), ("aged", "returns there", "aged:calls/1"),
    ]  # fmt: skip
    assert re.findall(r"^old_module (\w+)\r?$", scene.said, re.M) == ["aged"]
    assert "Modules with old code: aged\n" in text


def test_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-purge")
    assert max(map(len, text.splitlines())) < 80
    assert {row["OLD MODULE"] for row in table(text) if row["PID"].startswith("<")} == {"aged"}
