"""Crash dumps of core files, opened by OTP's own crashdump_viewer, and compared with what the node says of itself."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import built
from tests.harness.erl import installed_release
from tests.harness.gdb import one_line_error
from tests.harness.targets import TARGETS
from tests.matrix.conftest import Scene
from tests.matrix.test_processes import all_said, functions_of

pytestmark = pytest.mark.no_frames

#: What process_info/2 calls it, and the viewer's test module.
FACTS = {"initial_call": "spawned", "parent": "parent", "message_queue_len": "queue", "current_function": "current"}
LISTS = {"links": "link", "monitors": "monitor", "monitored_by": "monitored_by", "dictionary": "dictionary"}

STATES = {"suspended": "Suspended", "waiting": "Waiting"}

#: One of each kind of heap, for the viewer takes its time.
OPENED = [target for target in TARGETS if str(target) in ("amd64-29", "armhf-29")]

#: Of a monitor by name the viewer shows the process that has the name.
NAMED = {"<0.0.0>": "init"}

#: Of a process or port of another node, and of what the viewer's node has no term for.
FOREIGN_REFERENCE = re.compile(r"#Ref<[1-9]\d*\.")
QUOTED_ID = re.compile(r"'((?:#Port)?<[\d.]+>)'")

View = Callable[[Path], list[str]]


def compile_viewer(folder: Path) -> None:
    (source,) = installed_release().root.glob("lib/observer-*/src")
    files = [str(source / f"{name}.erl") for name in ("crashdump_viewer", "observer_lib")]
    subprocess.run(["erlc", "-o", str(folder), *files], check=True)


@pytest.fixture(scope="session")
def view(ebin: Path) -> Iterator[View]:
    """What the viewer of the installed Erlang, made of its sources, finds in a dump."""
    folder = built.once("viewer", compile_viewer)
    erl = ["erl", "+pc", "unicode", "-noshell", "-pa", str(folder), str(ebin), "-s", "viewed"]
    with subprocess.Popen(erl, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as viewer:

        def lines(dump: Path) -> list[str]:
            assert viewer.stdin
            assert viewer.stdout
            print(dump, file=viewer.stdin, flush=True)
            found: list[str] = []
            while (line := viewer.stdout.readline()) != "viewed all\n":
                assert line, f"the viewer has ended: {found}"
                found.append(line)
            unexpected = [line for line in found if not line.startswith("viewed ")]
            assert unexpected == []
            return [line.removeprefix("viewed ").rstrip("\n") for line in found]

        yield lines
        assert viewer.stdin
        viewer.stdin.close()


def behind(lines: list[str], what: str) -> list[str]:
    """The rest of the lines that begin with this."""
    return [line.removeprefix(f"{what} ") for line in lines if line.startswith(f"{what} ")]


def as_printed(text: str) -> str:
    """A term as the node prints it, but for the number of another node's name, and the order of keys, which differs
    from node to node."""
    if text.startswith("#{"):
        return f"#{{{','.join(sorted(text[2:-1].split(',')))}}}"
    return FOREIGN_REFERENCE.sub("#Ref<N.", QUOTED_ID.sub(r"\1", text))


@pytest.mark.scenes(*((target, "core") for target in OPENED))
def test_the_viewer_shows_what_the_node_says(scene: Scene, view: View, tmp_path: Path) -> None:
    dump = tmp_path / "erl_crash.dump"
    said = scene.gdb.cmd(f"beam-crashdump {dump}").splitlines()
    assert re.match(rf"{re.escape(str(dump))}: \d+ processes, \d+ ETS tables, [\d.]+ MB, in [\d.]+ s$", said[0]), said
    # Those of native records, of which three processes have the same one, and the viewer knows nothing.
    assert len(said) == (2 if scene.target.otp >= 29 else 1), said
    assert dump.stat().st_mode & 0o777 == 0o600
    assert "\n=node:nonode@nohost\n=no_distribution\n" in dump.read_text()
    shown = view(dump)
    assert bool(behind(shown, "warning")) is (scene.target.otp >= 29)
    compare_processes(shown, scene)
    compare_terms(shown, scene)
    compare_tables(shown, scene)
    compare_ports(shown, scene)
    compare_timers(shown, scene)
    bits = "" if scene.target.arch == "armhf" else " [64-bit]"
    version = rf"Erlang/OTP {scene.target.otp} \[erts-{scene.facts['erts_version']}\]{re.escape(bits)}( \[jit\])?"
    general = behind(shown, "general")
    assert any(re.fullmatch(f'"{version}"', text) for text in general), general
    atoms = behind(shown, "atom")
    assert f'"{len(atoms)}"' in general
    assert len(atoms) >= int(scene.facts["atoms"])
    assert {"1 false", "2 true"} < set(atoms)
    modules = behind(shown, "module")
    assert len(modules) >= int(scene.facts["modules"])
    assert {"lists", "population", "odd.Module"} - set(modules) <= {"odd.Module"}
    assert re.search(r"source.*lists\.erl", behind(shown, "lists")[0])


def compare_processes(shown: list[str], scene: Scene) -> None:
    """With what the node has said of some."""
    processes = behind(shown, "process")
    expected = all_said(scene)
    assert len(expected) == 13
    for pid, facts in expected.items():
        mine = [line.partition(" ")[::2] for line in behind(processes, pid)]
        for key, name in FACTS.items():
            if key in facts:
                assert (name, facts[key][0]) in mine, (pid, key)
        assert ("state", STATES[facts["status"][0]]) in mine
        messages = [text for which, text in mine if which == "message"]
        if facts["kind"] == ["suspended"]:
            assert messages == ["{early,1}", "{early,2}", "{early,3}", "{late,1}", "{late,2}"]
            continue
        assert messages[:10] == facts.get("messages", [])
        assert len(messages) == int(facts["message_queue_len"][0])
        for key, name in LISTS.items():
            texts = [as_printed(text) for which, text in mine if which == name]
            wanted = facts.get(key, [])
            if key == "monitors":
                wanted = [one.strip("{}").split(",")[-1] for one in wanted]
                texts = [NAMED.get(text, text) for text in texts]
            assert sorted(texts) == sorted(wanted), (pid, key)


def compare_terms(shown: list[str], scene: Scene) -> None:
    """Terms of all kinds, in a dictionary and in y registers, with what the node has printed of them."""
    (pid,) = {line.partition(" ")[0] for line in behind(shown, "term")}
    found = dict(line.partition("\t")[::2] for line in behind(behind(shown, "term"), pid))
    expected = dict(re.findall(r"^(\w+)\t(.*?)\r?$", scene.said, re.M))
    if scene.target.otp >= 29:
        assert (found.pop("record"), expected.pop("record")[:1]) == ("'#CDVIncompleteHeap'", "#")
    assert len(expected) > 40
    assert {name: as_printed(text) for name, text in found.items()} == {
        name: as_printed(text) for name, text in expected.items()
    }
    stack = [line.partition(" ") for line in behind(behind(shown, "stack"), pid)]
    registers = {as_printed(text) for label, _, text in stack if re.fullmatch(r"y\d+", label)}
    assert {as_printed(text) for text in expected.values()} - registers == set()
    calls = re.findall(r"Return addr 0x[0-9a-f]+ \((\S+) \+ \d+\)", "\n".join(text for _, _, text in stack))
    assert calls[:-1] == functions_of(scene, pid)[1:]


def compare_tables(shown: list[str], scene: Scene) -> None:
    """With `beam-ets`, which is compared with what the node says."""
    word = 4 if scene.target.arch == "armhf" else 8
    expected = {
        f"{row['name'] if 'named_table' in (row['options'] or '') else row['id']} {row['name']} {row['type']} "
        f"{row['objects']} {-(-row['memory'] // word) * word} {row['owner']}"
        for row in json.loads(scene.gdb.cmd("beam-ets -json"))
    }
    assert set(behind(shown, "table")) == expected


def compare_ports(shown: list[str], scene: Scene) -> None:
    """With `beam-ports`, likewise."""
    found: dict[str, dict[str, set[str]]] = {}
    for line in behind(shown, "port"):
        port, key, text = line.split(" ", 2)
        found.setdefault(f"#Port<{port}>", {}).setdefault(key, set()).add(text)
    rows = {row["port"]: row for row in json.loads(scene.gdb.cmd("beam-ports -json"))}
    assert set(found) == set(rows)
    for port, facts in found.items():
        row = rows[port]
        for key in ("owner", "input", "output", "queue", "registered"):
            assert facts.get(key, {"None"}) == {str(row[key])}, (port, key)
        for key, column in (("link", "links"), ("monitored_by", "monitored_by"), ("suspended", "suspended")):
            assert facts.get(key, set()) == set((row[column] or "").split(", ")) - {""}, (port, key)
        (controls,) = facts["controls"]
        kind = {"spawn": "External proc: ", "fd": "UNIX fd not opened by emulator: "}.get(row["driver"])
        assert controls == (kind or controls.partition(": ")[0] + ": ") + row["name"]
        assert set(next(iter(facts["state"])).lower().split("|")) - {"none"} <= set((row["state"] or "").split(", "))


def compare_timers(shown: list[str], scene: Scene) -> None:
    """With `beam-timers`, likewise."""
    rows = json.loads(scene.gdb.cmd("beam-timers -where kind=message -json"))
    expected = sorted((row["left"], row["message"]) for row in rows if row["receiver"])
    found = (re.fullmatch(r"(\d+) (.*)", line) for line in behind(shown, "timer"))
    assert len(expected) > 40
    assert sorted((int(match[1]), match[2]) for match in found if match) == expected


def test_no_file_is_overwritten(scene: Scene, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_text("what was there")
    for arguments, why in (
        (str(dump), f"{dump} is there already: name another file, or give -force"),
        ("-force /dev/null", "/dev/null is there already"),
        (f"{tmp_path}/nowhere/dump", f"{tmp_path}/nowhere/dump cannot be written: No such file or directory"),
        ("", "the following arguments are required: FILE"),
    ):
        assert why in one_line_error(scene.gdb, f"beam-crashdump {arguments}")
    assert dump.read_text() == "what was there"
    assert [path.name for path in tmp_path.iterdir()] == ["dump"]
