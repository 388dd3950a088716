"""The list of processes, compared with what the node says of each of them."""

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

#: Prints what the VM's table of registered names has.
NAMES = (
    "python from beamgdb.gdbext import session; from beamgdb.vm import registered_names; "
    "node = session.require().node; "
    "print(*(f'{node.term(node.processes.at(process).id)} {node.term(name)}' "
    "for process, name in registered_names.in_table(node)), sep=chr(10))"
)

#: What process_info/2 calls it, and the column.
COLUMNS = {
    "registered_name": "name", "status": "status", "message_queue_len": "queue", "current_function": "current",
    "initial_call": "spawned", "parent": "parent",
}  # fmt: skip


def all_said(scene: Scene) -> dict[str, dict[str, list[str]]]:
    """What the node has said, by pid; of some things a process has many."""
    found: dict[str, dict[str, list[str]]] = {}
    for pid, key, value in re.findall(r"^process (<\S+>) (\w+) (.*?)\r?$", scene.said, re.M):
        found.setdefault(pid, {}).setdefault(key, []).append(value)
    return found


def said(scene: Scene) -> dict[str, dict[str, str]]:
    """What it has said, of each process one thing of a kind."""
    return {pid: {key: values[0] for key, values in facts.items()} for pid, facts in all_said(scene).items()}


def listed(scene: Scene, arguments: str = "") -> dict[str, dict[str, Any]]:
    """What is listed, by pid, without the notes that follow."""
    said = scene.gdb.cmd(f"beam-ps -json {arguments}")
    return {row["pid"]: row for row in json.loads(said[: said.rindex("]") + 1])}


def test_what_the_node_says_of_each(scene: Scene) -> None:
    rows, expected = listed(scene), said(scene)
    assert len(expected) == 13
    assert len(rows) >= int(scene.facts["processes"])
    for pid, facts in expected.items():
        row = rows[pid]
        for key, column in COLUMNS.items():
            if key in facts:
                # A process without a name has an empty list for one.
                value = None if facts[key] == "[]" else facts[key]
                assert (str(row[column]) if row[column] is not None else None) == value, (facts, column)


def test_the_table_of_names(scene: Scene) -> None:
    """It has those of all processes, and leads to them."""
    lines = scene.gdb.cmd(NAMES).splitlines()
    named = {row["pid"]: row["name"] for row in listed(scene).values() if row["name"] is not None}
    assert dict(line.split(" ", 1) for line in lines) == named
    assert "code_server" in named.values()


def test_reductions(scene: Scene) -> None:
    """To answer takes some more."""
    rows = listed(scene)
    answered = {pid: int(facts["reductions"]) for pid, facts in said(scene).items() if "reductions" in facts}
    assert answered
    more = {pid: rows[pid]["reductions"] - reductions for pid, reductions in answered.items()}
    assert {pid: said(scene)[pid]["kind"] for pid, count in more.items() if not 0 <= count < 50} == {}, more


def test_memory(scene: Scene) -> None:
    """A structure and the heaps."""
    rows, word = listed(scene), 4 if scene.target.arch == "armhf" else 8
    left = {
        rows[pid]["memory"] - word * int(facts["total_heap_size"])
        for pid, facts in said(scene).items()
        if facts.get("message_queue_len") == "0"
    }
    assert len(left) == 1
    assert 300 < left.pop() < 1000


def test_memory_of_messages(scene: Scene) -> None:
    """On the heap and outside of it: what the node counts besides is the same of each that has neither links nor
    monitors, and something in its dictionary."""
    rows, expected = listed(scene), {facts["kind"]: (pid, facts) for pid, facts in said(scene).items()}
    left = {
        kind: int(expected[kind][1]["memory"]) - rows[expected[kind][0]]["memory"]
        for kind in ("idle", "talked_to", "long_queue", "off_heap")
    }
    assert len(set(left.values())) == 1, left
    assert 0 <= left["idle"] < 1000
    # Of a queue that is too long the first messages stand for all.
    try:
        scene.gdb.cmd("python from beamgdb.vm import message_sizes; message_sizes.FOLLOWED = 100")
        assert listed(scene) == rows
    finally:
        scene.gdb.cmd("python message_sizes.FOLLOWED = 1 << 14")


@pytest.mark.scenes(*((target, target.modes[-1]) for target in TARGETS))
def test_the_same_with_and_without_arrays(scene: Scene) -> None:
    """Where GDB's Python has no NumPy there are none either way."""
    asked = ("beam-ps", "beam-ps -json", "beam-ps -sort memory", "beam-top")
    scene.gdb.cmd("python from beamgdb.records import arrays; few = arrays.FEW")
    found: dict[str, list[str]] = {}
    try:
        for fewest in ("1 << 30", "1"):
            scene.gdb.cmd(f"python arrays.FEW = {fewest}")
            found[fewest] = [scene.gdb.cmd(command) for command in asked]
    finally:
        scene.gdb.cmd("python arrays.FEW = few")
    assert found["1"] == found["1 << 30"]


def test_those_that_are_wanted(scene: Scene) -> None:
    rows, expected = listed(scene), said(scene)
    full = {pid for pid, facts in expected.items() if int(facts["message_queue_len"]) >= 5}
    assert set(listed(scene, "-where queue>=5")) & set(expected) == full
    assert set(listed(scene, "-where name~population -where queue>=5")) == set()
    (named,) = listed(scene, "-where \"name='a name'\"")
    assert rows[named]["name"] == "'a name'"
    assert list(listed(scene, "-sort queue -limit 1")) == [max(rows, key=lambda pid: rows[pid]["queue"])]
    first = list(listed(scene, "-sort memory -reverse"))
    assert [rows[pid]["memory"] for pid in first] == sorted(row["memory"] for row in rows.values())


def test_the_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-ps")
    assert max(map(len, text.splitlines())) < 80
    shown = table(text)
    rows = listed(scene)
    assert [(row["PID"], int(row["MEMORY"]), int(row["QUEUE"]), row["STATUS"]) for row in shown] == [
        (pid, row["memory"], row["queue"], row["status"]) for pid, row in rows.items()
    ]
    assert scene.gdb.cmd("beam-ps -limit 1").splitlines()[-1] == f"({len(rows) - 1} more processes: -limit 1)"


def test_what_proc_lib_starts(scene: Scene) -> None:
    """Is called by what that is to call: this server of kernel has no name."""
    (row,) = listed(scene, "-where called=~kernel_config").values()
    assert (row["name"], row["spawned"], row["called"]) == (None, "proc_lib:init_p/5", "kernel_config:init/1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-sort size", "'size' is no column: there are pid, "),
        ("-where queue", "'queue' is no condition such as queue>1000"),
        ("-where queue=many", "'queue=many': queue is a number"),
        ("-where size>1", "'size' is no column"),
        ("-limit x", "argument -limit: 'x' is no number"),
        ("x", "unrecognized arguments: x"),
    ],
)
def test_what_cannot_be_listed(scene: Scene, arguments: str, said: str) -> None:
    assert one_line_error(scene.gdb, f"beam-ps {arguments}").startswith(f"beam-ps: {said}")


# -- one process ------------------------------------------------------------------------------------------------------


def test_what_the_node_says_of_one(scene: Scene) -> None:
    for pid, facts in all_said(scene).items():
        if facts["kind"] == ["suspended"]:
            continue
        shown = json.loads(scene.gdb.cmd(f"beam-process -limit 100 -json {pid}"))
        for key in ("status", "priority", "parent", "group_leader"):
            assert shown[key] == facts[key][0], (facts, key)
        assert shown["current"] == facts["current_function"][0]
        assert ("trap_exit" in shown["flags"]) is (facts["trap_exit"] == ["true"])
        assert len(shown["messages"]["shown"]) == min(100, int(facts["message_queue_len"][0]))
        assert shown["messages"]["shown"][:10] == facts.get("messages", [])
        assert sorted(shown["links"]["shown"]) == sorted(facts.get("links", []))
        monitored = [text.partition(" by ")[0] for text in shown["monitors"]["shown"]]
        assert sorted(monitored) == sorted(one.strip("{}").split(",")[-1] for one in facts.get("monitors", []))
        assert sorted(text.partition(" by ")[0] for text in shown["monitored_by"]["shown"]) == sorted(
            facts.get("monitored_by", [])
        )
        assert sorted(shown["dictionary"]["shown"]) == sorted(facts.get("dictionary", []))


def test_the_state_of_a_server(scene: Scene) -> None:
    """Of one that waits, and of one that hibernates, as the node says it; of others there is none."""
    expected = dict(re.findall(r"^state (\w+) (.*?)\r?$", scene.said, re.M))
    assert len(expected) == 5
    others = dict.fromkeys(("w_a", "w_busy", "init"))
    shown = {name: json.loads(scene.gdb.cmd(f"beam-process -json {name}")) for name in (*expected, *others)}
    assert {name: one["state"] for name, one in shown.items()} == {**expected, **others}
    state = expected["w_state"]
    assert json.loads(scene.gdb.cmd(f"eterm -json {shown['w_state']['state_word']}"))["text"] == state
    assert f"\n  state:        {state}\n" in scene.gdb.cmd("beam-process w_state")


def test_what_waits_for_one_that_is_suspended(scene: Scene) -> None:
    (pid,) = (pid for pid, facts in said(scene).items() if facts["kind"] == "suspended")
    shown = scene.gdb.cmd(f"beam-process {pid}")
    messages = re.search(r"^  messages: +5\n((?:    .*\n)+)", shown, re.M)
    assert messages, shown
    assert messages[1].split() == ["{early,1}", "{early,2}", "{early,3}", "{late,1}", "{late,2}"]
    # (By who monitors it too, unless that has ended meanwhile.)
    assert re.search(r"^  monitored by: +[12]\n(    <.*\n)?    <\S+> \(suspend\)$", shown, re.M), shown


def test_the_text_of_one(scene: Scene) -> None:
    (pid,) = (pid for pid, facts in said(scene).items() if facts["kind"] == "related")
    shown = scene.gdb.cmd(f"beam-process -limit 2 {pid}")
    assert shown.startswith(f"Process {pid}, spawned as population:keep/1: waiting\n")
    assert re.search(r"^  links: +5\n    <\S+>\n    <\S+>\n    \(3 more: -limit N\)$", shown, re.M), shown
    assert re.search(r"^  dictionary: +20$", shown, re.M), shown
    # The one that the selected thread runs.
    assert re.match(r"Process <\S+> stages, spawned as stages:loop/1: ", scene.gdb.cmd("beam-process"))


# -- stacks that are the same -----------------------------------------------------------------------------------------


def test_equal_stacks(scene: Scene) -> None:
    groups = json.loads(scene.gdb.cmd("beam-stacks -json"))
    assert sum(group["count"] for group in groups) == len(listed(scene))
    assert [group["count"] for group in groups] == sorted((group["count"] for group in groups), reverse=True)
    for group in groups:
        assert functions_of(scene, group["pids"][0]) == group["functions"]
    text = scene.gdb.cmd("beam-stacks -limit 1").splitlines()
    assert text[0].startswith(f"{groups[0]['count']} processes: {groups[0]['pids'][0]}, ")
    assert text[-1] == f"({len(groups) - 1} more groups: -limit 1)"


def functions_of(scene: Scene, pid: str) -> list[str]:
    """The names of frames that `beam-bt` shows."""
    return re.findall(r"^#\d+ +0x[0-9a-f]+ in (.+?)(?:\+\d+)?(?: at .*)?$", scene.gdb.cmd(f"beam-bt {pid}"), re.M)
