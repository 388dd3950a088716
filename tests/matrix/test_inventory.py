"""Lists of what the VM has besides processes and ETS tables, compared with what the node says of it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.erl import READY, running
from tests.harness.gdb import one_line_error
from tests.harness.targets import TARGETS, Target, session
from tests.matrix.conftest import Scene
from tests.views.listed import table

pytestmark = pytest.mark.no_frames

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
    for kind, (row, facts) in kinds.items():
        assert f'"{row["name"]}"' == facts["name"][0]
        assert (str(row["os_pid"]) if row["os_pid"] else "undefined") == facts["os_pid"][0]
        assert row["registered"] == (facts["registered_name"][0] if "registered_name" in facts else None)
        for key, column in PORT_COLUMNS.items():
            # What is queued for the program goes into its pipe, as far as there is room, also after the node has told.
            if key in facts and not (kind == "program" and column == "queue"):
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


def test_who_sends_to_what_is_busy(scene: Scene) -> None:
    """Who is suspended waits for the port; a node that is stuck so is odd."""
    suspended = [(row["port"], row["suspended"]) for row in listed(scene, "beam-ports") if row["suspended"]]
    expected = {(pid, port) for port, pids in suspended for pid in pids.split(", ")}
    assert expected
    waits, _ = json.JSONDecoder().raw_decode(scene.gdb.cmd("beam-waits -json"))
    assert {(row["pid"], row["for"]) for row in waits if row["for"][0] == "#"} == expected
    (port,) = {port for _, port in expected}
    said = scene.gdb.cmd("beam-why")
    assert f"to send to {port}, which is busy (see `beam-waits`, `beam-nodes`, `beam-ports`)" in said


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
    # A scheduler that runs a process is told as one that does.
    assert first["flags"].split(", ")[-1] == "exec"
    assert {row["cpu"] for row in rows} == {None}
    assert {row["jobs"] for row in rows} <= {"yes", "no"}
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


# -- nodes ------------------------------------------------------------------------------------------------------------


def check_nodes(scene: Scene) -> dict[str, dict[str, Any]]:
    """Compare them with what the node says; the rows by name."""
    rows, expected = {row["node"]: row for row in listed(scene, "beam-nodes")}, said(scene, "node")
    assert set(rows) == set(expected)
    for name, facts in expected.items():
        assert (rows[name]["state"] == "connected") is ("kind" in facts), facts
        for key in ("kind", "channel"):
            assert rows[name][key] == (facts[key][0] if key in facts else None), facts
    return rows


def test_nodes_that_are_known(scene: Scene) -> None:
    """Of pids and ports of other nodes there are some (terms.erl)."""
    rows = check_nodes(scene)
    assert len(rows) > 1
    assert {name: row["state"] for name, row in rows.items()} == {
        name: "this node" if name == "nonode@nohost" else "idle" for name in rows
    }
    assert "nonode@nohost" in {row["NODE"] for row in table(scene.on_a_terminal("beam-nodes"))}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("target", [one for one in TARGETS if not one.emulated and not one.frame_pointers], ids=str)
def test_nodes_that_are_connected(target: Target, ebin_for: Callable[[Target], Path], tmp_path: Path) -> None:
    """A real connection, without epmd: one of the two listens at a port that the other knows. Who does
    not listen is hidden."""
    common = ("-setcookie", "inventory", "-start_epmd", "false", "-erl_epmd_port", str(free_port()))
    listens = ["-noinput", "-sname", "there@localhost", *common, "-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
    ready = ["-eval", f'io:format("{READY}~n").']
    flags = ("-sname", "here@localhost", "-dist_listen", "false", *common)
    with (
        running(target.sandbox.command([*listens, *ready]), tmp_path / "there"),
        session(target, "attached", ebin_for(target), "inventory:connect('there@localhost')", *flags) as one,
    ):
        rows = check_nodes(Scene(target, "attached", one.gdb, one.said))
        there = rows["there@localhost"]
        assert (there["kind"], there["busy"], there["queue"], there["suspended"]) == ("hidden", "no", 0, None)
        assert there["connection"] > 0
        capabilities = there["capabilities"].split(", ")
        assert {"dist_monitor", "utf8_atoms", "big_creation", "spawn", "alias"} <= set(capabilities)
        assert "published" not in capabilities
        assert min(there["input"], there["output"]) > 0
        ports = {row["port"]: row for row in listed(Scene(target, "attached", one.gdb, one.said), "beam-ports")}
        assert "distribution" in ports[there["channel"]]["state"]


# -- timers -----------------------------------------------------------------------------------------------------------


#: For so long a scheduler may not have looked at the clock, from which on it is told how much time is left.
STALE_MS = 2000


def test_timers(scene: Scene) -> None:
    rows, expected = listed(scene, "beam-timers"), said(scene, "timer")
    (waits,) = (who for who, facts in expected.items() if facts.get("kind") == ["'receive'"])
    del expected[waits]
    assert len(expected) == 51
    messages = {row["timer"]: row for row in rows if row["kind"] == "message"}
    assert "canceled" not in {row["message"] for row in messages.values()}
    for timer, facts in expected.items():
        row = messages[timer]
        assert [row["receiver"], row["message"]] == [facts["receiver"][0], facts["message"][0]]
        assert row["scheduler"] == 1
    # Each was started no earlier than the one before, and is to end a second later.
    own = [messages[timer] for timer, facts in expected.items() if "kind" in facts]
    left = [row["left"] for row in sorted(own, key=lambda row: row["message"].rpartition(",")[2].zfill(10))]
    assert all(0 < one <= 2000000 + 1000 * number + STALE_MS for number, one in enumerate(left, 1))
    assert all(later - earlier >= 1000 for earlier, later in zip(left, left[1:]))
    (receive,) = (row for row in rows if row["kind"] == "receive" and row["receiver"] == waits)
    assert 0 < receive["left"] <= 1000000 + STALE_MS


def test_timers_as_text(scene: Scene) -> None:
    (row,) = table(scene.on_a_terminal("beam-timers -where \"receiver='a process'\""))
    assert (row["KIND"], row["MESSAGE"]) == ("message", '"text"')


# -- allocators -------------------------------------------------------------------------------------------------------

COUNTED = ("instances", "multiblock", "singleblock", "pooled", "size", "blocks", "used")


def test_what_the_node_says_of_each_allocator(scene: Scene) -> None:
    """It goes on allocating after it has told, as for one more module; but little of what lasts."""
    rows, expected = {row["allocator"]: row for row in listed(scene, "beam-allocators")}, said(scene, "allocator")
    total = rows.pop("all")
    assert set(rows) == set(expected)
    assert all(total[key] == sum(row[key] for row in rows.values()) for key in COUNTED)
    counted = {name: {key: int(facts[key][0]) for key in COUNTED} for name, facts in expected.items()}
    for name, row in rows.items():
        assert row["instances"] == counted[name]["instances"]
        assert row["unused"] == row["size"] - row["used"] >= 0
        if name in ("ets_alloc", "ll_alloc", "driver_alloc", "fix_alloc", "literal_alloc"):
            for key in ("multiblock", "singleblock", "pooled", "size", "blocks", "used"):
                # (One more carrier is much where there are few.)
                near = 0.3 if key == "size" else 0.1
                assert row[key] == pytest.approx(counted[name][key], rel=near, abs=1), (name, key)


@pytest.mark.all_memory
def test_carriers_are_what_the_allocators_count(scene: Scene) -> None:
    """The one is found by going through lists and blocks, the other is counted by the VM."""
    carriers = listed(scene, "beam-allocators -carriers")
    for row in listed(scene, "beam-allocators -where allocator!=all"):
        own = [one for one in carriers if one["allocator"] == row["allocator"]]
        assert len([one for one in own if one["kind"] == "single"]) == row["singleblock"]
        assert len([one for one in own if one["kind"] == "multi"]) == row["multiblock"]
        for key in ("size", "blocks", "used"):
            assert sum(one[key] for one in own) == row[key], (row["allocator"], key)
        assert all(one["largest"] is None or 0 <= one["largest"] <= one["size"] - one["used"] for one in own)
    single = [one for one in carriers if one["kind"] == "single"]
    assert single
    assert all(one["blocks"] == 1 for one in single)


@pytest.mark.all_memory
def test_no_block_is_wrong(scene: Scene) -> None:
    text = scene.gdb.cmd("beam-allocators -check")
    (blocks,) = (row["blocks"] for row in listed(scene, "beam-allocators -where allocator=all"))
    lines = text.splitlines()
    assert lines[1] == "(none)", text
    counted = re.fullmatch(r"\((\d+) blocks in (\d+) carriers\)", lines[2])
    assert counted
    assert int(counted[1]) >= blocks


def test_who_has_an_address(scene: Scene) -> None:
    wanted = {
        "fix_alloc": listed(scene, "beam-ps -where pid=<0.0.0>")[0]["address"],
        "ets_alloc": listed(scene, "beam-ets -limit 1")[0]["address"],
        "driver_alloc": listed(scene, "beam-ports -limit 1")[0]["address"],
    }
    for name, address in wanted.items():
        row = json.loads(scene.gdb.cmd(f"beam-block -json {address:#x}"))
        word = 4 if scene.target.arch == "armhf" else 8
        assert (row["allocator"], row["block"] + word, row["is_used"], row["wrong"]) == (name, address, True, "")
        assert f"allocator:  {name}, instance " in scene.gdb.cmd(f"beam-block {address:#x} + 1")
    assert "in no carrier" in one_line_error(scene.gdb, "beam-block 8")
    assert "there is no allocator 'no'" in one_line_error(scene.gdb, "beam-allocators no")


def test_allocators_as_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-allocators")
    assert max(map(len, text.splitlines())) <= 80
    assert {row["ALLOCATOR"]: row["INST"] for row in table(text)}["literal_alloc"] == "1"


# -- file descriptors -------------------------------------------------------------------------------------------------


def test_who_waits_for_each_file_descriptor(scene: Scene) -> None:
    rows = {row["fd"]: row for row in listed(scene, "beam-fds")}
    kinds = {facts["kind"][0]: port for port, facts in said(scene, "port").items() if "kind" in facts}
    of_ports = {row["port"]: row["fd"] for row in listed(scene, "beam-ports")}
    for kind in ("connected", "datagrams"):
        row = rows[int(of_ports[kinds[kind]])]
        assert (row["type"], row["events"], row["reader"], row["flags"]) == ("driver", "in", kinds[kind], "used")
        assert (row["active"], row["poller"]) == ("in", "poll threads")
    # What is sent to the program fills its pipe.
    into, out = (rows[int(fd)] for fd in of_ports[kinds["program"]].split("/"))
    assert (into["events"], into["reader"], into["writer"]) == ("in", kinds["program"], None)
    assert (out["events"], out["reader"], out["writer"]) == ("out", None, kinds["program"])
    # Of passive sockets nobody reads from there is nothing to wait for.
    assert not {int(of_ports[kinds[kind]]) for kind in ("listening", "accepted")} & set(rows)
    ((fd, facts),) = said(scene, "fd").items()
    socket_of_nif = rows[int(fd)]
    assert (socket_of_nif["type"], socket_of_nif["events"]) == ("NIF", "in")
    assert (socket_of_nif["reader"], socket_of_nif["writer"]) == (facts["reader"][0], None)
    assert socket_of_nif["resource"] == "prim_socket:sockets"


def test_file_descriptors_as_text(scene: Scene) -> None:
    text = scene.on_a_terminal("beam-fds")
    assert max(map(len, text.splitlines())) <= 80
    assert "prim_socket:sockets" in {row["RESOURCE"] for row in table(text)}


# -- memory -----------------------------------------------------------------------------------------------------------


def test_memory_by_what_it_is_for(scene: Scene) -> None:
    """As erlang:memory() has said: a moment before, so that heaps and binaries are others, by megabytes; and what is
    not hidden. The rest hardly changes, and tells whether the table of processes was counted."""
    rows = {row["kind"]: row for row in listed(scene, "beam-memory")}
    expected = {kind: int(facts["size"][0]) for kind, facts in said(scene, "memory").items()}
    for kind, near in {"total": 0.5, "processes": 1, "system": 0.5, "binary": 0.5, "ets": 0.1, "code": 0.2}.items():
        if rows[kind]["size"] is not None and (kind == "code" or not rows[kind]["without"]):
            assert rows[kind]["size"] == pytest.approx(expected[kind], rel=near), (kind, expected)
    for kind in ("atom", "atom_used"):
        # (There may be some more atoms by now.)
        assert 0 <= rows[kind]["size"] - expected[kind] <= (0 if kind == "atom" and scene.target.otp < 29 else 1000), (
            kind
        )
    if not rows["system"]["without"]:
        rest = rows["system"]["size"] - rows["binary"]["size"]
        assert rest == pytest.approx(expected["system"] - expected["binary"], rel=0.05), expected
    used = {row["allocator"]: row["used"] for row in listed(scene, "beam-allocators")}
    compiled = 0 if scene.target.interpreted else rows["code"]["size"] or 0
    assert rows["total"]["size"] == used["all"] + compiled
    assert rows["total"]["size"] == rows["processes"]["size"] + rows["system"]["size"]
    hidden = [kind for kind, row in rows.items() if row["size"] is None]
    assert hidden == (["code"] if scene.target.otp >= 29 else [])
    assert (rows["total"]["without"] is not None) is (scene.target.otp >= 29 and not scene.target.interpreted)
