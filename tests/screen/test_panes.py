"""What the screen makes of answers, and where; the answers are in the form that `tests/gdb/test_protocol.py` holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from beamgdb.brackets import opens
from beamgdb.screen.lines import Asked, Column, Deed, Line, Looks, fitted, note, shortened, table
from beamgdb.screen.panes import PANES, arrangement, is_condition, stack

ROWS = [{"pid": "<0.1.0>", "memory": 5, "name": None}, {"pid": "<0.22.0>", "memory": 1000, "name": "日本"}]
COLUMNS = (Column("pid", "PID"), Column("memory", "MEMORY", True), Column("name", "NAME"))


PROCESS = {
    "row": "process", "pid": "<0.8.0>", "description": "Process <0.8.0> shop", "status": "waiting", "thread": None,
}  # fmt: skip


def asked(answers: Mapping[str, Any], *unfolded: str) -> Asked:
    """Questions of which these are answered."""

    def ask(question: str) -> tuple[Any, list[Line]]:
        return (answers[question], []) if question in answers else (None, [note("(waiting)")])

    return Asked(ask, unfolded=frozenset(unfolded))


def test_a_table() -> None:
    """Numbers are on the right, letters as wide as a terminal shows them, the sorted column marked."""
    lines = table(ROWS, COLUMNS, Looks("memory"), lambda row: Deed("process", row["pid"]))
    assert [one.text for one in lines] == ["PID       MEMORY▾  NAME", "<0.1.0>         5  ", "<0.22.0>     1000  日本"]
    assert [one.deed for one in lines] == [None, Deed("process", "<0.1.0>"), Deed("process", "<0.22.0>")]


def test_a_table_that_is_looked_through() -> None:
    assert [one.text for one in table(ROWS, COLUMNS, Looks(filter="22"), lambda _: None)[1:]] == [
        "<0.22.0>    1000  日本"
    ]
    assert table(ROWS, COLUMNS, Looks(filter="33"), lambda _: None)[1].text == "(none has '33' in it)"


def test_what_has_no_room_is_left_out() -> None:
    """By its importance, and whole; a text is cut where one sees it."""
    parts = [(0, "a"), (2, "日本"), (1, "ccc")]
    assert [fitted(parts, columns) for columns in (12, 10, 6, 3, 0)] == ["a  日本  ccc", "a  ccc", "a  ccc", "a", ""]
    assert [shortened("日本x", columns) for columns in (5, 4, 2, 0)] == ["日本x", "日…", "…", ""]
    assert shortened("e\u0301" * 500000, 3) == "e\u0301e\u0301…"


@pytest.mark.parametrize("text", ["[a]", "{x}", "#{a => 1}", "%{a: 1}", "%Shop{a: 1}", "#shop:item{a=1}"])
def test_what_may_have_parts(text: str) -> None:
    assert opens(text)


@pytest.mark.parametrize(
    "text", ["[]", "{}", "#{}", "%{}", "#Fun<shop.0.1>", "#Ref<0.1.2.3>", '"text"', "<0.1.0>", "a"]
)
def test_what_never_has_parts(text: str) -> None:
    assert not opens(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("memory>10k", True), ("pid=<0.1.0>", True), ("memory>", False), ("log", False), ("x =1", True), (">1", False)],
)
def test_what_is_taken_for_a_condition(text: str, wanted: bool) -> None:
    assert is_condition(text) == wanted


@pytest.mark.parametrize("name", [pane.name for pane in PANES])
def test_the_chosen_pane_is_on_any_screen(name: str) -> None:
    assert arrangement(80, 24, name) == [[name]]
    shown = [one for column in arrangement(200, 60, name) for one in column]
    assert name in shown
    assert len(shown) == len({*shown}) > 2


@pytest.mark.parametrize("pane", PANES, ids=[pane.name for pane in PANES])
def test_a_pane_waits(pane: Any) -> None:
    assert {one.text for one in pane.lines(asked({}))} - {""} == {"(waiting)"}


def test_terms_unfold() -> None:
    variables: list[dict[str, Any]] = [
        {"name": "y0", "word": 12, "text": "{a,[b]}"},
        {"name": "y1", "word": None, "text": "<not available>"},
    ]
    frame = {"row": "frame", "number": 0, "level": 3, "function": "m:f/1", "note": "", "file": "/a/m.erl", "line": 7,
             "is_selected": True, "variables": variables}  # fmt: skip
    place: dict[str, Any] = {"stack": [PROCESS, frame], "errors": {}, "elsewhere": None}
    parts = [{"name": "[1]", "word": 3, "text": "a", "has_parts": False},
             {"name": "[2]", "word": 4, "text": "[b]", "has_parts": True}]  # fmt: skip
    question = "beam-context -json source stack registers code"
    answers = {question: place, "eterm -json 12": {"parts": parts, "has_more": True}}
    assert [one.text for one in stack(asked(answers))[1:]] == [
        "=> #0  m:f/1 at m.erl:7", "       ▸ y0 = {a,[b]}", "         y1 = <not available>",
    ]  # fmt: skip
    lines = stack(asked(answers, "<0.8.0> m:f/1 0.y0", "<0.8.0> m:f/1 0.y0/[2]"))[1:]
    assert [one.text for one in lines] == [
        "=> #0  m:f/1 at m.erl:7", "       ▾ y0 = {a,[b]}", "             [1] = a", "           ▾ [2] = [b]",
        "(waiting)", "           (more: set beam-width N)", "         y1 = <not available>",
    ]  # fmt: skip
    assert lines[0].deed == Deed("command", "frame 3")
    assert lines[3].deed == Deed("unfold", "<0.8.0> m:f/1 0.y0/[2]")
    # The same once the function has called another one, and keeps the argument elsewhere.
    called = {**frame, "number": 1, "variables": [{**variables[0], "name": "y0 = x1"}]}
    deeper = [PROCESS, {**frame, "function": "m:g/0", "variables": variables}, called]
    again = stack(asked({**answers, question: {**place, "stack": deeper}}, "<0.8.0> m:f/1 0.y0"))
    assert [one.text.strip() for one in again[2:7]] == [
        "▸ y0 = {a,[b]}", "y1 = <not available>", "=> #1  m:f/1 at m.erl:7", "▾ y0 = x1 = {a,[b]}", "[1] = a",
    ]  # fmt: skip


def test_nothing_of_the_target_commands_the_terminal() -> None:
    row = json.loads(json.dumps({"row": "frame", "number": 0, "level": None, "function": "m:'\x1b[2J'/0", "note": "",
                                 "file": None, "line": None, "variables": []}))  # fmt: skip
    place: dict[str, Any] = {"stack": [row], "errors": {}, "elsewhere": None}
    (line,) = stack(asked({"beam-context -json source stack registers code": place}))
    assert "\x1b" not in line.text
    (_, cell) = table([{"pid": "\x1b]0;x\x07"}], COLUMNS[:1], Looks(), lambda _: None)
    assert cell.text.isprintable()
