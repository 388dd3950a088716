"""What `bt` and its like show of native, interpreted and C frames together."""

from __future__ import annotations

import re

import pytest

from tests.gdb.stages import Frame, functions, read_frames
from tests.harness.gdb import Gdb, GdbError
from tests.harness.targets import on_core, session
from tests.matrix.conftest import PATIENCE, erlang_only, resume, stop_at
from tests.native.conftest import HERE, Shop, line

#: What has called shop:total/3, in all that the node does.
OUTSIDE = ["shop:order/2", "shop:open/0"]


def frames(gdb: Gdb, count: int = 16) -> list[Frame]:
    return read_frames(gdb.cmd(f"bt {count}"))


def places(shown: list[Frame]) -> list[str]:
    return [frame.place.rpartition("/")[2] for frame in shown]


def test_breakpoint_before_the_module_is_loaded(shop_session: Shop) -> None:
    assert "hit Temporary breakpoint 1, shop:order/2 (" in shop_session.first_stop
    assert "x1 = [1,2,3]\n" in shop_session.first_stop


@pytest.mark.each_release
def test_native_functions(gdb: Gdb) -> None:
    stop_at(gdb, "shop:order/2")
    said = stop_at(gdb, "shop:deliver/2")
    assert "x0 = tea\n" in said
    assert "x1 = 1\n" in said
    shown = frames(gdb)
    assert functions(shown)[:5] == ["shop:deliver/2", "shop:priced/2", "shop:total/3", *OUTSIDE]
    assert places(shown)[:5] == [
        f"shop.erl:{line(text)}"
        for text in ("deliver(What, 3)", "Given = deliver", "Price = priced", "Total = total", "order(tea,")
    ]
    assert functions(shown)[5] == "erts_interpreter:normal_exit/0"
    assert shown[5].note.endswith("spawned as shop:open/0")
    assert shown[0].arguments == {"x0": "tea", "x1": "1"}
    assert shown[2].arguments["x0"] == "tea"
    assert shown[3].arguments == {"x0": "tea", "x1": "[1,2,3]"}


def test_frames_can_be_selected(gdb: Gdb) -> None:
    stop_at(gdb, "shop:order/2")
    stop_at(gdb, "shop:deliver/2")
    assert "shop:priced/2" in gdb.cmd("up")
    assert f"{line('Given = deliver')}\t    Given = deliver(What, Amount)," in gdb.cmd("frame")
    assert "shop:total/3" in gdb.cmd("up")
    words = gdb.cmd("yreg").split("\n")[:3]
    assert sorted(word.split()[1] for word in words) == ["0", "[2,3]", "tea"]
    assert f"{line('priced(What, Amount),')}\t" in gdb.cmd("list")
    with pytest.raises(GdbError, match="x registers are not available in shop:total/3"):
        gdb.cmd("xreg 0")
    assert "shop:priced/2" in gdb.cmd("down")


@pytest.mark.each_release
def test_registers(gdb: Gdb) -> None:
    stop_at(gdb, "shop:order/2")
    stop_at(gdb, "shop:deliver/2")
    assert gdb.cmd("print x0").endswith("= tea\n")
    assert gdb.cmd("xreg 1") == "x1   1\n"
    assert gdb.cmd("print/d $_xreg(1)").endswith("= 31\n")  # 1 << 4 | 15
    assert re.search(r"^x0 = tea$", gdb.cmd("info locals"), re.M)
    assert gdb.cmd("eterm *(unsigned long *)($r4 + 64)") == "tea\n"
    assert gdb.cmd("print/d *(unsigned long *)($r4 + 68)").endswith("= 31\n")


@pytest.mark.each_release
def test_interpreted_between_native(gdb: Gdb) -> None:
    stop_at(gdb, "counter:add/2")
    shown = erlang_only(frames(gdb))
    assert functions(shown) == ["counter:add/2", "shop:total/3", *OUTSIDE]
    stop_at(gdb, "shop:deliver/2")
    shown = erlang_only(frames(gdb))
    assert functions(shown) == ["shop:deliver/2", "counter:add/2", "shop:total/3", *OUTSIDE]
    assert places(shown)[1:3] == ["counter.erl:5", f"shop.erl:{line('New = counter')}"]
    assert shown[0].arguments["x0"] == "tea"


def test_c_called_by_a_fragment(gdb: Gdb) -> None:
    """A collection of garbage moves the stack while native code waits for it."""
    stop_at(gdb, "shop:stocked/2")
    gdb.cmd("tbreak *erts_garbage_collect_nobump")
    resume(gdb)
    before = functions(frames(gdb))
    native = before.index("native::collect_garbage")
    assert before[native + 1 : native + 3] == ["shop:stocked/2", "shop:open/0"]
    assert "process_main" not in before[:native]
    # When it is done, the stack may be elsewhere.
    gdb.cmd("tbreak *$lr")
    resume(gdb)
    assert functions(frames(gdb)) == before[native:]


def test_bifs(gdb: Gdb) -> None:
    """Native code calls some itself, and leaves others to the interpreter, where they are functions."""
    stop_at(gdb, f"shop.erl:{line('erlang:md5')}")
    gdb.cmd("tbreak md5_1")
    resume(gdb)
    shown = frames(gdb, 20)
    assert functions(shown)[0] == "md5_1"
    named = functions(erlang_only(shown))
    callers = [name for name in named if name != "erlang:md5/1"]
    assert callers == ["shop:deliver/2", "shop:priced/2", "shop:total/3", *OUTSIDE]


def test_fragments_that_are_jumped_to(gdb: Gdb) -> None:
    stop_at(gdb, f"shop.erl:{line('New = counter')}")
    gdb.cmd("tbreak native::call_export")
    resume(gdb)
    assert functions(frames(gdb))[:4] == ["native::call_export", "shop:total/3", *OUTSIDE]


def test_each_instruction(gdb: Gdb) -> None:
    """At every instruction the same functions are outside, and one step comes to one other function at most."""
    stop_at(gdb, "shop:order/2")
    gdb.cmd(f"source {HERE / 'step_frames.py'}")
    said = gdb.cmd_running("python step_frames(300)", timeout=3 * PATIENCE)
    assert "300 steps" in said, said
    assert "wrong" not in said, said


def test_processes_that_do_not_run(gdb: Gdb) -> None:
    stop_at(gdb, "shop:order/2")
    waiting = gdb.cmd("beam-bt desk")
    assert "waiting" in waiting.splitlines()[0]
    assert re.search(rf"^#0 .* in shop:desk/1.* at \S*shop.erl:{line('desk(Sold) ->')}", waiting, re.M), waiting
    assert "[{sold,0}]" in waiting
    running = gdb.cmd("beam-bt shop")
    first = line("order(What, Amounts)")
    assert re.search(rf"^#0 .* in shop:order/2\S* at \S*shop.erl:{first}$", running, re.M), running
    assert re.search(rf"^#1 .* in shop:open/0\S* at \S*shop.erl:{line('order(tea')}$", running, re.M), running


def test_exceptions(gdb: Gdb) -> None:
    stop_at(gdb, f"shop.erl:{line('integer_to_list(Price)')}")
    assert functions(erlang_only(frames(gdb)))[:2] == ["shop:refused/1", "shop:open/0"]


def test_info(gdb: Gdb) -> None:
    stop_at(gdb, "shop:order/2")
    assert re.search(r"^native code: +1 module, \d+ functions: shop$", gdb.cmd("beam-info"), re.M)


def test_met_late_and_its_core(shop_session: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It has loaded its native code before GDB comes, to whom no module is new after the library that runs it."""
    core = tmp_path_factory.mktemp("core") / "core"
    target = shop_session.session.target
    with session(target, "remote", shop_session.ebin, "shop:start()", "-s", "native", is_ready=True) as one:
        stop_at(one.gdb, "shop:deliver/2")
        assert functions(erlang_only(frames(one.gdb)))[0] == "shop:deliver/2"
        one.write_core(core)
    with on_core(target, core, shop_session.ebin) as gdb:
        found = functions(erlang_only(frames(gdb)))
        assert found == ["shop:deliver/2", "shop:priced/2", "shop:total/3", *OUTSIDE]
    core.unlink()
