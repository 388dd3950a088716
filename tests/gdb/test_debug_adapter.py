"""What editors see through GDB's debug adapter, as VS Code and nvim use it: attached, launched, and on a core file."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jit.sandbox.debuggee import debuggee
from jit.sandbox.gdbs import SUITES, GdbSandbox
from tests.harness.core import write_core
from tests.harness.dap import Body, Dap, DapError
from tests.harness.erl import SETTINGS, TESTS, compile_demo, installed_release, running_node
from tests.harness.gdb import GDB, Gdb, installed_version
from tests.harness.targets import FLAGS, Target

SHOP = str(TESTS.parent / "demo" / "shop.erl")
LATER = str(TESTS / "erl" / "later.erl")
#: The adapter of GDB 13 lists no breakpoints and no scopes that editors could use: there GDB/MI is the way.
WITH_ADAPTER = [version for version in SUITES if version >= 16]


@pytest.fixture(scope="module", params=WITH_ADAPTER)
def program(request: pytest.FixtureRequest) -> str:
    """Each GDB that has such an adapter."""
    version = request.param
    return GDB if version == installed_version() else str(GdbSandbox(version).ensure().program)


@contextmanager
def loading(program: str, ebin: Path, folder: Path) -> Iterator[tuple[Dap, list[Body]]]:
    """Attached to a node that is about to load later.erl, in which breakpoints were set before; what was said of
    them."""
    with running_node(ebin, f'loads:start("{folder}")') as node:
        with Dap(program) as editor:
            told = editor.begin("attach", pid=node.pid, functions=["later:called/1"], lines={LATER: [10]})
            assert editor.wait("stopped")["reason"] == "attach"
            (folder / "load").touch()
            yield editor, told
        assert Path(f"/proc/{node.pid}").exists()


def place(editor: Dap, thread: int) -> tuple[str, int]:
    """The function and the line of the innermost frame."""
    frame = editor.frames(thread, 1)[0]
    return frame["name"], frame["line"]


def test_breakpoints_before_the_module_is_loaded_and_steps(program: str, ebin: Path, tmp_path: Path) -> None:
    with loading(program, ebin, tmp_path) as (editor, told):
        assert [one["verified"] for one in told] == [False, False]
        # (It went on once, to be attached to.)
        editor.wait("continued")
        stop = editor.go("continue", threadId=1)
        assert (stop["reason"], stop["hitBreakpointIds"]) == ("breakpoint", [told[1]["id"]])
        # The program is stopped for each module that is loaded, but of that editors see nothing.
        assert Counter(one["event"] for one in editor.events)["continued"] == 0
        thread = stop["threadId"]

        frames = editor.frames(thread)
        assert [one["name"] for one in frames[:2]] == ["later:called/1", "loads:turn/3"]
        assert frames[0]["source"]["path"] == LATER
        (x0, *_) = editor.variables(frames[0]["id"])
        assert x0["name"] == "x0"
        assert re.fullmatch(r"\{round,\d+\}", x0["value"])
        first, second = editor.children(x0)
        assert (first["name"], first["value"]) == ("[1]", "round")
        assert second["value"].isdecimal()
        watched = editor.ask("evaluate", expression="x0", context="watch", frameId=frames[0]["id"])
        assert watched["result"] == x0["value"]
        assert "loads:turn/3" in editor.repl("beam-bt loads")
        for frame, name, register in ((frames[0]["id"], "x0", "$_xreg(0)"), (frames[1]["id"], "y0", "$_yreg(0)")):
            before = editor.repl(f"output/d {register}", frame)
            assert write(editor, frame, name, "0x3f") == editor.repl(f"output {register}", frame) == "3"
            write(editor, frame, name, before)

        # A step that ends at a breakpoint is a hit of that.
        lines = [{"line": 10}, {"line": 6}]
        _, here = editor.ask("setBreakpoints", source={"path": LATER}, breakpoints=lines)["breakpoints"]
        editor.events.clear()
        assert editor.go("next", threadId=thread)["hitBreakpointIds"] == [here["id"]]
        assert place(editor, thread) == ("later:called/1", 6)
        assert editor.go("next", threadId=thread)["hitBreakpointIds"] == [told[0]["id"]]
        assert place(editor, thread) == ("later:inner/1", 10)
        editor.ask("setBreakpoints", source={"path": LATER}, breakpoints=[])
        assert editor.go("stepOut", threadId=thread)["reason"] == "step"
        assert place(editor, thread)[0] == "later:called/1"
        assert editor.go("stepIn", threadId=thread)["reason"] == "step"
        editor.repl("beam-next")
        assert editor.wait("stopped")["reason"] == "step"
        numbers = [one["body"]["breakpoint"]["id"] for one in editor.events if one["event"] == "breakpoint"]
        assert all(number > 0 for number in numbers)
        assert Counter(one["event"] for one in editor.events)["stopped"] == 0


def write(editor: Dap, frame: int, name: str, value: str) -> str:
    """Write a variable as an editor does for who types into its list; the new value."""
    for scope in editor.ask("scopes", frameId=frame)["scopes"]:
        if name in [one["name"] for one in editor.children(scope)]:
            reference = scope["variablesReference"]
            written: str = editor.ask("setVariable", variablesReference=reference, name=name, value=value)["value"]
            return written
    raise AssertionError(f"no variable {name}")


def test_interpreted_code(tmp_path: Path) -> None:
    """There GDB has no breakpoints of its own."""
    target, folder = Target("armhf", 29), tmp_path
    arguments = [*FLAGS, "-noinput", "-pa", str(target.ebin), "-eval", f'loads:start("{folder}").']
    (folder / "load").touch()
    with (
        debuggee(target.sandbox, arguments, stdout=subprocess.DEVNULL, environment=SETTINGS) as node,
        Dap(str(GdbSandbox(18).ensure().program), *target.sandbox.gdb_settings(target.ebin)) as editor,
    ):
        called, never = {"name": "later:called/1"}, {"condition": "1 == 2"}
        how = {"program": str(target.sandbox.beam), "target": node.address}
        by_line, by_name = editor.begin("attach", functions=[called["name"]], lines={LATER: [10]}, **how)
        editor.wait("stopped")
        stop = editor.go("continue", threadId=1)
        assert (stop["reason"], stop["hitBreakpointIds"]) == ("breakpoint", [by_name["id"]])
        thread = stop["threadId"]
        assert erlang_place(editor, thread) == ("later:called/1", 5)
        (there,) = editor.ask("setBreakpoints", source={"path": LATER}, breakpoints=[{"line": 10}])["breakpoints"]
        assert (there["verified"], there["line"]) == (True, 10)
        assert editor.go("next", threadId=thread)["reason"] == "step"
        assert erlang_place(editor, thread) == ("later:called/1", 6)
        stop = editor.go("next", threadId=thread)
        assert (stop["reason"], stop["hitBreakpointIds"]) == ("breakpoint", [by_line["id"]])
        assert erlang_place(editor, thread) == ("later:inner/1", 10)
        assert editor.go("stepOut", threadId=thread)["reason"] == "step"
        assert erlang_place(editor, thread)[0] == "later:called/1"
        assert editor.go("stepIn", threadId=thread)["reason"] == "step"
        # A condition that is given later counts.
        editor.ask("setBreakpoints", source={"path": LATER}, breakpoints=[{"line": 10, **never}])
        assert editor.go("continue", threadId=thread)["hitBreakpointIds"] == [by_name["id"]]
        # A logpoint says something where it is, in the Erlang frame, and stops nothing; of those at one place each has
        # its own condition.
        logs = [{"line": 10, "logMessage": "twice {x0}, {$_eterm(x0)}"}, {"line": 10, "logMessage": "never", **never}]
        rounds = [round_of(editor, thread) + one for one in (0, 1)]
        stops = [{"line": 10, "condition": f'$_streq($_eterm(x0), "{rounds[1]}")'}, {"line": 10, **never}]
        *_, third, _ = editor.ask("setBreakpoints", source={"path": LATER}, breakpoints=[*logs, *stops])["breakpoints"]
        editor.ask("setFunctionBreakpoints", breakpoints=[])
        editor.events.clear()
        assert third["id"] in editor.go("continue", threadId=thread)["hitBreakpointIds"]
        assert erlang_place(editor, thread) == ("later:inner/1", 10)
        said = [one["body"]["output"] for one in editor.events if one["event"] == "output"]
        assert [one for one in said if one.startswith(("twice", "never"))] == [f'twice {n}, "{n}"' for n in rounds]
        assert Counter(one["event"] for one in editor.events)["stopped"] == 0


def round_of(editor: Dap, thread: int) -> int:
    """The argument of later:called/1, where that was just called."""
    frame = next(one for one in editor.frames(thread) if "source" in one)
    (x0, *_) = editor.variables(frame["id"])
    return int(x0["value"].removeprefix("{round,").removesuffix("}"))


def erlang_place(editor: Dap, thread: int) -> tuple[str, int]:
    """The function and the line of the first frame that has a source: editors go to that."""
    frame = next(one for one in editor.frames(thread) if "source" in one)
    return frame["name"], frame["line"]


def test_launched(program: str, tmp_path: Path) -> None:
    """As in the README: what `erl` would start."""
    release = installed_release()
    arguments = release.arguments(compile_demo(tmp_path), "shop:start()", "-S", "1")
    with Dap(program) as editor:
        (told,) = editor.begin(
            "launch", program=str(release.beam), args=arguments, env=release.environment(), functions=["shop:price/1"]
        )
        stop = editor.wait("stopped")
        assert (stop["reason"], stop["hitBreakpointIds"]) == ("breakpoint", [told["id"]])
        thread = stop["threadId"]
        assert place(editor, thread) == ("shop:price/1", 28)
        (x0, *_) = editor.variables(editor.frames(thread, 1)[0]["id"])
        assert [one["name"] for one in editor.children(x0)] == ["[1]", "[2]", "[3]"]
        assert editor.go("stepOut", threadId=thread)["reason"] == "step"
        frame = editor.frames(thread, 1)[0]
        returned = next(one for one in editor.ask("scopes", frameId=frame["id"])["scopes"] if one["name"] == "Return")
        assert editor.children(returned)[0]["value"] in ("900", "620", "3541774862152233910272")


def is_traced(pid: int) -> bool:
    """Whether a process is stopped by its debugger."""
    return "State:\tt" in Path(f"/proc/{pid}/status").read_text()


def test_a_step_that_waits(program: str, ebin: Path) -> None:
    """The program runs meanwhile, as in a step of C: what needs one that stands is refused, and it can be paused."""
    release = installed_release()
    arguments = release.arguments(ebin, "tails:start()", "-S", "1")
    with Dap(program) as editor:
        editor.begin(
            "launch", program=str(release.beam), args=arguments, env=release.environment(), functions=["tails:park/0"]
        )
        thread = editor.wait("stopped")["threadId"]
        for frame in editor.frames(thread):
            scopes = {one["name"]: one for one in editor.ask("scopes", frameId=frame["id"])["scopes"]}
            assert {"rsp", "rbp", "rip"} <= {one["name"] for one in editor.children(scopes["Registers"])}
        pid = editor.wait("process")["systemProcessId"]
        editor.events.clear()
        editor.ask("next", threadId=thread)
        # A request that comes before GDB has begun with the step would wait until its end, in GDB itself.
        while is_traced(pid):
            time.sleep(0.01)
        with pytest.raises(DapError, match="notStopped"):
            editor.frames(thread)
        assert editor.go("pause", threadId=thread)["reason"] == "pause"
        assert "tails:t9/0" in editor.repl("beam-bt tails")
        assert [one for one in editor.events if one["event"] in ("stopped", "continued")] == []


def test_a_core_file(tmp_path: Path) -> None:
    """The adapter reads cores from GDB 18 on."""
    program = str(GdbSandbox(18).ensure().program) if installed_version() != 18 else GDB
    core = tmp_path / "core"
    with running_node(compile_demo(tmp_path), "shop:start()", "+S", "1", "+MIscs", "32") as node, Gdb() as gdb:
        gdb.attach(node.pid)
        gdb.cmd("tbreak -function shop:price/1")
        gdb.go("continue")
        write_core(gdb, core, node.pid)
    with Dap(program) as editor:
        editor.begin("attach", program=str(installed_release().beam), coreFile=str(core))
        editor.wait("stopped")
        threads = editor.ask("threads")["threads"]
        ((thread, name),) = (
            (one["id"], one["name"]) for one in threads if editor.frames(one["id"], 1)[0]["name"].startswith("shop:")
        )
        assert re.fullmatch("1_scheduler|erts_sched_1", name)
        frames = {one["name"]: one for one in reversed(editor.frames(thread))}
        assert frames["shop:total/2"]["source"]["path"] == SHOP
        local = next(one for one in editor.variables(frames["shop:total/2"]["id"]) if one["name"] == "y0")
        parts = {one["name"]: one for one in editor.children(local)}
        assert set(parts) == {"discount", "'e-mail'", "name", "since"}
        assert parts["name"]["value"] == '<<"Åsa"/utf8>>'
        assert [one["value"] for one in editor.children(parts["since"])] == ["1998", "5", "20"]
        other = next(one["id"] for one in threads if one["id"] != thread)
        for request, one in (("next", thread), ("stepOut", thread), ("stepIn", other), ("continue", other)):
            with pytest.raises(DapError, match="this is a core file"):
                editor.ask(request, threadId=one)
        assert editor.frames(thread)
