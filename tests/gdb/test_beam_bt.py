"""`beam-bt`: the Erlang stack of any process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.gdb.conftest import Looking
from tests.gdb.stages import SOON, go_to, line_of, read_backtrace, read_backtraces
from tests.harness.erl import running_node
from tests.harness.gdb import Gdb, one_line_error

PAYLOAD = '[payload,"of",<<"round">>]'
INSIDE = re.compile(r"stages:c_function/1 stages:in_nif/2 (stages:all/3 )+stages:round/2 stages:loop/1")


def pid_of(heading: str) -> str:
    match = re.match(r"Process <(0\.\d+\.\d+)>", heading)
    assert match, heading
    return match[1]


# -- which process ----------------------------------------------------------------------------------------------------


def test_the_process_of_the_selected_thread(looking: Looking) -> None:
    shown = read_backtrace(looking.gdb.cmd("beam-bt"))
    spawned = r"Process <0\.\d+\.0> stages, spawned as stages:loop/1"
    thread = r"running on thread \d+( \((\d_scheduler|erts_sched_\d)\))?"
    assert re.fullmatch(f"{spawned}: {thread}", shown.heading)
    assert INSIDE.fullmatch(" ".join(shown.names()))
    assert shown.functions[0].registers == {"x0": "{argument,3}"}
    inner, outer = shown.first("stages:in_nif/2"), shown.first("stages:round/2")
    (number,) = shown.first("stages:loop/1").registers.values()
    assert set(inner.registers.values()) == set(outer.registers.values()) == {number, PAYLOAD}
    assert inner.file.endswith("stages.erl")
    assert inner.line == line_of("stages", "c_function({argument, 3})")


def test_an_outer_frame_selected_changes_nothing(looking: Looking) -> None:
    before = looking.gdb.cmd("beam-bt")
    looking.up_to("stages:round/2")
    assert looking.gdb.cmd("beam-bt") == before
    assert "stages:round/2" in looking.gdb.cmd("frame")


def test_by_name_pid_and_address(looking: Looking) -> None:
    gdb = looking.gdb
    expected = gdb.cmd("beam-bt")
    pid = pid_of(expected)
    for who in ("stages", "'stages'", pid, f"<{pid}>"):
        assert gdb.cmd(f"beam-bt {who}") == expected
    looking.up_to("stages:in_nif/2")
    address = re.search(r"0x[0-9a-f]+", gdb.cmd("p/x $r13"))
    assert address
    for who in (address[0], str(int(address[0], 16)), "$r13"):
        assert gdb.cmd(f"beam-bt {who}") == expected


def test_all(looking: Looking) -> None:
    gdb = looking.gdb
    shown = read_backtraces(gdb.cmd("beam-bt all"))
    count = re.search(r"^processes: +(\d+)$", gdb.cmd("beam-info"), re.M)
    assert count
    assert len(shown) == int(count[1])
    assert len({pid_of(one.heading) for one in shown}) == len(shown)
    headings = "\n".join(one.heading for one in shown)
    for name in ("init", "code_server", "application_controller", "terms_holder", "words_holder", "busy", "stages"):
        assert re.search(rf"^Process <0\.\d+\.0> {name}, ", headings, re.M)
    assert all(one.functions for one in shown)
    by_pid = {pid_of(one.heading): one for one in shown}
    for pid in list(by_pid)[:5]:
        assert read_backtrace(gdb.cmd(f"beam-bt {pid}")) == by_pid[pid]


def test_limit(looking: Looking) -> None:
    gdb = looking.gdb
    whole = gdb.cmd("beam-bt stages").splitlines()
    for command in ("beam-bt -limit 1 stages", "beam-bt stages -limit 1", "beam-bt -limit 1"):
        cut = gdb.cmd(command).splitlines()
        assert cut[:-1] == whole[: len(cut) - 1]
        assert sum(line.startswith("#") for line in cut) == 1
        assert "more frames" in cut[-1]
    assert re.fullmatch(r"\(\d+ more frames: -limit 0\)", gdb.cmd("beam-bt -limit 0 stages").splitlines()[-1])
    assert gdb.cmd("beam-bt -limit 1000 stages").splitlines() == whole
    assert len(re.findall(r"^#1 ", gdb.cmd("beam-bt all -limit 1"), re.M)) == 0


# -- what it is doing -------------------------------------------------------------------------------------------------


def test_a_waiting_process_with_catches(looking: Looking) -> None:
    shown = read_backtrace(looking.gdb.cmd("beam-bt terms_holder"))
    assert shown.heading.endswith(" terms_holder, spawned as terms:hold/1: waiting")
    assert shown.names()[:2] == ["terms:park/2", "terms:hold/1"]
    catches = [text for text in shown.first("terms:hold/1").registers.values() if "catch" in text]
    assert catches
    assert all(re.match(r"<catch terms:hold/1\+\d+>", text) for text in catches)


def test_y_registers_are_terms(looking: Looking) -> None:
    """All that the process holds, by what Erlang itself prints."""
    gdb = looking.gdb
    for limit in ("depth", "width", "bytes"):
        gdb.cmd(f"set beam-{limit} 100000")
    try:
        shown = read_backtrace(gdb.cmd("beam-bt terms_holder"))
    finally:
        for limit, default in (("depth", 12), ("width", 50), ("bytes", 200)):
            gdb.cmd(f"set beam-{limit} {default}")
    held = set(shown.functions[0].registers.values())
    printed = dict(line.split("\t") for line in looking.node.said.splitlines() if "\t" in line)
    # Deeper than any limit: test_eterm.py has it.
    del printed["nested_list"]
    assert len(printed) > 40
    assert set(printed.values()) - held == set()


def test_a_suspended_process_has_its_arguments(looking: Looking) -> None:
    shown = read_backtrace(looking.gdb.cmd("beam-bt terms_suspended"))
    assert shown.heading.endswith(": suspended")
    assert shown.names() == ["terms:turn/6"]
    registers = shown.functions[0].registers
    assert re.fullmatch(r"<0\.\d+\.0>", registers["x0"])
    assert 1 <= int(registers["x1"]) <= 1000
    assert [registers[f"x{number}"] for number in range(2, 6)] == [
        "1.5", '<<"x register">>', "{in,[x,registers]}", str(1 << 80),
    ]  # fmt: skip


def test_a_match_context(looking: Looking) -> None:
    shown = read_backtrace(looking.gdb.cmd("beam-bt terms_matching"))
    assert shown.heading.endswith(": waiting")
    assert "terms:walk/2" in shown.names()
    texts = [text for one in shown.functions for text in one.registers.values()]
    assert any("match context" in text and "st......" in text for text in texts)


def test_catch_and_try(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    shown = read_backtrace(stages_gdb.cmd("beam-bt"))
    for function in ("stages:protected/2", "stages:in_catch/2"):
        (catch,) = (text for text in shown.first(function).registers.values() if "catch" in text)
        assert re.match(rf"<catch {function}\+\d+>", catch)


def test_an_exiting_process(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "erts_continue_exit_process", "stages:exit_with/1")
    text = stages_gdb.cmd("beam-bt")
    assert "non-value" not in text
    shown = read_backtrace(text)
    assert re.match(r"Process <0\.\d+\.\d+>.*: exiting on thread \d+", shown.heading)
    assert shown.names() == ["stages:exit_with/1", "stages:die/1"]
    assert list(shown.functions[1].registers.values()) == ["{last,words}"]
    assert stages_gdb.cmd(f"beam-bt {pid_of(shown.heading)}") == text


def test_a_process_in_a_dirty_nif(stages_gdb: Gdb) -> None:
    stages_gdb.cmd("tbreak -function dirty_stage_reached")
    stages_gdb.go("continue", timeout=SOON)
    text = stages_gdb.cmd("beam-bt")
    shown = read_backtrace(text)
    assert re.search(r" stages, .*: running on thread \d+ \((\d_dirty_cpu|erts_dcpus_\d)", shown.heading)
    assert shown.names()[:2] == ["stages:dirty_c_function/1", "stages:in_dirty_nif/2"]
    assert shown.functions[0].registers == {"x0": "[dirty,argument]"}
    stages_gdb.cmd("thread 1")
    assert stages_gdb.cmd("beam-bt stages") == text


@pytest.mark.parametrize(
    ("function", "caller"),
    [
        ("md5_1", "stages:in_bif/2"),
        ("erts_mixed_plus", "stages:in_arithmetic/2"),
        ("stage_reached", "stages:in_nif/2"),
        ("erts_garbage_collect_nobump", "stages:make/2"),
        ("stages:third/1", "stages:leaf/3"),
    ],
)
def test_a_running_process(stages_gdb: Gdb, function: str, caller: str) -> None:
    go_to(stages_gdb, function, caller)
    shown = read_backtrace(stages_gdb.cmd("beam-bt"))
    names = shown.names()
    assert caller in names[:2]
    assert names[-2:] == ["stages:round/2", "stages:loop/1"]
    (number,) = shown.functions[-1].registers.values()
    assert set(shown.functions[-2].registers.values()) == {number, PAYLOAD}
    stages_gdb.cmd("thread 1")
    assert stages_gdb.cmd("beam-bt stages").splitlines()[1:] == read_lines(stages_gdb, shown.heading)


def read_lines(gdb: Gdb, heading: str) -> list[str]:
    """The stack of the process that a heading names, without the heading."""
    return gdb.cmd(f"beam-bt {pid_of(heading)}").splitlines()[1:]


# -- what it is not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("<0.9999.0>", "no process"),
        ("0.9999.77", "no process"),
        ("no_such_name", "no process is registered as 'no_such_name'"),
        ("0", "no process"),
        ("0x10", "no process"),
        ("-limit", "limit"),
        ("-limit x stages", "limit"),
        ("-nonsense", "beam-bt"),
        ("1.5", "no"),
    ],
)
def test_errors(looking: Looking, who: str, why: str) -> None:
    assert why in one_line_error(looking.gdb, f"beam-bt {who}")


def test_a_thread_without_erlang(looking: Looking) -> None:
    """The VM's first one."""
    thread = next(
        match[1]
        for line in looking.gdb.cmd("info threads").splitlines()
        if (match := re.match(rf"[* ]+(\d+) .*LWP {looking.node.pid}\b", line))
    )
    looking.gdb.cmd(f"thread {thread}")
    assert "no Erlang process" in one_line_error(looking.gdb, "beam-bt")


def test_completion(looking: Looking) -> None:
    gdb = looking.gdb
    assert gdb.cmd("complete beam-bt stag").splitlines() == ["beam-bt stages"]
    everything = gdb.cmd("complete beam-bt ").splitlines()
    assert {"beam-bt all", "beam-bt init", "beam-bt terms_holder"} <= set(everything)
    pids = [line.removeprefix("beam-bt ") for line in everything if "<0." in line]
    assert pids
    assert gdb.cmd(f"complete beam-bt {pids[0][:-1]}").splitlines() == [f"beam-bt {pids[0]}"]
    assert pids[0] in gdb.cmd(f"beam-bt {pids[0]}")


def test_help(looking: Looking) -> None:
    text = looking.gdb.cmd("help beam-bt")
    assert "Usage: beam-bt" in text
    assert "PROCESS" in text


def test_a_hundred_frames(ebin: Path) -> None:
    deep = "register(deep, spawn(fun() -> (fun F(0) -> receive stop -> ok end; F(N) -> [F(N - 1)] end)(100) end))"
    with running_node(ebin, deep) as node, Gdb() as gdb:
        gdb.attach(node.pid)
        said = gdb.cmd("beam-bt deep")
    numbers = [int(number) for number in re.findall(r"^#(\d+) +0x[0-9a-f]+ in ", said, re.M)]
    assert len(numbers) > 100
    assert numbers == list(range(len(numbers)))
