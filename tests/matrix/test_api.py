"""The VM as Python objects: what API.md shows is run as it stands there, and compared with what the node says."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.harness.gdb import REPOSITORY, GdbError
from tests.harness.targets import Target
from tests.matrix.conftest import Scene
from tests.matrix.test_processes import listed, said

pytestmark = pytest.mark.no_frames

#: What takes time, and is the same everywhere but for what commands read.
SOME = ((Target("amd64", 27), "attached"), (Target("amd64", 29), "core"))

EXAMPLES = dict(
    re.findall(
        r"^## (.*)\n(?:.*\n)*?```python\n((?:.*\n)*?)```", (REPOSITORY / "API.md").read_text(encoding="utf-8"), re.M
    )
)


def run(scene: Scene, folder: Path, code: str) -> list[str]:
    """What a script prints."""
    (folder / "script.py").write_text(code, encoding="utf-8")
    shown = scene.gdb.cmd(f"source {folder}/script.py")
    print(shown)
    return shown.splitlines()


def test_the_longest_mailbox(scene: Scene, tmp_path: Path) -> None:
    (line,) = run(scene, tmp_path, EXAMPLES["What is in the longest mailbox?"])
    (pid,) = (pid for pid, facts in said(scene).items() if facts["kind"] == "long_queue")
    assert line == f"{pid} 2000 [('int', 2000)]"


def test_memory_by_function(scene: Scene, tmp_path: Path) -> None:
    lines = run(scene, tmp_path, EXAMPLES["Which functions use the most memory?"])
    by_function = {name: int(size) for size, name in (line.split(maxsplit=1) for line in lines)}
    rows = listed(scene)
    spawned = [row["memory"] for row in rows.values() if row["spawned"] == "population:keep/1"]
    assert by_function["population:keep/1"] == sum(spawned)
    # What gen_servers of kernel and stdlib have noted of themselves.
    assert "proc_lib:init_p/5" not in by_function
    assert list(by_function.values()) == sorted(by_function.values(), reverse=True)


def test_a_table_as_a_file(scene: Scene, tmp_path: Path) -> None:
    example = EXAMPLES["A table as a file of comma-separated values"]
    assert '"facts"' in example
    lines = run(scene, tmp_path, example.replace('"facts"', '"t_holds_part"'))
    assert "atom,only" in lines
    assert any(line.startswith("part,") for line in lines)
    # Terms as Erlang writes them, not as Python does its classes.
    assert not any(re.search(r"\b[A-Z][a-z]+\(", line) for line in lines)


@pytest.mark.scenes(*SOME)
def test_whom_most_wait_for(scene: Scene, tmp_path: Path) -> None:
    lines = run(scene, tmp_path, EXAMPLES["For whom do most processes wait?"])
    rows = json.JSONDecoder().raw_decode(scene.gdb.cmd("beam-waits -json"))[0]
    waits = Counter((row["for"], row["for_called"]) for row in rows)
    most = [f"{count} {pid} {called}" for (pid, called), count in waits.most_common(5)]
    assert most
    assert lines[: len(most)] == most
    assert any(line.startswith("Deadlock: <") for line in lines[len(most) :])


#: What a script asks, and the command that shows the same.
ASKED = {
    "waits()": "beam-waits", "tree()": "beam-tree", "top()": "beam-top", "stacks()": "beam-stacks",
    "exceptions()": "beam-exceptions", "exceptions('init')": "beam-exceptions init", "old_code()": "beam-purge",
    "locks()": "beam-locks", "heap()": "beam-heap", "heap('init')": "beam-heap init",
    "things('init')": "beam-heap -things init", "references('init')": "beam-refs init", "wrong('init')":
    "beam-verify init", "binaries()": "beam-binaries", "resources()": "beam-resources",
    "resource_types()": "beam-resources -types", "ports()": "beam-ports", "file_descriptors()": "beam-fds",
    "known_nodes()": "beam-nodes", "timers()": "beam-timers", "persistent_terms()": "beam-persistent-terms",
    "schedulers()": "beam-schedulers", "memory()": "beam-memory", "allocators()": "beam-allocators",
    "allocator_instances()": "beam-allocators -instances", "carriers()": "beam-allocators -carriers",
    "why()": "beam-why", "process('init').details()": "beam-process init",
}  # fmt: skip

#: What it prints: terms as they are written, within the same limits. Python cannot have some names of columns.
TYPED = """
import dataclasses, json, beamgdb.api
node = beamgdb.api.node()
TERMS = {{"Timer": ["message"], "PersistentTerm": ["key", "value"], "LastException": ["value"]}}
def told(one):
    found = {{field.name.rstrip("_"): getattr(one, field.name) for field in dataclasses.fields(one)}}
    terms = TERMS.get(type(one).__name__, ())
    return {{name: node.model.text(value, False) if name in terms and value is not None else value
            for name, value in found.items()}}
for asked in {asked}:
    found = eval("node." + asked)
    print(json.dumps(dataclasses.asdict(found) if dataclasses.is_dataclass(found) else list(map(told, found))))
"""


@pytest.mark.scenes(*SOME)
def test_typed_objects_of_what_commands_show(scene: Scene, tmp_path: Path) -> None:
    """They have all columns, with the same in them; but for terms, which are values."""
    lines = run(scene, tmp_path, TYPED.format(asked=list(ASKED)))
    for (asked, command), line in zip(ASKED.items(), lines):
        found, shown = json.loads(line), json.JSONDecoder().raw_decode(scene.gdb.cmd(f"{command} -json"))[0]
        for one in found if asked.startswith("exceptions") else ():
            assert one.pop("value") is None  # these have no more than a trace
        for one, other in zip(found, shown) if asked in ("timers()", "persistent_terms()") else ():
            for name in other.keys() & {"message", "key", "value"}:
                # (Of a large one the command shows a part.)
                if one[name] and one[name].startswith(other[name].partition("...")[0]):
                    one[name] = other[name]
        if asked == "why()":
            shown = {name: one for name, one in shown.items() if name not in ("process", "text")}
        assert found == shown, asked
    assert len(lines) == len(ASKED)


ALL = """
import beamgdb.api
node = beamgdb.api.node()
print(node.release)
for process in node.processes():
    print("queue", process.pid, process.queue, sum(1 for _ in process.messages()))
    print("status", process.pid, process.status)
    for link in process.monitors():
        print("monitor", process.pid, link.kind)
    for key, value in process.dictionary():
        assert key is not None and value is not None
    assert all(frame.pc for frame in process.frames())
    if process.name:
        assert node.process(process.name).pid == process.pid
print("damaged", node.damaged)
"""


def test_everything_of_each_process(scene: Scene, tmp_path: Path) -> None:
    lines = run(scene, tmp_path, ALL)
    assert lines[0] == str(scene.target.otp)
    assert lines[-1] == "damaged []"
    queues = [line.split()[1:] for line in lines if line.startswith("queue ")]
    assert {pid for pid, _, _ in queues} == set(listed(scene))
    assert [shown for _, shown, _ in queues] == [counted for _, _, counted in queues]
    for pid, facts in said(scene).items():
        assert f"status {pid} {facts['status']}" in lines


def test_rows_of_a_command(scene: Scene, tmp_path: Path) -> None:
    line = "beam-ps -where queue>0 -sort queue"
    (told,) = run(scene, tmp_path, f"import json, beamgdb; print(json.dumps(list(beamgdb.api.node().rows({line!r}))))")
    assert json.loads(told) == json.loads(scene.gdb.cmd(f"{line} -json"))
    with pytest.raises(GdbError, match=r"'bt' is no command that lists: there are beam-.*"):
        scene.gdb.cmd("python list(beamgdb.api.node().rows('bt'))")
    with pytest.raises(GdbError, match="beam-ps: 'hue' is no column"):
        scene.gdb.cmd("python list(beamgdb.api.node().rows('beam-ps -sort hue'))")


def test_what_is_not_there(scene: Scene) -> None:
    with pytest.raises(GdbError, match="no process is registered as 'nobody'"):
        scene.gdb.cmd('python import beamgdb.api; beamgdb.api.node().process("nobody")')
