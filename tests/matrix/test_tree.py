"""The supervision tree, compared with what supervisors and processes of the node say."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from beamgdb.views.tree import NOT_SUPERVISED
from tests.matrix.conftest import Scene
from tests.matrix.test_processes import listed

pytestmark = pytest.mark.no_frames


def tree(scene: Scene, arguments: str = "") -> list[dict[str, Any]]:
    """What is shown, but for the line above those that belong to no application."""
    rows: list[dict[str, Any]] = json.loads(scene.gdb.cmd(f"beam-tree -json {arguments}"))
    return [row for row in rows if row["kind"] != NOT_SUPERVISED]


def test_what_supervisors_say_of_their_children(scene: Scene) -> None:
    said: dict[str, set[tuple[str | None, ...]]] = {}
    for supervisor, name, pid, kind, restart in re.findall(r"^child (<\S+>) (\S+) (\S+) (\w+) (\w+)", scene.said, re.M):
        # A child of a simple_one_for_one has no id; one that does not run no pid.
        child = (None if name == "undefined" else name, None if pid == "undefined" else pid, kind, restart)
        said.setdefault(supervisor, set()).add(child)
    assert len(said) >= 5
    assert sum(map(len, said.values())) > 100
    shown: dict[str, set[tuple[str | None, ...]]] = {}
    for row in tree(scene):
        if row["restart"] is not None:
            shown.setdefault(row["parent"], set()).add((row["id"], row["pid"], row["kind"], row["restart"]))
    assert shown == said


def test_all_processes_are_in_it_once(scene: Scene) -> None:
    pids = [row["pid"] for row in tree(scene) if row["pid"] is not None]
    assert sorted(pids) == sorted(listed(scene))


def test_supervisors(scene: Scene) -> None:
    rows = {row["name"]: row for row in tree(scene) if row["name"]}
    top, pool = rows["s_top"], rows["s_pool"]
    assert (top["kind"], top["strategy"], top["restarts"]) == ("supervisor", "one_for_one", 1)
    assert (pool["kind"], pool["strategy"], pool["restarts"]) == ("supervisor", "simple_one_for_one", 0)
    assert rows["s_empty"]["strategy"] == "rest_for_one"
    assert (rows["kernel_sup"]["application"], rows["kernel_sup"]["strategy"]) == ("kernel", "one_for_all")
    assert rows["logger_proxy"]["application"] == "kernel"
    assert rows["init"]["application"] is None
    (gone,) = (row for row in tree(scene) if row["id"] == "gone")
    assert (gone["pid"], gone["status"], gone["depth"]) == (None, "undefined", top["depth"] + 1)


def test_labels_and_ancestors(scene: Scene) -> None:
    rows, others = {row["pid"]: row for row in tree(scene)}, listed(scene)
    labels = dict(re.findall(r"^label (<\S+>) (.*?)\r?$", scene.said, re.M))
    assert bool(labels) is (scene.target.otp >= 27)
    # Some of these have ended since.
    alive = {pid: label for pid, label in labels.items() if pid in rows}
    assert {pid: row["label"] for pid, row in rows.items() if row["label"]} == alive
    assert {pid: row["label"] for pid, row in others.items() if row["label"]} == alive
    assert all(others[pid]["called"] == label for pid, label in alive.items())
    for pid in list(alive)[:1]:
        assert json.loads(scene.gdb.cmd(f"beam-process -json {pid}"))["label"] == alive[pid]
        assert re.search(rf"^  label: +{re.escape(alive[pid])}$", scene.gdb.cmd(f"beam-process {pid}"), re.M)
    for helper, parent in re.findall(r"^helper (<\S+>) (<\S+>)", scene.said, re.M):
        row = rows[helper]
        assert (row["parent"], row["kind"], row["depth"]) == (parent, "process", rows[parent]["depth"] + 1)


def test_the_text(scene: Scene) -> None:
    lines = scene.on_a_terminal("beam-tree -limit 10").splitlines()
    assert max(map(len, lines)) < 80
    assert re.match(r"kernel <\S+> +application_\S+ +application$", lines[1])
    assert re.match(r"    <\S+> +kernel_sup +supervisor$", lines[3])
    assert re.match(r"      <\S+> +code_server +code_server +permanent worker$", lines[4])
    assert re.fullmatch(r"\(\d+ more lines: -limit 10\)", lines[-1])
    assert {row["application"] for row in tree(scene, "-where application=kernel -limit 5")} == {"kernel"}
