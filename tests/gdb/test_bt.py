"""GDB's own `bt`, `up` and `frame`: from C through Erlang to the process's first function, and on to the thread's."""

from __future__ import annotations

import re

import pytest

from jit.otp.layouts.layout import nearest
from tests.gdb.stages import SOON, TRIES, Frame, breakpoint_number, functions, go_to, line_of, read_frames
from tests.harness.builds import identity
from tests.harness.erl import Node, Release
from tests.harness.gdb import Gdb, GdbError

PAYLOAD = '[payload,"of",<<"round">>]'
OUTSIDE = ["stages:round/2", "stages:loop/1", "erts_beamasm:normal_exit/0", "global::process_main"]


def frames(gdb: Gdb) -> list[Frame]:
    return read_frames(gdb.cmd("bt"))


def without_all(names: list[str]) -> list[str]:
    """How often stages:all/3 calls itself depends on the stage."""
    return [name for name in names if name != "stages:all/3"]


def assert_whole(shown: list[Frame], *innermost: str) -> None:
    """From the functions `innermost` through the Erlang ones down to the start of the thread."""
    names = without_all(functions(shown))
    assert names[: len(innermost)] == list(innermost)
    assert names[len(innermost) : len(innermost) + 4] == OUTSIDE
    assert names[-2:] == ["start_thread", "clone3"]
    base = next(frame for frame in shown if frame.function == OUTSIDE[2])
    assert re.fullmatch(r"process <0\.\d+\.0> stages, spawned as stages:loop/1", base.note)
    erlang = [frame for frame in shown if frame.function.startswith("stages:")]
    assert all(frame.place.startswith("stages.erl:") for frame in erlang)
    round_number = int(shown[functions(shown).index("stages:loop/1")].arguments["x0"])
    inside = next(frame for frame in erlang if frame.function == "stages:round/2")
    assert inside.arguments == {"x0": str(round_number), "x1": PAYLOAD}


def argument_of(shown: list[Frame], function: str) -> dict[str, str]:
    """Arguments of the innermost call of an Erlang function."""
    return next(frame for frame in shown if frame.function == function).arguments


def test_in_a_bif(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "md5_1", "stages:in_bif/2")
    shown = frames(stages_gdb)
    assert_whole(shown, "md5_1", "global::call_light_bif_shared", "stages:in_bif/2")
    assert shown[1].note == "erlang:md5/1"
    assert shown[2].arguments["x1"] == PAYLOAD
    assert shown[2].place == f"stages.erl:{line_of('stages', 'erlang:md5(')}"


def test_in_arithmetic(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "erts_mixed_plus", "stages:in_arithmetic/2")
    shown = frames(stages_gdb)
    fragment = shown[1].function
    assert fragment.startswith("global::plus")
    assert_whole(shown, "erts_mixed_plus", fragment, "stages:in_arithmetic/2")
    assert shown[2].place == f"stages.erl:{line_of('stages', '1 bsl 70')}"


def test_in_a_nif(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stage_reached", "stages:in_nif/2")
    shown = frames(stages_gdb)
    called = functions(shown)[2]
    assert called.startswith("beam_jit_call_nif")
    assert_whole(shown, "stage_reached", "c_function", called, "global::call_nif_shared", "stages:in_nif/2")
    assert shown[3].arguments == {"x0": "{argument,3}"}
    assert shown[3].note == "stages:c_function/1"
    assert shown[0].place.endswith("stages_nif.c:6") or shown[0].place.endswith("stages_nif.c:5")


def test_a_term_in_c(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stage_reached", "stages:in_nif/2")
    assert frames(stages_gdb)[0].arguments["argument"] == "{argument,3}"
    assert stages_gdb.cmd("p argument").endswith(" = {argument,3}\n")


def test_in_a_dirty_nif(stages_gdb: Gdb) -> None:
    """The Erlang stack lies elsewhere than that thread's: its frames follow those of C code."""
    stages_gdb.cmd("tbreak -function dirty_stage_reached")
    stages_gdb.go("continue", timeout=SOON)
    shown = frames(stages_gdb)
    names = functions(shown)
    assert names[:2] == ["dirty_stage_reached", "dirty_c_function"]
    at = names.index("erts_dirty_process_main")
    assert (shown[at].note, shown[at].arguments) == ("stages:dirty_c_function/1", {"x0": "[dirty,argument]"})
    assert names[at + 1 : at + 3] == ["stages:in_dirty_nif/2", "stages:all/3"]
    assert names[-3:] == ["stages:round/2", "stages:loop/1", "erts_beamasm:normal_exit/0"]
    assert PAYLOAD in shown[at + 1].arguments.values()
    stages_gdb.cmd(f"frame {at + 1}")
    assert PAYLOAD in stages_gdb.cmd("yreg")
    assert "dirty_c_function(" in stages_gdb.cmd("frame")


def test_in_the_garbage_collector(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "erts_garbage_collect_nobump", "stages:make/2")
    shown = frames(stages_gdb)
    assert_whole(shown, "erts_garbage_collect_nobump", "global::garbage_collect", "stages:make/2", "stages:in_gc/2")
    left, made = shown[2].arguments["x0"], shown[2].arguments["x1"]
    assert made.startswith(f"[{{{int(left) + 1}}},{{{int(left) + 2}}},")
    assert argument_of(shown, "stages:in_gc/2")["x1"] == PAYLOAD


def test_in_the_middle_of_a_collection(stages_gdb: Gdb) -> None:
    """Frames are the same wherever the collector is, also where it has moved one end of the stack and not the other."""
    go_to(stages_gdb, "erts_garbage_collect_nobump", "stages:make/2")
    expected = functions(frames(stages_gdb))[1:]
    for _ in range(40):
        stages_gdb.go("stepi 50")
        shown = functions(frames(stages_gdb))
        if expected[0] not in shown:
            break
        assert shown[shown.index(expected[0]) :] == expected


def number(gdb: Gdb, expression: str) -> int:
    """An unsigned word, as GDB knows it."""
    return int(gdb.cmd(f"print/x (unsigned long) ({expression})").split()[-1], 16)


@pytest.mark.parametrize("caller", ["stages:make/2", "erts_execute_dirty_system_task"])
def test_when_the_stack_has_moved_and_its_end_has_not(stages_gdb: Gdb, release: Release, caller: str) -> None:
    """Wherever the allocator has put the new heap: above the old one, the whole stack is past the old end. Large heaps
    are collected on dirty schedulers."""
    layout = nearest(identity(release.beam))
    for _ in range(TRIES):
        if caller != "stages:make/2":
            go_to(stages_gdb, caller, "stages:make/2")
        go_to(stages_gdb, "erts_garbage_collect_nobump", caller)
        expected = functions(frames(stages_gdb))[1:]
        stop, end = (number(stages_gdb, f"$rdi + {layout.offset('Process', name)}") for name in ("stop", "hend"))
        old_end = number(stages_gdb, f"*(long *) {end}")
        watchpoint = breakpoint_number(stages_gdb.cmd(f"watch *(long *) {stop}"))
        stages_gdb.go("continue", timeout=SOON)
        stages_gdb.cmd(f"delete {watchpoint}")
        if number(stages_gdb, f"*(long *) {end}") == old_end:
            break
    else:
        raise AssertionError("each collection was stopped too late")
    # (The collector's own function has no name.)
    assert re.search(r"^#0 .* in \?\? \(\)$", stages_gdb.cmd("bt 1"), re.M)
    # On which side the new heap is, is the allocator's choice: so the end is put on the other one too.
    for one in (old_end, number(stages_gdb, f"*(long *) {stop}") - 8, old_end):
        stages_gdb.cmd(f"set var *(long *) {end} = {one}")
        shown = functions(frames(stages_gdb))
        assert shown[shown.index(expected[0]) :] == expected


def test_in_a_shared_fragment(stages_gdb: Gdb) -> None:
    """At each instruction from the call of a fragment until C is reached."""
    address = fragment_address(stages_gdb, "global::call_light_bif_shared")
    number = breakpoint_number(stages_gdb.cmd(f"break *{address:#x}"))
    try:
        for _ in range(200):
            stages_gdb.go("continue", timeout=SOON)
            if "stages:in_bif/2" in stages_gdb.cmd("bt 3"):
                break
        else:
            raise AssertionError("not reached")
    finally:
        stages_gdb.cmd(f"delete {number}")
    for _ in range(12):
        shown = frames(stages_gdb)
        assert_whole(shown, "global::call_light_bif_shared", "stages:in_bif/2")
        stages_gdb.go("stepi")
        if frames(stages_gdb)[0].function != "global::call_light_bif_shared":
            break


def fragment_address(gdb: Gdb, name: str) -> int:
    match = re.search(r"0x[0-9a-f]+", gdb.cmd(f"info address {name}"))
    assert match
    return int(match[0], 16)


def test_at_each_instruction_of_erlang_code(stages_gdb: Gdb) -> None:
    """Calls, a BIF, frame being built, body, epilogue: the callers are always the same."""
    go_to(stages_gdb, "stages:leaf/3", "stages:protected/2")
    outside = functions(read_frames(stages_gdb.cmd("bt -no-filters")))[1:]
    seen = set()
    for _ in range(150):
        names = functions(read_frames(stages_gdb.cmd("bt -no-filters")))
        if names[0] == outside[0]:
            break
        assert names[-len(outside) :] == outside, stages_gdb.cmd("x/i $pc")
        seen |= set(names[: -len(outside)])
        stages_gdb.go("stepi")
    else:
        raise AssertionError("leaf/3 did not return")
    assert {"stages:leaf/3", "stages:third/1"} <= seen


def test_arguments_in_outer_frames(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    shown = frames(stages_gdb)
    assert shown[0].arguments == {"x0": '<<"third">>'}
    leaf = argument_of(shown, "stages:leaf/3")
    assert leaf["x0"] == "first"
    # Nobody needs the third argument after the call: it is kept nowhere.
    assert leaf["x2"] == "<not available>"


def test_outer_frames_have_no_x_registers(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    assert stages_gdb.cmd("p x0").endswith(' = <<"third">>\n')
    for _ in range(3):
        stages_gdb.cmd("up")
        assert "third" not in stages_gdb.cmd("p x0", check=False)
        assert re.search(r"<optimized out>|<not available>|optimized out", stages_gdb.cmd("p x0", check=False))
        with pytest.raises(GdbError, match="not available"):
            stages_gdb.cmd("xreg 0")
    assert "third" not in stages_gdb.cmd("info locals")


def test_full(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    lines = stages_gdb.cmd("bt -full").splitlines()

    def index(function: str) -> int:
        return next(number for number, line in enumerate(lines) if f" {function} (" in line)

    protected = index("stages:protected/2")
    y = [line.strip() for line in lines[index("stages:leaf/3") + 1 : protected]]
    assert {line.split(" = ")[1] for line in y} >= {"first"}
    assert all(re.fullmatch(r"y\d+ = .+", line) for line in y)
    assert any("catch" in line for line in lines[protected + 1 : index("stages:in_catch/2")])


def test_selecting_frames(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    up = stages_gdb.cmd("up")
    line = line_of("stages", "Size = third(Third),")
    assert re.match(rf"#1 .* stages:leaf/3 \(.*\) at stages\.erl:{line}\n{line}\t +Size = third\(Third\),\n", up)
    assert " stages:protected/2 (" in stages_gdb.cmd("frame 2")
    assert " stages:leaf/3 (" in stages_gdb.cmd("down")
    assert "stages:leaf/3" in stages_gdb.cmd("info frame")
    assert re.search(r"\$\d+ = .*stages:leaf/3", stages_gdb.cmd("p $pc"))
    stages_gdb.cmd("frame 0")


def test_limits_of_bt(stages_gdb: Gdb) -> None:
    go_to(stages_gdb, "stages:third/1", "stages:leaf/3")
    everything = functions(frames(stages_gdb))
    assert functions(read_frames(stages_gdb.cmd("bt 3"))) == everything[:3]
    assert functions(read_frames(stages_gdb.cmd("bt -3"))) == everything[-3:]
    raw = functions(read_frames(stages_gdb.cmd("bt -no-filters 5")))
    assert raw == everything[:5]


@pytest.mark.parametrize("shown", ["source-line", "source-and-location"])
def test_frames_with_their_source(stages_gdb: Gdb, shown: str) -> None:
    """There frame filters end GDB itself, at frames without source, which this stack has too; so there is none."""
    go_to(stages_gdb, "md5_1", "stages:in_bif/2")
    stages_gdb.cmd(f"set print frame-info {shown}")
    try:
        said = stages_gdb.cmd("bt")
    finally:
        stages_gdb.cmd("set print frame-info auto")
    assert re.search(rf"^(?:0x\w+\t)?{line_of('stages', 'erlang:md5(')}\t.*\berlang:md5\(", said, re.M)
    assert re.search(r"^#\d+ .* in erts_beamasm:normal_exit/0 \(\)$", said, re.M)
    assert re.search(r"\bclone3\b", said)
    assert_whole(frames(stages_gdb), "md5_1", "global::call_light_bif_shared", "stages:in_bif/2")


def test_an_idle_scheduler(stages_gdb: Gdb) -> None:
    number = idle_scheduler(stages_gdb)
    names = functions(read_frames(stages_gdb.cmd(f"thread apply {number} bt")))
    assert names[-5:-4] == ["global::process_main"]
    assert names[-2:] == ["start_thread", "clone3"]
    assert not any(name.startswith("erts_beamasm:") for name in names)


def idle_scheduler(gdb: Gdb) -> str:
    """A thread that waits for events. On a busy machine there is not one at each moment."""
    for _ in range(20):
        for line in gdb.cmd("info threads").splitlines():
            number = re.match(r"[* ]+(\d+) .*\"(?:\d_scheduler|erts_sched_\d)\"", line)
            if number and "erts_poll_wait" in gdb.cmd(f"thread apply {number[1]} bt"):
                return number[1]
        gdb.cmd("continue")
        gdb.interrupt()
    raise AssertionError("no scheduler is ever idle")


def test_names_are_known_in_code_of_beamasm(stages_gdb: Gdb) -> None:
    """All threads, wherever an interruption finds them."""
    for _ in range(5):
        stages_gdb.cmd("continue")
        stages_gdb.interrupt()
        bounds = code_of_beamasm(stages_gdb)
        assert bounds
        for line in stages_gdb.cmd("thread apply all bt").splitlines():
            unnamed = re.match(r"#\d+ +(0x[0-9a-f]+) in \?\?", line)
            if unnamed:
                pc = int(unnamed[1], 16)
                assert not any(start <= pc < stop for start, stop in bounds), line


def code_of_beamasm(gdb: Gdb) -> list[tuple[int, int]]:
    """Mappings of executable memory that come from no file of the machine's."""
    rows = [line.split() for line in gdb.cmd("info proc mappings").splitlines()]
    anonymous = [row for row in rows if len(row) >= 5 and "x" in row[4] and (len(row) == 5 or "memfd" in row[5])]
    return [(int(row[0], 16), int(row[1], 16)) for row in anonymous]


def select_busy_thread(gdb: Gdb) -> None:
    """The thread that an interruption finds in a function of `busy`: at other moments it is in a fragment, in C, or it
    changes the process."""
    for _ in range(50):
        for line in gdb.cmd("info threads").splitlines():
            number = re.match(r"[* ]+(\d+) .*(?:_scheduler|erts_sched_\d)\".* busy:", line)
            if number:
                gdb.cmd(f"thread {number[1]}")
                return
        gdb.cmd("continue")
        gdb.interrupt()
    raise AssertionError("no thread was ever in busy's code")


def test_busy_in_erlang_code(busy_node: Node) -> None:
    with Gdb() as gdb:
        gdb.attach(busy_node.pid)
        select_busy_thread(gdb)
        names = functions(frames(gdb))
        calls = [name for name in names if name.startswith("busy:")]
        assert re.fullmatch(
            r"(busy:spin/2 )?(busy:inner/5 ){1,3}busy:middle/4 busy:outer/3 busy:loop/1", " ".join(calls)
        )
        shown = {frame.function: frame.arguments for frame in frames(gdb)}
        assert shown["busy:middle/4"]["x1"] == '{pair,[alpha,"text"|tail]}'
        assert shown["busy:middle/4"]["x2"] == '<<"a binary">>'
        assert shown["busy:outer/3"]["x0"] == shown["busy:loop/1"]["x0"]
        assert shown["busy:outer/3"]["x1"] == '[alpha,"text"|tail]'
