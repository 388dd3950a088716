"""Terms on heaps, counted by their shapes, compared with what the processes of population.erl have made."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.harness.gdb import one_line_error
from tests.harness.targets import TARGETS
from tests.matrix.conftest import Scene
from tests.views.listed import table

pytestmark = pytest.mark.no_frames

#: For one node of each target: what is alike however it is looked at.
ONCE = pytest.mark.scenes(*((target, target.modes[-1]) for target in TARGETS))

COUNTED_ELSEWHERE = r"(?:\((?:binary|resource): \d+ count more references than were found.*\)\n)*"
# The node runs when it is stopped: something may be changing at that moment.
PASSED_OVER = (
    r"(?:; (?:one process is|\d+ processes are) being collected, made or ended, and passed over)?"
    r"(?:; (?:one table is|\d+ tables are) being changed, and passed over)?"
)


def rows(scene: Scene, arguments: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        re.sub(r"^\(.*\)$", "", scene.gdb.cmd(f"beam-heap -json {arguments}"), flags=re.M)
    )
    return found


def pid(scene: Scene, kind: str) -> str:
    said = re.search(rf"^process (\S+) kind {kind}\r?$", scene.said, re.M)
    assert said
    return said[1]


def counts(scene: Scene, arguments: str) -> dict[tuple[str, str], int]:
    return {(row["kind"], row["shape"]): row["count"] for row in rows(scene, arguments)}


def test_what_a_process_has_made(scene: Scene) -> None:
    """The numbers are those of shapes/0; a hash map of 40 keys has a cell for each, beside those of the lists."""
    found = counts(scene, pid(scene, "shapes"))
    assert found["tuple", "{shape,_,_}"] == found["float", ""] == 100
    maps = {shape: count for (kind, shape), count in found.items() if kind == "map"}
    (keys,) = [shape for shape in maps if "shape_key => _" in shape]
    assert '"other" => _' in keys
    assert maps == {keys: 50, "32 to 63 keys": 3}
    assert found["binary outside", "512 to 1023 bytes"] == 20
    assert found["binary", "up to 32 bytes"] == 25
    assert [count for (kind, shape), count in found.items() if kind == "fun" and "<population." in shape] == [30]
    assert sum(count for (kind, _), count in found.items() if kind == "integer") == 10
    assert found["reference", ""] == 15
    assert found["tuple", "{_,_}"] == 3 * 40
    lists = 100 + 50 + 3 + 20 + 25 + 30 + 10 + 15 + 8
    assert found["list", "cell"] == lists + 3 * 40
    (outside,) = [row["outside"] for row in rows(scene, f"-where outside>0 {pid(scene, 'shapes')}")]
    assert outside == 20 * 1000


def test_bytes_are_those_that_the_node_counts(scene: Scene) -> None:
    word = 4 if scene.target.arch == "armhf" else 8
    said = dict(re.findall(r"^process (\S+) words (\d+)\r?$", scene.said, re.M))
    assert len(said) > 10
    for one, words in said.items():
        assert sum(row["heaps"] for row in rows(scene, one)) == int(words) * word, one


def test_messages_are_counted_apart(scene: Scene) -> None:
    (row,) = rows(scene, f"-where messages>0 {pid(scene, 'off_heap')}")
    assert (row["shape"], row["count"], row["heaps"]) == ("{number,_}", 3, 0)


@ONCE
def test_heaps_that_are_alike(scene: Scene) -> None:
    """What is known of them is no other than what each shows."""
    whole = rows(scene)
    scene.gdb.cmd("python from beamgdb.vm import heap_walk; kept = heap_walk.PATTERN_WORDS")
    try:
        scene.gdb.cmd("python heap_walk.PATTERN_WORDS = range(0)")
        assert rows(scene) == whole
    finally:
        scene.gdb.cmd("python heap_walk.PATTERN_WORDS = kept")


@ONCE
def test_more_shapes_than_are_told_apart(scene: Scene) -> None:
    """No byte gets lost, nor a thing; that it is one of others is said."""
    shapes = pid(scene, "shapes")
    every, each = rows(scene, shapes), counts(scene, shapes)
    scene.gdb.cmd("python from beamgdb.vm import heap_shapes; most = heap_shapes.MAX_SHAPES")
    try:
        scene.gdb.cmd("python heap_shapes.MAX_SHAPES = 0")
        few, counted = rows(scene, shapes), counts(scene, shapes)
    finally:
        scene.gdb.cmd("python heap_shapes.MAX_SHAPES = most")
    for kind in {row["kind"] for row in every}:
        assert sum(row["bytes"] for row in few if row["kind"] == kind) == sum(
            row["bytes"] for row in every if row["kind"] == kind
        ), kind
    (keys,) = [shape for kind, shape in each if kind == "map" and "shape_key => _" in shape]
    assert counted["map", "others, 2 of them"] == each["map", keys] == 50
    assert counted["fun", "others"] == sum(count for (kind, _), count in each.items() if kind == "fun")


@pytest.mark.all_memory
def test_everything(scene: Scene) -> None:
    """In all there is no less than in one process, and of each place something."""
    whole = rows(scene)
    (row,) = [row for row in whole if row["shape"] == "{shape,_,_}"]
    assert (row["count"], row["owner"]) == (100, pid(scene, "shapes"))
    for place in ("heaps", "ets", "literals"):
        assert sum(row[place] for row in whole) > 10_000
    assert sum(row["messages"] for row in whole) > 0
    assert all(row["bytes"] == sum(row[place] for place in ("heaps", "messages", "ets", "literals")) for row in whole)
    (large,) = [row for row in whole if row["outside"] >= 1234567]
    assert large["largest"] == 1234567
    assert ("xxx" if scene.target.otp < 27 else "binary ref") in scene.gdb.cmd(f"eterm -boxed {large['address']}")


def test_things_one_by_one(scene: Scene) -> None:
    off_heap = pid(scene, "off_heap")
    things = rows(scene, f"-things {off_heap}")
    assert [row["term"] for row in things if row["area"] == "message"] == [f"{{number,{n}}}" for n in (1, 2, 3)]
    assert "{kind,off_heap}" in [row["term"] for row in things]
    for row in rows(scene, f"-things -limit 50 {pid(scene, 'shapes')}"):
        # (A part of a large map is no term of its own.)
        assert "<" not in re.sub(r"<<|>>|#Fun<|#Ref<|<0\.\d+\.0>|<map 0x\w+>", "", row["term"]), row


def test_text(scene: Scene) -> None:
    text = scene.on_a_terminal(f"beam-heap -limit 5 {pid(scene, 'shapes')}")
    assert max(map(len, text.splitlines())) < 80
    sizes = [int(row["BYTES"]) for row in table(text)]
    assert sizes == sorted(sizes, reverse=True)
    assert re.search(r"^\(\d+ bytes of terms\)$", text, re.M)
    assert "begin no term" not in text
    assert one_line_error(scene.gdb, "beam-heap -things").startswith("beam-heap: -things is for one process")
    assert "no process" in one_line_error(scene.gdb, "beam-heap nobody")


def test_nothing_is_wrong(scene: Scene) -> None:
    one = scene.gdb.cmd(f"beam-verify {pid(scene, 'shapes')}")
    assert re.fullmatch(r"nothing wrong in \d heaps, \d{4,} bytes\n", one), one


@pytest.mark.all_memory
def test_nothing_is_wrong_anywhere(scene: Scene) -> None:
    """Of all that lies on the heaps of a node that is well, whatever its processes are doing: nor is anything counted
    less often than it is held. More often it may be, as by C code."""
    said = scene.gdb.cmd("beam-verify")
    walked = r"nothing wrong in \d{3,} heaps, \d{6,} bytes"
    assert re.fullmatch(COUNTED_ELSEWHERE + walked + PASSED_OVER + r"\n", said), said
