"""What front ends see through GDB/MI: terms as values, Erlang functions as frames."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.gdb.conftest import reached
from tests.gdb.stages import SOON, go_to
from tests.harness.erl import running_node
from tests.harness.gdb import GDBINIT, REPOSITORY, Gdb, GdbError, one_line_error

PAYLOAD = '[payload,"of",<<"round">>]'


@pytest.fixture(scope="module")
def gdb(ebin: Path) -> Iterator[Gdb]:
    """A session with frame filters and pretty printing, as front ends have, in stages:third/1 called from leaf/3."""
    with running_node(ebin, "stages:start()") as node, reached(node, "stages:third/1") as (session, _):
        session.mi("-enable-frame-filters")
        session.mi("-enable-pretty-printing")
        if "stages:leaf/3" not in session.cmd("bt 2"):
            go_to(session, "stages:third/1", "stages:leaf/3")
        yield session


def test_a_term(gdb: Gdb) -> None:
    assert gdb.mi("-data-evaluate-expression x0")["value"] == '<<"third">>'
    assert gdb.mi("-data-evaluate-expression $_xreg(0)")["value"] == '<<"third">>'


def test_a_variable_object(gdb: Gdb) -> None:
    variable = gdb.mi("-var-create third * x0")
    assert variable["value"] == '<<"third">>'
    assert variable["type"] == "Eterm"
    gdb.mi("-var-delete third")


def test_frames(gdb: Gdb) -> None:
    frames = gdb.mi("-stack-list-frames")["stack"]
    assert [frame["func"] for frame in frames[:4]] == [
        "stages:third/1", "stages:leaf/3", "stages:protected/2", "stages:in_catch/2",
    ]  # fmt: skip
    assert frames[1]["file"].endswith("stages.erl")
    assert frames[-1]["func"].removeprefix("__GI___") == "clone3"
    # With frame filters GDB tells no full names.
    (raw,) = gdb.mi("-stack-list-frames --no-frame-filters 1 1")["stack"]
    assert raw["func"] == "stages:leaf/3"
    assert raw["fullname"] == frames[1]["file"]
    assert Path(raw["fullname"]).is_file()
    assert re.search(r"^#1 .* in stages:leaf/3 \(x0=.*\) at stages\.erl:\d+$", gdb.cmd("bt"), re.M)


def arguments(frame: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in frame["args"]}


def test_arguments(gdb: Gdb) -> None:
    frames = gdb.mi("-stack-list-arguments 1 0 2")["stack-args"]
    assert arguments(frames[0]) == {"$_arg(0,$pc)": '<<"third">>'}
    assert arguments(frames[1])["$_arg(0,$pc)"] == "first"
    assert arguments(frames[1])["$_arg(2,$pc)"] == "<not available>"


def test_variables(gdb: Gdb) -> None:
    """Of each frame, by names that can be evaluated there: editors do, before they show any."""
    thread = gdb.mi("-thread-info")["current-thread-id"]
    found = []
    for level in range(5):
        place = f"--thread {thread} --frame {level}"
        for one in gdb.mi(f"-stack-list-variables {place} 1")["variables"]:
            assert gdb.mi(f"-data-evaluate-expression {place} {one['name']}")["value"] == one["value"]
            found.append((level, one["name"]))
    assert (0, "$_arg(0,$pc)") in found
    assert {name for level, name in found if level} >= {"$_arg(0,$pc)", "y0"}


def test_variable_objects_keep_their_frames(gdb: Gdb) -> None:
    """GDB evaluates them anew at each stop, whichever frame is selected then."""
    thread = gdb.mi("-thread-info")["current-thread-id"]
    made = {}
    for level in range(4):
        place = f"--thread {thread} --frame {level}"
        names = [one["name"] for one in gdb.mi(f"-stack-list-variables {place} 0")["variables"]]
        for name in (*names, *(["$_yreg(0,$pc)"] if "y0" in names else [])):
            one = gdb.mi(f'-var-create {place} - * "{name}"')
            made[one["name"]] = one["value"]
    assert len(made) > 8
    for level in range(6):
        gdb.mi(f"-stack-select-frame {level}")
        assert gdb.mi("-var-update --all-values *")["changelist"] == []
    assert {name: gdb.mi(f"-var-evaluate-expression {name}")["value"] for name in made} == made
    for name in made:
        gdb.mi(f"-var-delete {name}")


@pytest.mark.parametrize(("level", "name"), [(0, "$_arg(0,$pc)"), (2, "$_arg(1,$pc)"), (2, "$_yreg(0,$pc)"), (2, "y0")])
def test_what_is_written(gdb: Gdb, level: int, name: str) -> None:
    """An argument is where `bt` finds it; a word is written, as it is in C."""
    thread = gdb.mi("-thread-info")["current-thread-id"]
    gdb.cmd(f"frame {level}")
    before = gdb.cmd(f"output/d {name}")
    one = gdb.mi(f"-var-create --thread {thread} --frame {level} - * {name}")["name"]
    assert gdb.mi(f"-var-show-attributes {one}")["attr"] == "editable"
    assert gdb.mi(f"-var-assign {one} 0x3f")["value"] == "3"
    gdb.cmd(f"frame {level}")
    assert re.search(r"^[xy]0 +3$", gdb.cmd("yreg" if level else "xreg 0"), re.M)
    gdb.mi(f"-var-assign {one} {before}")
    assert gdb.cmd(f"output/d {name}") == before
    gdb.mi(f"-var-delete {one}")


@pytest.mark.parametrize("wrong", ["1", "-1", "99999999999"])
def test_an_argument_that_there_is_not(gdb: Gdb, wrong: str) -> None:
    gdb.cmd("frame 0")  # GDB 10 leaves the one selected that a command was about
    assert f"there is no argument {wrong} of stages:third/1" in one_line_error(gdb, f"print $_arg({wrong})")


def test_keys_of_maps(ebin: Path) -> None:
    """Front ends put the names of variable objects between quotes, and not all of them escape what is in these."""
    with running_node(ebin, "keys:start()") as node, reached(node, "keys:hold/1") as (session, _):
        session.mi("-enable-pretty-printing")
        session.mi("-var-create map * x0")
        open_, seen = ["map"], {}
        while open_:
            name = open_.pop()
            for one in session.mi(f'-var-list-children --simple-values "{name}" 0 1000').get("children", []):
                seen[one["name"]] = one["value"]
                open_.append(one["name"])
    assert seen["map.<<''user''>>.''in it''.[1]"] == "1"
    assert seen["map.<<''a/n//''>>.[1]"] == "2"
    (first, second) = (name for name in seen if name.startswith("map.<<''kkk") and name.endswith(".[1]"))
    assert {seen[first], seen[second]} == {"3", "4"}


def test_an_outer_frame_does_not_know_x0(gdb: Gdb) -> None:
    thread = gdb.mi("-thread-info")["current-thread-id"]
    try:
        value = gdb.mi(f"-data-evaluate-expression --thread {thread} --frame 1 x0")["value"]
    except GdbError:
        return
    assert re.search("optimized out|not available", value)


def test_a_term_in_c(ebin: Path) -> None:
    with running_node(ebin, "stages:start()") as node, reached(node, "stage_reached") as (session, _):
        assert session.mi("-data-evaluate-expression argument")["value"] == "{argument,3}"


def test_breakpoints(gdb: Gdb) -> None:
    made = gdb.mi("-break-insert -t --function stages:leaf/3")["bkpt"]
    assert made["func"] == "stages:leaf/3"
    assert made["fullname"].endswith("stages.erl")
    stop = gdb.go("continue", timeout=SOON)
    assert stop.results["frame"]["func"] == "stages:leaf/3"


def test_a_step_is_one_stop(gdb: Gdb) -> None:
    stop = gdb.go("beam-next")
    assert stop.results["frame"]["func"] == "stages:leaf/3"
    assert stop.results["thread-id"]
    with pytest.raises(TimeoutError):
        gdb.wait_stop(timeout=0.2)


def configurations() -> list[dict[str, Any]]:
    """Those of the `launch.json` in the README."""
    readme = (REPOSITORY / "README.md").read_text()
    (text,) = re.findall(r"^    \{\n(?:     .*\n)+    \}\n", readme, re.M)
    found: list[dict[str, Any]] = json.loads(dedent(text))["configurations"]
    return found


def test_what_vs_code_does_by_the_readmes_launch_json(ebin: Path) -> None:
    """It sends these commands for a click on "attach", a function breakpoint, "continue", and what it shows then."""
    attach, core = configurations()
    assert {attach["type"], core["type"]} == {"cppdbg"}
    assert core["miDebuggerArgs"] == attach["miDebuggerArgs"]
    words = shlex.split(attach["miDebuggerArgs"].replace("/path/to/gdbinit", str(GDBINIT)))
    with running_node(ebin, "stages:start()") as node, Gdb(*words, load=None) as session:
        assert Path(attach["program"]).name == node.release.beam.name
        for command in attach["setupCommands"]:
            session.mi(command["text"])
        session.mi(f"-file-exec-and-symbols {node.release.beam}")
        made = session.mi("-break-insert -f stages:in_catch/2")["bkpt"]
        session.mi(f"-target-attach {node.pid}")
        session.wait_stop()
        session.mi("-exec-continue")
        stop = session.wait_stop()
        assert (stop.reason, stop.results["bkptno"]) == ("breakpoint-hit", made["number"])
        assert stop.results["frame"]["func"] == "stages:in_catch/2"
        thread = stop.results["thread-id"]
        frames = session.mi(f"-stack-list-frames --thread {thread} 0 2")["stack"]
        assert all(Path(frame["file"]).is_file() for frame in frames)
        names = [one["name"] for one in session.mi(f"-stack-list-variables --thread {thread} --frame 0 0")["variables"]]
        assert names[:2] == ["$_arg(0,$pc)", "$_arg(1,$pc)"]
        made = session.mi(f'-var-create --thread {thread} --frame 0 - * "{names[1]}"')
        assert made["value"] in (PAYLOAD, "{...}")  # so GDB 10 and 13
        session.mi(f"-var-create --thread {thread} --frame 0 payload * {names[1]}")
        children = session.mi("-var-list-children --all-values payload")["children"]
        assert [(one["exp"], one["value"]) for one in children] == [
            ("[1]", "payload"), ("[2]", '"of"'), ("[3]", '<<"round">>'),
        ]  # fmt: skip
