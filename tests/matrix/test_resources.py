"""Resources of NIFs, by those that holding.erl has made, whose addresses and sizes the NIF has told."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.matrix.conftest import Scene
from tests.matrix.test_refs import holders
from tests.views.listed import table

pytestmark = pytest.mark.no_frames


def said(scene: Scene) -> dict[int, dict[str, str]]:
    """What the node has said, by the address of the object."""
    found: dict[int, dict[str, str]] = {}
    for address, key, value in re.findall(r"^resource (\d+) (\w+) (.*?)\r?$", scene.said, re.M):
        found.setdefault(int(address), {})[key] = value
    return found


def listed(scene: Scene, arguments: str = "") -> list[dict[str, Any]]:
    # (What is said of those that are not found comes behind.)
    found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(scene.gdb.cmd(f"beam-resources -json {arguments}"))[0]
    return found


def test_what_the_node_says_of_each(scene: Scene) -> None:
    rows, expected = {int(row["resource"], 16): row for row in listed(scene)}, said(scene)
    kept = {address for address, facts in expected.items() if facts.get("kept") == "true"}
    assert len(kept) == 1
    assert len(expected) == 4
    # No term leads to what C code alone keeps.
    assert not kept & set(rows)
    for address, facts in expected.items():
        if address in kept:
            continue
        row = rows[address]
        assert (str(row["size"]), row["module"]) == (facts["size"], facts["module"])
        assert row["loaded"] == ("unloaded" if facts["module"] == "unloaded" else "yes")
        held = {facts["holder"]: "2" if "part" in facts else "", **({facts["told"]: "2"} if "told" in facts else {})}
        if "table" in facts:
            held[f"ETS {facts['table']}"] = ""
        assert dict(re.findall(r"((?:ETS )?[^\s,]+)(?: \((\d+) times\))?", row["holders"])) == held
        assert row["references"] == row["found"] == (4 if "told" in facts else 2 if "part" in facts else 1)
        assert int(row["destructor"].split()[0], 16) & ~1 == int(facts["destructor"]) & ~1
        assert f"{facts['module']}_nif.so" in row["destructor"]


def test_types(scene: Scene) -> None:
    rows = {(row["module"], row["type"]): row for row in listed(scene, "-types")}
    # The VM's own are registered as soon as it runs.
    assert rows["prim_file", "efile"]["loaded"] == "yes"
    ours = {name: row for name, row in rows.items() if name[0] in ("holding", "unloaded")}
    # A type that nothing is left of is gone with its library.
    assert set(ours) == {("holding", "plain"), ("holding", "'watching one'"), ("unloaded", "plain")}
    counts = {name: (row["resources"], row["found"], row["size"], row["loaded"]) for name, row in ours.items()}
    assert counts == {
        ("holding", "plain"): (2, 1, 100000, "yes"),
        ("holding", "'watching one'"): (1, 1, 2000, "yes"),
        ("unloaded", "plain"): (1, 1, 300, "unloaded"),
    }


def test_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-resources -where module=holding")
    assert max(map(len, text.splitlines())) <= 80
    rows = table(text)
    assert [(row["SIZE"], row["TYPE"][:6]) for row in rows] == [("100000", "plain"), ("2000", "'watch")]
    # What is typed again is not cut.
    assert all(re.fullmatch("0x[0-9a-f]+", row["RESOURCE"]) for row in rows)
    more = "kept by C code, by terms outside of processes and tables, or about to be destroyed"
    assert f"(1 more of holding:plain: {more})" in " ".join(text.split())
    (row,) = table(scene.on_a_terminal("beam-resources -types -where loaded=unloaded"))
    assert (row["MODULE"], row["TYPE"], row["RESOURCES"]) == ("unloaded", "plain", "1")


@pytest.mark.all_memory
def test_what_a_resource_may_hold(scene: Scene) -> None:
    """Its object has a pid, and a binary, of which only the NIF knows; who it watches the VM knows."""
    (address, facts) = next((address, facts) for address, facts in said(scene).items() if "watched" in facts)
    name, word = f"resource {address:#x} of holding:'watching one'", 4 if scene.target.arch == "armhf" else 8
    pid_at = -(-100 // word) * word
    found = [row for row in holders(scene, facts["watched"]) if row["owner"] == name]
    assert sorted((row["in"], row["address"]) for row in found if row["address"]) == [
        (f"may hold, at +{pid_at}", address + pid_at)
    ]
    assert [row["in"] for row in found if not row["address"]] == ["monitor"]
    # ErlNifBinary has size, bytes, and the binary.
    (row,) = holders(scene, facts["binary"])
    assert (row["owner"], row["in"]) == (name, f"may hold, at +{pid_at + 3 * word}")
    # Who holds the resource: a reference, and a binary that is a part of it.
    rows = [row for row in holders(scene, str(address)) if row["owner"] == facts["holder"]]
    assert "object" in {row["place"] for row in rows}
    assert int(facts["part"]) in {row["size"] for row in rows}
