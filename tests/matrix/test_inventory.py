"""Lists of what the VM has besides processes and ETS tables, compared with what the node says of it."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.matrix.conftest import Scene
from tests.views.listed import table

Facts = dict[str, dict[str, list[str]]]


def said(scene: Scene, kind: str) -> Facts:
    """What the node has said of things of a kind, by what identifies each; of some it has said many."""
    found: Facts = {}
    for identifier, key, value in re.findall(rf"^{kind} (.+?) ([a-z_]+) (.*?)\r?$", scene.said, re.M):
        found.setdefault(identifier, {}).setdefault(key, []).append(value)
    return found


def listed(scene: Scene, command: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(scene.gdb.cmd(f"{command} -json"))
    return found


# -- ports ------------------------------------------------------------------------------------------------------------

#: What port_info/2 calls it, and the column.
PORT_COLUMNS = {"connected": "owner", "input": "input", "output": "output", "queue_size": "queue", "fd": "fd"}


def test_what_the_node_says_of_each_port(scene: Scene) -> None:
    rows, expected = {row["port"]: row for row in listed(scene, "beam-ports")}, said(scene, "port")
    assert set(rows) == set(expected)
    kinds = {facts["kind"][0]: (rows[port], facts) for port, facts in expected.items() if "kind" in facts}
    assert set(kinds) == {"listening", "connected", "accepted", "datagrams", "watched", "program"}
    for row, facts in kinds.values():
        assert f'"{row["name"]}"' == facts["name"][0]
        assert (str(row["os_pid"]) if row["os_pid"] else "undefined") == facts["os_pid"][0]
        assert row["registered"] == (facts["registered_name"][0] if "registered_name" in facts else None)
        for key, column in PORT_COLUMNS.items():
            if key in facts:
                assert str(row[column]) == facts[key][0], (facts, column)
        for column in ("links", "monitors", "monitored_by", "suspended"):
            assert sorted((row[column] or "").split(", ")) == sorted(facts.get(column, [""])), (facts, column)
    assert {kind: row["driver"] for kind, (row, _) in kinds.items()} == {
        "listening": "tcp_inet", "connected": "tcp_inet", "accepted": "tcp_inet", "datagrams": "udp_inet",
        "watched": "ram_file_drv", "program": "spawn",
    }  # fmt: skip
    assert kinds["datagrams"][0]["registered"] == "'a port'"
    assert kinds["watched"][0]["monitored_by"]
    assert kinds["connected"][0]["output"] >= 1000
    assert "binary" in kinds["watched"][0]["state"]
    program = kinds["program"][0]
    assert "busy" in program["state"].split(", ")
    assert program["queue"] > 0
    assert program["suspended"]
    assert re.fullmatch(r"\d+/\d+", program["fd"])


def test_ports_as_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-ports -where driver=udp_inet")
    assert max(map(len, text.splitlines())) < 80
    (row,) = table(text)
    (expected,) = (row for row in listed(scene, "beam-ports") if row["driver"] == "udp_inet")
    assert (row["PORT"], row["FD"]) == (expected["port"], expected["fd"])


# -- persistent terms -------------------------------------------------------------------------------------------------


def test_persistent_terms(scene: Scene) -> None:
    rows, expected = listed(scene, "beam-persistent-terms"), said(scene, "persistent")
    info = expected.pop("all")
    assert len(rows) == int(info["count"][0])
    assert len(expected) == 22
    values = {row["key"]: row["value"] for row in rows}
    assert {key: [values[key]] for key in expected} == {key: facts["value"] for key, facts in expected.items()}
    assert "gone" not in values
    # What is left is the table itself.
    word = 4 if scene.target.arch == "armhf" else 8
    left = int(info["memory"][0]) - sum(row["size"] for row in rows)
    assert left % word == 0
    assert 8 * word < left < 4096 * word
    sizes = {row["key"]: row["size"] for row in rows}
    assert [sizes[f"{{inventory,{n + 1}}}"] - sizes[f"{{inventory,{n}}}"] for n in range(1, 20)] == [2 * word] * 19


def test_persistent_terms_as_text(scene: Scene) -> None:
    (row,) = table(scene.on_a_terminal("beam-persistent-terms -where key=small"))
    assert row["VALUE"] == "1"


# -- schedulers -------------------------------------------------------------------------------------------------------


def test_schedulers(scene: Scene) -> None:
    rows = listed(scene, "beam-schedulers")
    numbers = {
        kind: [row["scheduler"] for row in rows if row["scheduler"].rpartition(" ")[0] == kind]
        for kind in ("", "dirty CPU", "dirty I/O")
    }
    counts = (scene.facts[f"{kind}schedulers"] for kind in ("", "dirty_cpu_", "dirty_io_"))
    assert [str(len(names)) for names in numbers.values()] == list(counts)
    processes = listed(scene, "beam-ps")
    (stages,) = (row["pid"] for row in processes if row["name"] == "stages")
    first, *others = rows
    selected = re.search(r"^\* +(\d+) ", scene.gdb.cmd("info threads"), re.M)
    assert selected
    assert (first["state"], first["runs"], first["thread"]) == ("running", stages, int(selected[1]))
    assert all(row["runs"] is None and row["state"] != "running" for row in others)
    assert first["reductions"] > 0
    assert first["switches"] > 0
    # Of what waits the list of processes knows too.
    queued = [row for row in processes if row["status"] == "runnable"]
    assert first["queue"] == sum(first[name] for name in ("max", "high", "normal", "low", "ports"))
    assert first["queue"] - first["ports"] == len(queued)


def test_schedulers_as_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-schedulers")
    assert max(map(len, text.splitlines())) < 80
    assert [row["SCHEDULER"] for row in table(text)] == ["1", "dirty CPU 1", "dirty I/O 1"]
