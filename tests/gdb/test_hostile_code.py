"""Modules with names and files that no one would choose, and damaged registrations: they are shown harmlessly or left
out by name, and everything else is as ever."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import gdb_facts
from tests.harness.core import dump_core
from tests.harness.erl import TESTS, Node, running_node
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE
from tests.harness.targets import Target, session

FILES = {
    "nul": r"nu\0l.erl",
    "terminal": r"\e]0;title\x07\e[2Jscreen\n.erl",
    "long": "deep/" + "x" * 300 + "/" + "y" * 300 + ".erl",
    "c1": r"\x{9b}31m.erl",
    "reversed": r"lre.\x{202e}\x{2066}x\x{2028}.erl",
}
"""Names that `-file` gives to modules, as Erlang writes them."""

SOURCE = """-module(hostile_{name}).
-export([loop/0, 'two\\nlines'/0, ''/0, '\\x{{202e}}live'/0]).
-file("{file}", 1).
loop() -> loop({{'\\x{{202e}}atom', "\\x{{2067}}string", <<"\\x{{feff}}binary"/utf8>>}}).
loop(Kept) -> receive never -> ok end, loop(Kept).
'\\x{{202e}}live'() -> ok.
'two\\nlines'() -> ok.
''() -> ok.
"""

RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

DAMAGED = 80
DAMAGE = f"""
import random
from beamgdb.code import jit_interface
from beamgdb.gdbext import session
current = session.require()
memory, write = current.node.memory.memory, gdb.selected_inferior().write_memory
found = [one for one in jit_interface.entries(memory, current.node.symbol("__jit_debug_descriptor")) if one.size > 500]
spared = (b"busy.erl", b"gen_server", b"global::", b"erts_beamasm")
chance = random.Random(25)
damaged = [one for one in found if not any(name in memory.read(one.symfile, one.size) for name in spared)][:{DAMAGED}]
for one in damaged:
    for _ in range(chance.choice((1, 4, 16))):
        at = one.symfile + chance.randrange(one.size - 4)
        write(at, chance.choice((0, 1, 0x7f, 0xffff, 0xffffffff, 0x1b5d1b5d)).to_bytes(4, "little"))
print("damaged", len(damaged))
"""


@pytest.fixture(scope="module")
def hostile_ebin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with busy.beam and the modules with odd files."""
    folder = tmp_path_factory.mktemp("hostile")
    compile_hostile(folder, "erlc")
    return folder


def compile_hostile(folder: Path, erlc: str) -> None:
    for name, file in FILES.items():
        (folder / f"hostile_{name}.erl").write_text(SOURCE.format(name=name, file=file))
    sources = [TESTS / "erl" / "busy.erl", *sorted(folder.glob("hostile_*.erl"))]
    subprocess.run([erlc, "-o", folder, *sources], check=True, timeout=PATIENCE)


SPAWNED = (f"register({name}, spawn(hostile_{name}, loop, []))" for name in FILES)
WAITING = ", ".join([*SPAWNED, "timer:sleep(500)", "busy:start()"])
"""Has a process wait in each of the modules."""


def assert_all_are_shown_harmlessly(gdb: Gdb) -> None:
    shown = {name: gdb.cmd(f"beam-bt {name}") for name in FILES}
    everything = "".join([*shown.values(), gdb.cmd("info sources", timeout=30), gdb.cmd("bt"), gdb.cmd("beam-info")])
    assert not RAW.search(everything)
    assert "beamgdb:" not in everything
    assert r" at nu\000l.erl:" in shown["nul"]
    assert r" at \e]0;title\007\e[2Jscreen\n.erl:" in shown["terminal"]
    assert r" at \23331m.erl:" in shown["c1"]
    assert r" at lre.\x{202E}\x{2066}x\x{2028}.erl:" in shown["reversed"]
    assert " at deep/xxx" in shown["long"]
    assert r"""{'\x{202E}atom',"\x{2067}string",<<"\x{FEFF}binary"/utf8>>}""" in shown["reversed"]
    assert "busy:loop/1" in gdb.cmd("beam-bt busy")
    for name in FILES:
        assert "starts at address" in gdb.cmd(f"info line -function hostile_{name}:loop/0")


def test_files_of_any_name(hostile_ebin: Path) -> None:
    with running_node(hostile_ebin, WAITING) as node, Gdb() as gdb:
        assert "beamgdb:" not in gdb.attach(node.pid) + gdb.cmd("echo")
        assert_all_are_shown_harmlessly(gdb)


@pytest.mark.parametrize("name", [r"'two\nlines'", "''", r"'\x{202E}live'"])
def test_what_is_offered_is_accepted(hostile_ebin: Path, name: str) -> None:
    function = f"hostile_nul:{name}/0"
    with running_node(hostile_ebin, WAITING) as node, Gdb() as gdb:
        gdb.attach(node.pid)
        begun = f"beam-break hostile_nul:{name[:2]}"
        assert gdb_facts.completed(begun, f"beam-break {function}") in gdb.cmd(f"complete {begun}").splitlines()
        assert f"in {function} at " in gdb.cmd(f"beam-break {function}")
        assert gdb.cmd(f"beam-disas {function}").startswith(f"{function}, JIT code, ")


@pytest.fixture(scope="module")
def damaged_node(ebin: Path) -> Iterator[Node]:
    """A node in which registrations of modules have been overwritten here and there."""
    with running_node(ebin, "busy:start()", "+MIscs", "32") as node:
        with Gdb() as gdb:
            gdb.attach(node.pid)
            gdb.cmd(f"python exec({DAMAGE!r})")
            gdb.cmd("detach")
        yield node


def assert_the_rest_works(gdb: Gdb, greeting: str) -> None:
    assert "internal error" not in greeting
    left_out = re.findall(r"^beamgdb: a module is left out: (.*)$", greeting, re.M)
    more = re.search(r"^beamgdb: (\d+) more modules are left out$", greeting, re.M)
    assert len(left_out) == 5
    assert more
    assert any(re.match(r"\w+: ", why) for why in left_out), "none by name"
    said = gdb.cmd("beam-bt busy") + gdb.cmd("beam-info") + gdb.cmd("info line -function gen_server:loop/7")
    assert "internal error" not in said
    assert "busy:loop/1" in said
    assert '"gen_server.erl"' in said
    code = re.search(r"^code: +(\d+) modules", said, re.M)
    assert code
    assert int(code[1]) > 20
    shown = gdb.cmd("info functions -q -n :", timeout=60)
    functions = set(re.findall(r"\b(\w+):(\w+/\d+)", shown))
    modules = {module for module, _ in functions}
    assert {"busy", "gen_server"} <= modules
    assert len(modules) > 20
    assert len(functions) > 20 * len(modules)
    assert not RAW.search(shown + gdb.cmd("info sources", timeout=30) + greeting)


def test_damaged_registrations(damaged_node: Node) -> None:
    with Gdb() as gdb:
        assert_the_rest_works(gdb, gdb.attach(damaged_node.pid) + gdb.cmd("echo"))


def test_damaged_registrations_in_a_core(damaged_node: Node, tmp_path: Path) -> None:
    core = dump_core(damaged_node, tmp_path / "core")
    with Gdb(str(damaged_node.release.beam), str(core)) as gdb:
        assert_the_rest_works(gdb, gdb.greeting)


def test_files_of_any_name_in_the_interpreter(tmp_path: Path) -> None:
    target = Target("armhf", 27)
    if target.missing:
        pytest.skip(f"not installed: {', '.join(target.missing)}")
    compile_hostile(tmp_path, target.erlc)
    with session(target, "remote", tmp_path, WAITING) as remote:
        remote.gdb.cmd("beam-break -temporary busy:outer/3")
        assert remote.gdb.go("continue", timeout=PATIENCE).reason == "breakpoint-hit"
        assert_all_are_shown_harmlessly(remote.gdb)
