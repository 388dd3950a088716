"""Elixir as its users write it: functions, completion, terms; and lines of a file that holds several modules."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import gdb_facts
from tests.harness.erl import TESTS, running_node
from tests.harness.gdb import Gdb, one_line_error
from tests.harness.patience import PATIENCE

pytestmark = pytest.mark.skipif(shutil.which("elixirc") is None, reason="not installed: elixir")

SYMBOL = "'Elixir.ShopWeb.Cart':'add!'/2"
ADD = "ShopWeb.Cart.add!/2"


@dataclass(frozen=True)
class Shop:
    """A session with a node that runs cart.ex, and loads the second module of that when there is a file `now`."""

    gdb: Gdb
    now: Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("cart")
    sources = ("cart.ex", "funs.ex", "shelf.ex")
    compiler = ["elixirc", "--ignore-module-conflict", "-o", ".", *sources]
    for source in sources:
        shutil.copy(TESTS / "elixir" / source, folder)
    subprocess.run(compiler, cwd=folder, check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL)
    elixir = subprocess.run(
        ["elixir", "-e", "IO.write(:code.lib_dir(:elixir, :ebin))"],
        capture_output=True, text=True, check=True, timeout=PATIENCE,
    ).stdout  # fmt: skip
    funs = f"""'Elixir.ShopWeb.Funs':start(<<"{folder}/funs">>)"""
    start = f"""{funs}, spawn(fun() -> lists:foreach(fun 'Elixir.ShopWeb.Cart':start/1, [<<"{folder}/now">>]) end)"""
    start += ", {module, _} = code:load_file('Elixir.ShopWeb.Shelf')"
    with running_node(folder, start, "-pa", elixir) as node, Gdb() as gdb:
        gdb.attach(node.pid)
        yield Shop(gdb, folder / "now")


@pytest.fixture
def gdb(shop: Shop) -> Iterator[Gdb]:
    yield shop.gdb
    shop.gdb.cmd("delete")
    shop.gdb.cmd("set beam-syntax erlang")


def completed(gdb: Gdb, command: str) -> list[str]:
    return [line.removeprefix(command.rpartition(" ")[0] + " ") for line in gdb.cmd(f"complete {command}").splitlines()]


def stop_at(gdb: Gdb, place: str) -> str:
    """Go to a breakpoint; what GDB tells of the stop."""
    gdb.cmd(f"beam-break -temporary {place}")
    return gdb.go("continue").text + gdb.cmd("echo")


def test_funs_are_named_as_in_elixir(gdb: Gdb, shop: Shop) -> None:
    """By the function that each stands in."""
    gdb.cmd("set beam-syntax elixir")
    gdb.cmd("set beam-bytes 10000")
    shown = gdb.cmd("beam-process funs")
    expected = shop.now.with_name("funs").read_text()
    assert "in ShopWeb.Funs.été?/1>" in expected
    assert f"    :funs = {expected}\n" in shown


@pytest.mark.parametrize("spelt", [ADD, SYMBOL, "Elixir.ShopWeb.Cart:add!/2", "ShopWeb.Cart.add!", f"Elixir.{ADD}"])
def test_breakpoints_on_functions(gdb: Gdb, spelt: str) -> None:
    *_, said = gdb.cmd(f"beam-break {spelt}").splitlines()
    assert re.fullmatch(rf"Breakpoint \d+ in {re.escape(ADD)} at cart\.ex:9\.", said)


@pytest.mark.parametrize(
    ("start", "word"),
    [
        ("Shop", ADD),
        ("ShopWeb.Cart.<", "ShopWeb.Cart.<~>/2"),
        ("Elixir.ShopWeb.Cart:a", "Elixir.ShopWeb.Cart:add!/2"),
        ("'Elixir.ShopWeb.Cart':'a", SYMBOL),
        (":lists.fold", ":lists.foldl/3"),
        ("cart.ex:1", "cart.ex:10"),
    ],
)
def test_completion(gdb: Gdb, start: str, word: str) -> None:
    """What is offered is a place."""
    begun = f"beam-break {start}"
    assert gdb_facts.completed(begun, f"beam-break {word}") in gdb.cmd(f"complete {begun}").splitlines()
    assert "which is not loaded" not in gdb.cmd(f"beam-break {word}")


def test_gdb_takes_what_it_offers(gdb: Gdb) -> None:
    offered = completed(gdb, "break -function ShopWeb.Cart.")
    assert {ADD, "ShopWeb.Cart.<~>/2", 'ShopWeb.Cart."-add!/2-fun-0-"/2'} <= set(offered)
    for name in offered:
        assert re.match(r"Breakpoint \d+ at 0x", gdb.cmd(f"break -function {name}")), name
        gdb.cmd("delete")
    for place in (ADD, f'-function "{SYMBOL}"', f"-function {ADD}"):
        assert re.search(r": file \S*cart\.ex, line 9\.$", gdb.cmd(f"break {place}"), re.M)
        gdb.cmd("delete")


def test_frames_are_named_as_in_elixir(gdb: Gdb) -> None:
    """By GDB where it stops, by `bt`, and by `beam-bt`; of Erlang's modules as in Erlang; with the setting off also
    of Elixir's."""
    assert re.search(rf"hit \S+ breakpoint \d+, {re.escape(ADD)} \(", stop_at(gdb, ADD), re.I)
    stacks = (gdb.cmd("bt"), gdb.cmd("beam-bt ShopWeb.Cart"))
    for stack in stacks:
        assert re.search(rf"^#0 .*\b{re.escape(ADD)}\b.* at \S*cart\.ex:9$", stack, re.M)
        assert re.search(r"^#1 .*\bShopWeb\.Cart\.loop/2\b", stack, re.M)
        assert re.search(r"\blists:foreach_1/2\b", stack)
        assert SYMBOL not in stack
    # So are processes by the names that they are registered under.
    assert re.search(r" \[process <[0-9.]+> ShopWeb\.Cart, spawned as .*\]", stacks[0])
    here = gdb.cmd("output $_thread")
    gdb.cmd("thread 1")
    assert re.search(r"^Thread \d+ runs Erlang, <[0-9.]+> ShopWeb\.Cart: `", gdb.cmd("beam-context"), re.M)
    gdb.cmd(f"thread {here}")
    assert "Run till exit of ShopWeb.Cart.add!/2" in gdb.cmd_running("beam-finish")
    stop_at(gdb, ADD)
    gdb.cmd(f"break -function {ADD}")
    gdb.cmd("set beam-elixir-names off")
    try:
        assert re.search(r"^\d+ .* 0x[0-9a-f]+ .*cart\.ex:9$", gdb.cmd("info breakpoints"), re.M)
        for stack in (gdb.cmd("bt"), gdb.cmd("beam-bt ShopWeb.Cart"), gdb.cmd("frame")):
            assert re.search(rf"^#0 .*{re.escape(SYMBOL)}", stack, re.M)
            assert "ShopWeb.Cart." not in stack
        assert SYMBOL in gdb.cmd("info symbol $pc")
        assert "as in Erlang" in gdb.cmd("show beam-elixir-names")
        assert ADD in completed(gdb, "beam-break ShopWeb.")
    finally:
        gdb.cmd("set beam-elixir-names on")
    assert ADD in gdb.cmd("info symbol $pc")


def test_terms_in_elixir(gdb: Gdb) -> None:
    stop_at(gdb, "ShopWeb.Cart.<~>/2")
    assert gdb.cmd("eterm x0") == '#{tea => 2,<<"milk">> => 2}\n'
    assert "'__struct__' => 'Elixir.Date'" in gdb.cmd("xreg 1")
    gdb.cmd("set beam-syntax elixir")
    assert gdb.cmd("show beam-syntax") == "Terms are written as in Elixir.\n"
    assert gdb.cmd("eterm x0") == '%{:tea => 2, "milk" => 2}\n'
    date = gdb.cmd("eterm x1").strip()
    # From OTP 26 on maps have their own order of atoms.
    fields = re.fullmatch(r"%Date\{(.*)\}", date)
    assert fields
    assert sorted(fields[1].split(", ")) == ["calendar: Calendar.ISO", "day: 20", "month: 5", "year: 1998"]
    assert gdb.cmd("output $_eterm(x1)") == f'"{date}"'
    assert f'(x0=%{{:tea => 2, "milk" => 2}}, x1={date})' in gdb.cmd("bt 1")
    assert re.search(r'y\d = %\{:tea => 1, "milk" => 2\}$', gdb.cmd("beam-bt ShopWeb.Cart"), re.M)
    assert re.search(r'= "/\S*/now"$', gdb.cmd("beam-bt ShopWeb.Cart"), re.M)
    # What is typed and what is found of processes stays: pids, names.
    assert re.search(r"^Process <0\.\d+\.0> ShopWeb\.Cart, spawned as ", gdb.cmd("beam-bt ShopWeb.Cart"), re.M)


def test_what_is_not_there(gdb: Gdb) -> None:
    message = one_line_error(gdb, "beam-break ShopWeb.Cart.ad!/2")
    assert message.startswith("the module ShopWeb.Cart has no function ShopWeb.Cart.ad!/2; is it ShopWeb.Cart.add!/2,")
    assert "which arity has ShopWeb.Cart.ad!?" in one_line_error(gdb, "beam-break ShopWeb.Cart.ad!")
    assert "which arity has :lists.ma?" in one_line_error(gdb, "beam-break :lists.ma")
    for name in ("ShopWeb.Cart.module_info", ":lists.module_info"):
        assert f"{name} is there as {name}/0, {name}/1" in one_line_error(gdb, f"beam-break {name}")


def test_lines_of_a_module_that_is_not_loaded(shop: Shop, gdb: Gdb) -> None:
    """They are waited for, by GDB's own breakpoints too, and do not become lines of the module that is loaded, nor does
    a line of no function that is."""
    for line, following in ((2, "4, in ShopWeb.Cart.start/1"), (12, "13, in ShopWeb.Cart.<~>/2"), (26, None)):
        said = gdb.cmd(f"beam-break cart.ex:{line}")
        assert f"on cart.ex:{line}, which is not loaded yet." in said
        assert ("next line with code" in said) == (following is not None)
        assert following is None or f"loaded of cart.ex is line {following}." in said
    assert "pending: cart.ex:12" in gdb.cmd("beam-breakpoints")
    gdb.cmd("delete")
    assert "in ShopWeb.Cart.loop/2 at cart.ex:18" in gdb.cmd("beam-break cart.ex:18")
    gdb.cmd("delete")
    gdb.cmd("set breakpoint pending on")
    said = gdb.cmd("break cart.ex:12")
    if "No compiled code" not in said:  # as GDB 16 says
        assert "is disabled in ShopWeb.Cart.<~>/2, which may be of another module than line 12: it waits" in said
        assert re.search(r"^\d+\.1 +n ", gdb.cmd("info breakpoints"), re.M)
    gdb.cmd("delete")
    gdb.cmd("beam-break cart.ex:28")
    gdb.cmd("break cart.ex:29")
    shop.now.touch()
    assert "ShopWeb.Till.pay/1 (" in gdb.go("continue").text
    assert gdb.cmd("info line").startswith("Line 29 ")


def test_a_module_between_two_clauses(gdb: Gdb) -> None:
    """The function around a line is not it, where its module is not loaded; within a clause the next line is."""
    for line in (9, 10, 11):
        assert f"on shelf.ex:{line}, which is not loaded yet." in gdb.cmd(f"beam-break shelf.ex:{line}")
    gdb.cmd("set breakpoint pending on")
    said = gdb.cmd("break shelf.ex:10")
    assert "No compiled code" in said or re.search("is disabled in .*: it waits for code of shelf.ex:10", said)
    gdb.cmd("delete")
    *_, point, note = gdb.cmd("beam-break shelf.ex:16").splitlines()
    assert re.fullmatch(r"Breakpoint \d+ in ShopWeb\.Shelf\.put/1 at shelf\.ex:17\.", point)
    assert note == "Note: no code notes line 16: the next is line 17, in ShopWeb.Shelf.put/1."
    assert "beamgdb: breakpoint" not in gdb.cmd("break shelf.ex:17")
