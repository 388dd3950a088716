"""Who holds a term, by what the processes of population.erl hold and what the node says of them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.harness.gdb import one_line_error
from tests.matrix.conftest import Scene
from tests.matrix.test_binaries import SIZE
from tests.matrix.test_heap import pid

pytestmark = pytest.mark.no_frames


def holders(scene: Scene, arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(scene.gdb.cmd(f"beam-refs -json {arguments}"))
    return found


def said(scene: Scene, kind: str, key: str) -> list[str]:
    found = re.findall(rf"^process {pid(scene, kind)} {key} (<[\d.]+>)\r?$", scene.said, re.M)
    assert found
    return sorted(found)


def test_a_pid(scene: Scene) -> None:
    """By those to which the node says that it is linked, and who monitors whom, the other way round."""
    found = holders(scene, pid(scene, "related"))
    for place, key in (("link", "links"), ("monitored by", "monitors"), ("monitor", "monitored_by")):
        # (Of one that it monitors, init, the node says the name.)
        told = {*said(scene, "related", key), *(["<0.0.0>"] if key == "monitors" else [])}
        assert {row["owner"] for row in found if row["in"] == place} == told
    # To OTP 26 a fun also knows who has made it.
    funs = [row for row in found if row["place"] is not None and row["place"].startswith("variable ")]
    assert {row["owner"] for row in funs} == set(said(scene, "related", "monitored_by"))
    assert all(row["term"].startswith("#Fun<population.") for row in funs)


@pytest.mark.all_memory
def test_an_atom(scene: Scene) -> None:
    """On a stack, in a dictionary, as a name, in a table."""
    idle = [(row["in"], row["place"], row["term"]) for row in holders(scene, f"idle -where owner={pid(scene, 'idle')}")]
    assert ("dictionary", "element 2", "{kind,idle}") in idle
    assert any(re.fullmatch(r"y\d of frame \d, population:wait/1", place) for place, _, _ in idle)
    (named,) = holders(scene, "'a name' -where 'in=registered name'")
    assert named["owner"] == pid(scene, "named")
    (table,) = holders(scene, "t_holds_part -where in=name")
    assert table["owner"] == "ETS t_holds_part"
    (row,) = holders(scene, "part -where 'owner=ETS t_holds_part'")
    assert row["place"] == "element 1"


@pytest.mark.all_memory
def test_a_message(scene: Scene) -> None:
    """A number that is a message itself, and a tuple that one is."""
    long_queue = pid(scene, "long_queue")
    (row,) = holders(scene, f"{2000 << 4 | 15} -where owner={long_queue} -where in~message")
    assert row["in"] == "message 2000"
    off_heap = pid(scene, "off_heap")
    (thing,) = json.loads(
        scene.gdb.cmd(f"beam-heap -json -things -where term={{number,3}} {off_heap}").splitlines()[1].join("[]")
    )
    (row,) = holders(scene, thing["address"])
    assert (row["owner"], row["in"]) == (off_heap, "message 3")


@pytest.mark.all_memory
def test_parts_of_a_binary(scene: Scene) -> None:
    """Whoever holds it has a part of 100 bytes, or the whole."""
    told = re.search(r"^binary (\S+) (\S+) (<[\d.]+>)", scene.said, re.M)
    assert told
    holder, receiver, inside = told.groups()
    (binary,) = json.loads(scene.gdb.cmd(f"beam-binaries -json -where size={SIZE}"))
    found = holders(scene, binary["binary"])
    assert {row["owner"] for row in found} == {holder, receiver, inside, "ETS t_holds_part"}
    things = [row for row in found if row["place"] == "binary"]
    assert len(things) == binary["found"]
    assert {row["size"] for row in things} == ({SIZE} if scene.target.otp >= 27 else {SIZE, 100})
    parts = [row for row in found if row["size"] == 100]
    assert {row["owner"] for row in parts} == {row["owner"] for row in found}
    assert len([row for row in parts if row["owner"] == receiver]) == 3


@pytest.mark.all_memory
def test_persistent_terms_and_timers(scene: Scene) -> None:
    """By what the node says that it has put there, and is to send."""
    found = holders(scene, "inventory -where owner~persistent")
    told = re.findall(r"^persistent (\{inventory,\d+\}) value", scene.said, re.M)
    assert len(told) == 20
    assert sorted(row["owner"] for row in found) == sorted(f"persistent term {key}" for key in told)
    assert {(row["in"], row["place"]) for row in found} == {("persistent term", "element 1")}
    for atom, place, what in (("number", "message", r"message .*,\{number,\d+\}\}"), ("'a process'", "receiver", None)):
        found = holders(scene, f"{atom} -where owner~timer")
        told = re.findall(rf"^timer (\S+) {what or f'receiver {atom}'}\r?$", scene.said, re.M)
        assert told
        assert sorted(row["owner"] for row in found) == sorted(f"timer {one}" for one in told)
        assert {row["in"] for row in found} == {place}


@pytest.mark.all_memory
def test_what_nobody_holds(scene: Scene) -> None:
    assert holders(scene, str((1 << 20) + 7 << 4 | 15)) == []
    assert "(none)" in scene.gdb.cmd(f"beam-refs {(1 << 20) + 7 << 4 | 15}")
    assert one_line_error(scene.gdb, "beam-refs 'no such atom'").startswith("there is no atom")
    assert one_line_error(scene.gdb, "beam-refs no_such_atom").startswith("there is no atom 'no_such_atom': ")
    text = scene.on_a_terminal(f"beam-refs {pid(scene, 'related')}")
    assert max(map(len, text.splitlines())) < 80
