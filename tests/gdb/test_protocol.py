"""What front ends ask by GDB/MI, and how it is answered: PROTOCOL.md."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any, Final

import pytest

from beamgdb.views import breakpoints, stack
from beamgdb.views.disassembly import listing
from tests.gdb.conftest import Looking
from tests.harness.gdb import REPOSITORY, Gdb, one_line_error

PROTOCOL: Final = (REPOSITORY / "PROTOCOL.md").read_text()
ROWS: Final = (
    stack.ProcessRow, stack.FrameRow, stack.LeftOutRow, stack.DamageRow, listing.FunctionRow, listing.SourceRow,
    listing.OperationRow, listing.InstructionRow, listing.RestRow, breakpoints.BreakpointRow,
)  # fmt: skip


def asked(gdb: Gdb, question: str) -> Any:
    return json.loads(gdb.cmd(question))


@pytest.mark.parametrize("kind", ROWS)
def test_rows_are_as_the_document_says(kind: type) -> None:
    name = re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__.removesuffix("Row")).lower()
    (told,) = re.findall(rf"^\| `{name}` \| (.*) \|$", PROTOCOL, re.MULTILINE)
    outer = re.sub(r"\(.*?\)", "", told.partition(" | ")[2])
    assert set(re.findall(r"`(\w+)`", outer)) - {"null"} == {one.name for one in fields(kind)}


def test_the_stack_is_that_of_its_text(looking: Looking) -> None:
    text = looking.gdb.cmd("beam-bt")
    process, *frames = asked(looking.gdb, "beam-bt -json")
    assert (process["row"], process["description"][1:] in text) == ("process", True)
    assert process["pid"] == process["description"].split()[1]
    shown = re.findall(r"^#\d+ +(0x[0-9a-f]+) in (\S+?)(?:\+\d+)?(?: at .*)?$", text, re.MULTILINE)
    assert [(hex(one["pc"]), one["function"]) for one in frames if one["row"] == "frame"] == shown
    y = [f"{one['name']} = {one['text']}" for frame in frames for one in frame["variables"]]
    assert y == re.findall(r"^ +(\w+ = .*)$", text, re.MULTILINE)


def test_the_place(looking: Looking) -> None:
    looking.up_to("stages:in_nif/2")
    found = asked(looking.gdb, "beam-context -json source stack registers code")
    assert (found["function"], found["is_called"], found["elsewhere"]) == ("stages:in_nif/2", False, None)
    (line,) = (one for one in found["source"]["lines"] if one["is_current"])
    source = (REPOSITORY / "tests/erl/stages.erl").read_text().splitlines()
    assert line["number"] == found["source"]["line"]
    assert source[line["number"] - 1] == line["text"]
    (selected,) = (one for one in found["stack"] if one["is_selected"])
    assert (selected["row"], selected["function"]) == ("frame", "stages:in_nif/2")
    assert found["registers"] is None
    assert "x registers are not available" in found["errors"]["registers"]
    (current,) = (one for one in found["code"] if one["row"] == "instruction" and one["is_current"])
    assert current["address"] == selected["pc"]
    code = [one for one in asked(looking.gdb, "beam-disas -json") if one["row"] == "instruction"]
    assert current in code


def test_a_term_unfolds(looking: Looking) -> None:
    frames = asked(looking.gdb, "beam-bt -json")
    variables = [one for frame in frames for one in frame.get("variables", ()) if one["text"].startswith("[payload")]
    term = asked(looking.gdb, f"eterm -json {variables[0]['word']}")
    assert (term["text"], term["has_more"]) == ('[payload,"of",<<"round">>]', False)
    assert [(one["name"], one["text"], one["has_parts"]) for one in term["parts"]] == [
        ("[1]", "payload", False), ("[2]", '"of"', False), ("[3]", '<<"round">>', False),
    ]  # fmt: skip
    looking.gdb.cmd("set beam-width 1")
    try:
        assert [one["name"] for one in asked(looking.gdb, f"eterm -json {term['word']}")["parts"]] == ["[1]"]
        assert asked(looking.gdb, f"eterm -json {term['word']}")["has_more"]
    finally:
        looking.gdb.cmd("set beam-width 50")


def test_every_question_is_answered(looking: Looking) -> None:
    """By one value, all lines of which are ASCII."""
    listed = ("beam-ps", "beam-schedulers", "beam-ets", "beam-ports", "beam-waits", "beam-tree", "beam-top")
    others = re.findall(r"^\| `(beam-\w+|eterm) -json", PROTOCOL, re.MULTILINE)
    assert len(others) == len({*others}) > 7
    for name in (*others, *listed):
        answer = looking.gdb.cmd(f"{name} -json{' 687' if name == 'eterm' else ''}")
        value, end = json.JSONDecoder().raw_decode(answer)  # notes may follow
        assert isinstance(value, list | dict)
        assert answer[:end].isascii()


def test_breakpoints(scene: Any) -> None:
    gdb = scene.attached
    number = int(re.findall(r"^Breakpoint (\d+) ", gdb.cmd("beam-break lists:map/2 if 1"))[0])
    (row,) = (one for one in asked(gdb, "beam-breakpoints -json") if one["number"] == number)
    assert (row["row"], row["location"], row["enabled"], row["condition"]) == ("breakpoint", "lists:map/2", True, "1")
    assert (row["process"], row["ignored"], row["temporary"]) == (None, 0, False)
    assert row["places"][0]["function"] == "lists:map/2"
    gdb.cmd(f"delete {number}")
    assert number not in [one["number"] for one in asked(gdb, "beam-breakpoints -json")]


def test_errors_are_one_line(looking: Looking) -> None:
    for question in ("beam-context -json none", "beam-bt -json none", "beam-disas -json none:none/1", "eterm -json"):
        one_line_error(looking.gdb, question)


def test_progress_is_told_to_who_wants_it(looking: Looking) -> None:
    gdb = looking.gdb
    gdb.cmd("python from beamgdb.gdbext import progress; progress.QUIET_SECONDS = -1.0")
    try:
        assert "beam-progress" not in gdb.cmd("beam-ps -json")
        gdb.cmd("set beam-progress on")
        assert re.search(r"^beam-progress: \d+ of \d+ processes$", gdb.cmd("beam-ps -json"), re.MULTILINE)
    finally:
        gdb.cmd("set beam-progress off")
        gdb.cmd("python progress.QUIET_SECONDS = 2.0")
