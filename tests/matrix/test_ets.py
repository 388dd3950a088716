"""ETS tables and their objects, compared with what the node says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.gdb import one_line_error
from tests.harness.targets import TARGETS, Target
from tests.matrix import test_heap
from tests.matrix.conftest import PATIENCE, STAGE, Scene, stopped_in_c
from tests.matrix.test_refs import holders
from tests.views.listed import table

#: What ets:info/2 calls it, and the column.
COLUMNS = {"name": "name", "type": "type", "protection": "protection", "size": "objects", "owner": "owner"}


@pytest.fixture(scope="module", params=TARGETS, ids=str)
def scene(request: pytest.FixtureRequest, ebin_for: Callable[[Target], Path]) -> Iterator[Scene]:
    """With two schedulers: where there is one, no table is made for concurrent writers. One of them is not online, for
    `test_run_queues_are_balanced`."""
    target: Target = request.param
    start = "tables:start(), stages:start()"
    with stopped_in_c(target, target.modes[0], ebin_for(target), start, STAGE, PATIENCE, "+S", "2:1") as one:
        yield Scene(target, target.modes[0], one.gdb, one.said)


def said(scene: Scene) -> dict[str, dict[str, list[str]]]:
    """What the node has said, by the identifier of the table."""
    found: dict[str, dict[str, list[str]]] = {}
    for identifier, key, value in re.findall(r"^table (#Ref<\S+>) (\w+) (.*?)\r?$", scene.said, re.M):
        found.setdefault(identifier, {}).setdefault(key, []).append(value)
    return found


def objects(scene: Scene, arguments: str) -> list[str]:
    return [str(text) for text in json.loads(scene.gdb.cmd(f"beam-ets-objects -json {arguments}"))]


def test_what_the_node_says_of_each(scene: Scene) -> None:
    rows = {row["id"]: row for row in json.loads(scene.gdb.cmd("beam-ets -json"))}
    word = 4 if scene.target.arch == "armhf" else 8
    expected = said(scene)
    assert len(expected) == 22
    for identifier, facts in expected.items():
        row = rows[identifier]
        for key, column in COLUMNS.items():
            assert str(row[column]) == facts[key][0], (facts, column)
        assert -(-row["memory"] // word) == int(facts["memory"][0]), facts


def test_counters_wherever_they_lie(scene: Scene) -> None:
    rows = json.loads(scene.gdb.cmd("beam-ets -json -where name=scattered"))
    assert [row["objects"] for row in rows] == [1] * 200
    assert len({row["memory"] for row in rows} - {None}) == 1


def test_objects(scene: Scene) -> None:
    """As tab2list has them; of a table that nobody else may read, as of one that has the same."""
    named = {facts["name"][0]: (identifier, facts) for identifier, facts in said(scene).items()}
    for identifier, facts in named.values():
        shown = objects(scene, f"-limit 10000 {identifier}")
        assert len(shown) == int(facts["size"][0])
        if "object" in facts:
            assert sorted(shown) == sorted(facts["object"])
    assert objects(scene, "t_private") == objects(scene, "t_set")
    for name in ("t_large_ordered", "t_large_catree"):
        assert objects(scene, f"-limit 10000 {name}") == [f"{{{n},{-n}}}" for n in range(1, 5001)]
    assert sorted(objects(scene, "t_shrunk -limit 10000")) == sorted(f"{{{n},{n}}}" for n in range(9, 9001, 9))
    assert objects(scene, "'a table'") == objects(scene, named["'a table'"][0])


def test_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-ets -where name~t_ -sort objects")
    assert max(map(len, text.splitlines())) < 80
    assert {row["NAME"]: row["OBJECTS"] for row in table(text)}["t_large"] == "5000"
    assert scene.gdb.cmd("beam-ets-objects t_large -limit 1").splitlines()[1] == "(4999 more objects: -limit 1)"
    said = one_line_error(scene.gdb, "beam-ets-objects nowhere")
    assert said.startswith("there is no ETS table 'nowhere' (`beam-ets` lists them)")


def test_elements_of_compressed_tables(scene: Scene) -> None:
    """Those that are packed are terms of all kinds (`test_objects` compares sets too); ordered tables have them in
    order."""
    tables = {facts["name"][0]: facts["object"] for facts in said(scene).values() if "object" in facts}
    for name in ("t_packed_ordered", "t_packed_catree"):
        assert objects(scene, f"-limit 100 {name}") == tables[name], name
    # So scripts have them.
    counted = "sum(len(one.elements) for one in beamgdb.api.node().table('t_compressed').objects())"
    assert scene.gdb.cmd(f"python import beamgdb.api; print({counted})") == "50\n"
    kinds = "{type(part).__name__ for one in beamgdb.api.node().table('t_packed').objects() for part in one.elements}"
    found = scene.gdb.cmd(f"python import beamgdb.api; print(*{kinds})").split()
    assert {"Pid", "Reference", "Fun", "Map", "Bitstring", "float"} < set(found)
    assert not {"Header", "UnknownBoxed"} & set(found)


def test_shapes_of_what_is_packed(scene: Scene) -> None:
    """What tables:shapes/0 has made is in two tables (and where the node has made the list of them that it says). Atoms
    take 3 bytes, numbers up to 255 take 2, tuples 2 and maps 5 besides what is in them; keys are as on a heap."""
    word = 4 if scene.target.arch == "armhf" else 8
    # (All of them are gone through: what is packed has terms of all kinds, and none is damaged.)
    assert "(missing" not in scene.gdb.cmd("beam-heap -limit 1")
    rows = test_heap.rows(scene, "-where ets>0")
    found = {(row["kind"], row["shape"]): row["ets"] for row in rows}
    assert found["tuple", "{packed_id,_}"] == 100 * 3 * word
    assert found["tuple", "{packed_shape,_,_}"] == 100 * (2 + 3 + 2)
    assert found["map", '#{packed_key => _,"other" => _}'] == 100 * (5 + 3 + 2)
    assert any(row["kind"] == "fun" and row["shape"].startswith("#Fun<tables.") and row["count"] >= 100 for row in rows)


def test_who_has_what_is_packed(scene: Scene) -> None:
    (maker,) = {text.rpartition(",")[2][:-1] for facts in said(scene).values() for text in facts.get("object", ())
                if "packed_shape" in text}  # fmt: skip
    # To OTP 26 a fun also knows who has made it.
    of_maker = {("object", "element 7"), *([("packed object", "element 5")] if scene.target.otp < 27 else [])}
    for name in ("t_shapes", "t_shapes_ordered"):
        rows = holders(scene, f"packed_id -where 'owner=ETS {name}'")
        assert [(row["in"], row["place"]) for row in rows] == [("key", "element 1")] * 50
        for atom, places in (
            ("inside_packed", {("packed object", "element 3")}),
            ("packed_key", {("packed object", "element 4")}),
            ("in_object", {("object", "element 6")}),
            (maker, of_maker),
        ):
            rows = holders(scene, f"{atom} -where 'owner=ETS {name}'")
            assert {(row["in"], row["place"]) for row in rows} == places, atom
            assert len(rows) == 50 * len(places)
            assert all(row["term"].startswith("{{packed_id,") for row in rows)


def test_who_has_a_binary_that_is_packed(scene: Scene) -> None:
    """It is in two objects, twice in one of them, and so is a part of it; another one is copied where that takes less
    room."""
    (row,) = (row for row in json.loads(scene.gdb.cmd("beam-binaries -json -where size=100 -where holders~t_packed")))
    for name in ("t_packed", "t_packed_ordered", "t_packed_catree"):
        rows = holders(scene, f"{row['binary']} -where 'owner=ETS {name}'")
        assert sorted(one["size"] for one in rows if one["size"] != 24) == [70] * 3 + [100] * 3
        assert f"ETS {name} ({len(rows)} times)" in row["holders"]


def test_run_queues_are_balanced(scene: Scene) -> None:
    """What comes to a scheduler that is not online goes to another one."""
    first, second = json.loads(scene.gdb.cmd("beam-schedulers -json"))[:2]
    assert (first["scheduler"], second["scheduler"]) == ("1", "2")
    assert [first[key] for key in ("emigrates", "immigrates", "evacuates")] == [None] * 3
    everything = "max, high, normal, low, ports: 1"
    assert [second[key] for key in ("emigrates", "immigrates", "evacuates")] == [everything, None, everything]
