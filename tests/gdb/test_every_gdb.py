"""Debian's GDBs from 10 on: looking, breakpoints and steps, a core file, as users of each type it.

The whole suite runs with the one that is installed. Here are few sessions of each of the others, with its own Python.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jit.otp.layouts.layout import load_table
from jit.sandbox.gdbs import SUITES, GdbSandbox
from tests.gdb.stages import local_variables, read_backtrace, read_frames
from tests.gdb.test_registers import registers
from tests.gdb.test_unknown_release import write_other_release
from tests.harness import debug_file
from tests.harness.erl import READY, Node, compile_demo, running, running_node
from tests.harness.gdb import REPOSITORY, Gdb, GdbError, batch, installed_version, one_line_error
from tests.harness.targets import FLAGS, Target

BELOW_PRICE = ["shop:price/1", "shop:'-total/2-fun-0-'/2"]
LINE = r"\{(tea,2,450|'rye bread',1,620|diamond,3,1180591620717411303424)\}"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node of `make demo`: its process `shop` is always busy."""
    ebin = compile_demo(tmp_path_factory.mktemp("shop"))
    with running_node(ebin, "shop:start()", "+S", "1", "+MIscs", "32") as node:
        yield node


@pytest.fixture(scope="module", params=[one for one in SUITES if one != installed_version()])
def program(request: pytest.FixtureRequest) -> str:
    """Each GDB that is not the installed one."""
    return str(GdbSandbox(request.param).ensure().program)


@pytest.fixture(scope="module")
def gdb(program: str, shop: Node) -> Iterator[Gdb]:
    """A session attached to the shop, in a call of shop:price/1."""
    with Gdb(gdb=program) as session:
        session.attach(shop.pid)
        # (GDB 17 and later tell front ends of it in their own words besides.)
        *_, said = session.cmd("beam-break -temporary shop:price/1").splitlines()
        assert re.fullmatch(r"Temporary breakpoint \d+ in shop:price/1 at .*shop.erl:28\.", said)
        stop = session.go("continue")
        assert stop.reason == "breakpoint-hit"
        session.cmd("echo")  # what is printed behind the stop
        yield session


def test_all_can_be_imported_in_its_python(program: str) -> None:
    """Also what no other test here comes to."""
    said = batch("-x", str(REPOSITORY / "tests/harness/import_all.py"), gdb=program, load="-ix")
    *errors, count = said.splitlines()
    # What the harness sets is not yet there in GDB 10.
    assert [line for line in errors if not line.startswith("No symbol table")] == []
    assert int(count.removesuffix(" files")) > 200


def test_the_compiler_in_its_python() -> None:
    """It wants a newer one than the extension does, and says so."""
    enter = ("import runpy, sys", f"sys.path.insert(0, {str(REPOSITORY)!r})", "sys.argv = ['jit', 'dump', 'none.beam']")
    code = "; ".join((*enter, "runpy.run_module('jit', run_name='__main__')"))
    said = batch("-ex", f"python {code}", gdb=str(GdbSandbox(10).ensure().program))
    assert said.splitlines()[-1] == "jit: Python 3.11 or later is needed; this one is 3.9"


def test_looks(gdb: Gdb) -> None:
    assert "built-in table " in gdb.cmd("beam-info")
    shown = read_backtrace(gdb.cmd("beam-bt shop"))
    assert shown.names()[:2] == BELOW_PRICE
    frames = read_frames(gdb.cmd("bt"))
    assert [frame.function for frame in frames[:2]] == BELOW_PRICE
    assert re.fullmatch(LINE, frames[0].arguments["x0"])
    assert frames[1].arguments["x0"] == "<not available>"
    customer = next(frame for frame in frames if frame.function == "shop:total/2").arguments["x1"]
    assert '<<"Åsa"/utf8>>' in customer
    assert frames[-1].function == "clone3" or frames[-1].function.startswith("??")


def test_values(gdb: Gdb) -> None:
    assert re.fullmatch(rf"x0 +{LINE}\n", gdb.cmd("xreg 0"))
    assert re.fullmatch(rf"\$\d+ = {LINE}\n", gdb.cmd("print x0"))
    assert re.fullmatch(LINE, local_variables(gdb)["x0"])
    gdb.cmd("up")
    shown = registers(gdb.cmd("yreg"))
    assert shown
    assert local_variables(gdb) == shown
    assert gdb.cmd("print y0").endswith(f" = {shown['y0']}\n")
    gdb.cmd("down")
    assert gdb.cmd("eterm 687") == "42\n"
    assert re.search(r"= 1$", gdb.cmd('print $_streq($_eterm(687), "42")'))
    gdb.cmd("up")
    assert re.match(r"y0 +", gdb.cmd("yreg"))
    gdb.cmd("frame 0")
    assert "price({Item, Count, Each} = Line) ->" in gdb.cmd("list 28,28")
    assert "shop:price/1" in gdb.cmd("info symbol $pc")
    assert "=>" in gdb.cmd("beam-disas")


@pytest.mark.parametrize("typed", ["eterm {}", "eterm 1 == { }", "beam-bt {}", "beam-break shop:price/1 if x0 == {}"])
def test_the_empty_tuple_is_no_expression(gdb: Gdb, typed: str) -> None:
    """It ends GDB 16, which is not asked."""
    one_line_error(gdb, typed)
    assert gdb.cmd('eterm $_streq("{}", "{}") ? 687 : 671') == "42\n"


def test_in_another_language_with_hidden_symbols(program: str, tmp_path: Path) -> None:
    """OTP 29 as Debian has it: its file is read, and what it does not export is found."""
    target, ebin, output = Target("amd64", 29), compile_demo(tmp_path), tmp_path / "output"
    begin = f'shop:start(), io:format("{READY}~n").'
    command = target.sandbox.command([*FLAGS, "-noinput", "-pa", str(ebin), "-eval", begin])
    settings = ("-iex", "set language rust", *target.sandbox.gdb_settings(ebin))
    with running(command, output) as process, Gdb(*settings, gdb=program) as rusty:
        rusty.attach(process.pid)
        assert re.search("^Erlang/OTP: +29, ", rusty.cmd("beam-info"), re.M)
        assert read_backtrace(rusty.cmd("beam-bt shop")).names()[-1] == "shop:open/1"
        rusty.cmd("beam-break -temporary shop:price/1")
        assert rusty.go("continue").reason == "breakpoint-hit"
        rusty.cmd("echo")
        assert re.fullmatch(rf"x0 +{LINE}\n", rusty.cmd("xreg 0"))


def test_a_release_without_a_table(program: str, shop: Node, tmp_path: Path) -> None:
    """What is not known of it is proved."""
    beam, output, release = tmp_path / "beam.smp", tmp_path / "output", shop.release
    write_other_release(release.beam, beam)
    begin = f'shop:start(), io:format("{READY}~n")'
    own = ("ROOTDIR", "BINDIR", "EMU", "PROGNAME")
    command = ["env", *(f"{name}={release.environment()[name]}" for name in own), str(beam)]
    command += release.arguments(shop.ebin, begin, "-S", "1")
    with running(command, output) as process, Gdb(gdb=program) as unknown:
        unknown.attach(process.pid)
        assert "proved on this target" in unknown.cmd("beam-info")
        assert "Python Exception" not in unknown.cmd("bt")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("beam-bt sh", ["beam-bt shop"]),
        ("beam-break shop:pr", ["beam-break shop:price/1"]),
        ("beam-break -p", ["beam-break -process"]),
        ("beam-disas -b", ["beam-disas -beam", "beam-disas -bytecode"]),
        ("xreg -r", ["xreg -raw"]),
        ("beam-next ", []),
    ],
)
def test_completion(gdb: Gdb, typed: str, offered: list[str]) -> None:
    """GDB asks twice, first without a word."""
    assert gdb.cmd(f"complete {typed}").splitlines() == offered


def line_shown(said: str) -> int:
    """The last line of source that GDB has shown: by GDB/MI, GDB 18 tells besides where its breakpoint is."""
    return int(re.findall(r"^(\d+)\t", said, re.M)[-1])


def test_steps(gdb: Gdb) -> None:
    """Over a call, into one, and out of it."""
    assert line_shown(gdb.cmd_running("beam-next")) == 29
    assert line_shown(gdb.cmd_running("beam-next")) == 31
    gdb.cmd('break -function shop:price/1 if $_streq($_eterm(x0), "{tea,2,450}")')
    stop = gdb.go("continue")
    assert stop.reason == "breakpoint-hit"
    assert gdb.cmd("xreg 0").split() == ["x0", "{tea,2,450}"]
    gdb.cmd("delete")
    assert line_shown(gdb.cmd_running("beam-next")) == 29
    assert "shop:seal/2" in gdb.cmd_running("beam-step")
    said = gdb.cmd_running("beam-finish")
    assert "shop:price/1" in said
    assert re.search(r"^Value returned is \d+$", said, re.M)
    assert "Value returned is 900" in gdb.cmd_running("beam-finish")


def test_what_front_ends_of_gdb_mi_see(gdb: Gdb) -> None:
    """A step as one stop, with its place; parts of terms as children of variable objects; frames with sources."""
    gdb.mi("-enable-pretty-printing")
    gdb.mi("-break-insert -t -f shop:price/1")
    gdb.go("continue")
    stop = gdb.go("beam-next")
    assert (stop.results["frame"]["func"], stop.results["frame"]["line"]) == ("shop:price/1", "29")
    assert Path(stop.results["frame"]["fullname"]).name == "shop.erl"
    assert stop.results["thread-id"] == gdb.mi("-thread-info")["current-thread-id"]
    with pytest.raises(TimeoutError):
        gdb.wait_stop(timeout=0.2)
    (total,) = (one for one in gdb.mi("-stack-list-frames 0 6")["stack"] if one["func"] == "shop:total/2")
    assert Path(total["fullname"]).name == "shop.erl"
    gdb.mi(f"-stack-select-frame {total['level']}")
    gdb.mi("-var-create customer * $_yreg(0)")
    listed = gdb.mi("-var-list-children --all-values customer")["children"]
    parts = {one["exp"]: one for one in listed}
    assert set(parts) == {"discount", "'e-mail'", "name", "since"}
    assert parts["name"]["value"] == '<<"Åsa"/utf8>>'
    since = gdb.mi(f'-var-list-children --all-values "{parts["since"]["name"]}"')["children"]
    assert [one["value"] for one in since] == ["1998", "5", "20"]
    assert gdb.mi("-data-evaluate-expression $_yreg(0)")["value"].startswith("#{")
    gdb.mi("-var-delete customer")
    gdb.mi("-stack-select-frame 0")
    asked = "from beamgdb.gdbext import c_names; print(c_names.c_name(int(gdb.parse_and_eval('(long)&process_main'))))"
    assert gdb.cmd(f"python {asked}") == "process_main\n"


def test_debug_information_of_a_similar_build(gdb: Gdb, shop: Node, tmp_path: Path) -> None:
    """It is read by the pyelftools of the distribution that the GDB is of; Debian 11's knows no DWARF 5."""
    layout = load_table(shop.release.erts, "x86_64", "jit")
    assert layout is not None
    for version in (4, 5):
        similar = tmp_path / f"{version}.smp"
        debug_file.write(shop.release.beam, layout, similar, build_id=bytes(20), dwarf=version)
        said = gdb.cmd(f"set beam-layout-from {similar}")
        if f"beamgdb: layouts: debug information of {similar}" not in said:
            old = gdb.cmd("python import elftools; print(elftools.__version__)").strip()
            assert (version, old) == (5, "0.27")
            assert re.search(
                r"^beamgdb: beam-layout-from: \S+: it is DWARF 5, of which pyelftools 0\.27 knows ", said, re.M
            )
        else:
            assert f"debug information of {similar}" in gdb.cmd("beam-info")
            assert "shop:price/1" in gdb.cmd("beam-bt shop")
        gdb.cmd("set beam-layout-from")
    assert "built-in table " in gdb.cmd("beam-info")


def test_places_of_a_breakpoint_of_our_own(gdb: Gdb) -> None:
    """GDB 10 tells of them only in a table."""
    code = (
        "from beamgdb.gdbext import older_gdb",
        'point = gdb.Breakpoint("*$pc", internal=True)',
        "place = gdb.newest_frame().pc()",
        "print([(one.address == place, one.enabled) for one in older_gdb.locations(point)])",
        "point.delete()",
    )
    assert gdb.cmd(f"python {'; '.join(code)}") == "[(True, True)]\n"


def test_breakpoints_that_the_processor_has_no_more_room_for(gdb: Gdb) -> None:
    for function in ("price/1", "total/2", "order/3", "open/1"):
        gdb.cmd(f"beam-break shop:{function}")
    with pytest.raises(GdbError, match="all 4 hardware breakpoints of the processor are taken"):
        gdb.cmd("beam-break shop:seal/2")
    gdb.cmd("delete")


def test_a_core_file(gdb: Gdb, program: str, shop: Node, tmp_path: Path) -> None:
    core = tmp_path / "core"
    gdb.cmd(f"gcore {core}", timeout=gdb.timeout * 2)
    live = gdb.cmd("beam-bt shop")
    with Gdb(str(shop.release.beam), str(core), gdb=program) as dead:
        assert "built-in table " in dead.cmd("beam-info")
        of_core = dead.cmd("beam-bt shop")
        assert read_backtrace(of_core).functions == read_backtrace(live).functions
        frames = read_frames(dead.cmd("bt"))
        assert "shop:total/2" in [frame.function for frame in frames]
    core.unlink()


def test_the_node_goes_on_afterwards(gdb: Gdb, shop: Node) -> None:
    gdb.cmd("detach")
    before = Path(f"/proc/{shop.pid}/stat").read_text().split()
    assert before[2] != "t"


def test_ctrl_c_while_gdb_attaches(program: str, tmp_path: Path) -> None:
    """It ends what the extension does, and not the node, to which newer ones pass it: that takes it once it is let go.
    What was not done is done when it is asked for."""
    said = tmp_path / "output"
    command = Target("amd64", 29).sandbox.command([*FLAGS, "-noinput", "-eval", f'io:format("{READY}~n").'])
    with running(command, said) as process, Gdb(gdb=program) as gdb:
        gdb.ctrl_c_in("unnamed:Unnamed.look", raised=False)
        assert "Ctrl-C comes\n" in gdb.attach(process.pid)
        assert re.search(r"^processes: +\d+$", gdb.cmd("beam-info"), re.M)
        gdb.cmd("detach")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2)
    assert "BREAK" not in said.read_text()
