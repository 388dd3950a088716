"""What a user has set for himself changes nothing of what the extension asks GDB."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.harness.erl import Node, running_node
from tests.harness.gdb import Gdb
from tests.harness.gdb_facts import is_true
from tests.harness.patience import PATIENCE
from tests.harness.targets import Target, session

LANGUAGES = ("rust", "go", "ada", "pascal", "fortran", "d", "modula-2", "unknown")
SETTINGS = (
    "case-sensitive off",
    "input-radix 16",
    "output-radix 16",
    "print address off",
    "print symbol off",
    "print elements 2",
    "max-value-size 64",
    "width 20",
    "multiple-symbols ask",
    "breakpoint pending off",
    "confirm on",
    "trace-commands on",
    "python print-stack full",
)


@pytest.mark.parametrize("settings", [*([f"language {name}"] for name in LANGUAGES), SETTINGS], ids="; ".join)
def test_everything_works_with_a_setting(busy_node: Node, settings: Sequence[str]) -> None:
    if "language unknown" in settings and not is_true("breaks in an unknown language"):
        pytest.skip("this GDB ends at any breakpoint then, without the extension too")
    names = [setting.rpartition(" ")[0] for setting in settings]

    def shown() -> list[str]:
        # Of the language GDB also says whether it is that of the frame.
        return [gdb.cmd(f"show {name}").partition("\nWarning")[0].strip() for name in names]

    with Gdb(*(word for setting in settings for word in ("-iex", f"set {setting}"))) as gdb:
        before = shown()
        said = gdb.attach(busy_node.pid) + gdb.cmd("beam-info") + gdb.cmd("beam-bt busy") + gdb.cmd("beam-bt init")
        assert "beamgdb: " not in said
        assert re.search(r"^code: +\d\d+ modules", said, re.M)
        assert "in busy:loop/1+" in said
        assert "registered" not in said
        assert "eakpoint 1 in busy:inner/5" in gdb.cmd("beam-break -temporary -process busy busy:inner/5 if 1 == 1")
        stop = gdb.go("continue")
        assert stop.reason == "breakpoint-hit"
        assert "busy:inner/5" in stop.text
        assert re.search(r"Sum = spin\(|Answer = inner\(", gdb.cmd_running("beam-next"))
        assert '[alpha,"text"|tail]' in gdb.cmd("beam-bt busy")
        assert shown() == before
        gdb.cmd("detach")


def test_breakpoints_in_the_interpreter_in_another_language(ebin: Path) -> None:
    target = Target("armhf", 27)
    if target.missing:
        pytest.skip(f"not installed: {', '.join(target.missing)}")
    with session(target, "remote", ebin, "busy:start()") as remote:
        remote.gdb.cmd("set language rust")
        remote.gdb.cmd('beam-break -process busy busy:inner/5 if $_streq($_eterm(x0), "2")')
        assert remote.gdb.go("continue", timeout=PATIENCE).reason == "breakpoint-hit"
        assert "x0 = 2\n" in remote.gdb.cmd("echo") + remote.gdb.cmd("beam-bt -limit 1 busy")
        assert "Sum = spin(" in remote.gdb.cmd_running("beam-next", timeout=PATIENCE)


FOLDERS = ("it's a; t$HOME`c`", 'say "t"', "back\\slash", "(x)[y]{z}*?", "żółw", "~", "#no -comment")


@pytest.fixture(scope="module")
def still_node(ebin: Path) -> Iterator[Node]:
    with running_node(ebin, "busy:start()") as node:
        yield node


@pytest.mark.parametrize("name", FOLDERS)
def test_temporary_files_in_a_folder_of_any_name(still_node: Node, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with Gdb(environment={**os.environ, "TMPDIR": str(folder)}) as gdb:
        gdb.attach(still_node.pid)
        assert '"lists.erl"' in gdb.cmd("info line -function lists:map/2")
        assert [path.name for path in folder.glob("beamgdb-*/*.elf")] == ["erlang-1.elf"]
        gdb.cmd("detach")
        gdb.attach(still_node.pid)
        assert '"lists.erl"' in gdb.cmd("info line -function lists:map/2")
    assert list(folder.iterdir()) == []


def test_temporary_files_in_a_folder_that_gdb_cannot_be_told_of(still_node: Node, tmp_path: Path) -> None:
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    with Gdb(environment={**os.environ, "TMPDIR": str(folder)}) as gdb:
        said = gdb.attach(still_node.pid) + gdb.cmd("echo")
        (told,) = re.findall("^beamgdb: (.*)", said, re.M)
        assert re.fullmatch(r"no symbols for \d+ modules: GDB takes no file whose path has .*two.nlines.*", told)
        assert "busy:loop/1" in gdb.cmd("beam-bt busy")


def test_temporary_files_in_a_folder_that_is_a_link(start_node: Callable[..., Node], tmp_path: Path) -> None:
    node = start_node("busy:start()")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with Gdb(environment={**os.environ, "TMPDIR": str(tmp_path / "link")}) as gdb:
        gdb.attach(node.pid)
        assert gdb.cmd("info functions -q -n ^busy:loop/1$").count("busy:loop/1") == 1
        gdb.cmd("kill")
        assert "busy:" not in gdb.cmd("info functions -q -n ^busy:loop/1$")
    assert list((tmp_path / "real").iterdir()) == []


WORDS = """
-module(words_of_others).
-export([start/0, loop/1]).
start() -> register(others, spawn(?MODULE, loop, ["Ångström"])), ok.
loop(A) -> 'żółw'(A), timer:sleep(10), ?MODULE:loop(A).
'żółw'(A) -> erlang:phash2(A), A.
"""


def test_letters_of_all_languages_where_no_locale_is_set(ebin: Path, tmp_path: Path) -> None:
    """GDB then takes no others than those of ASCII for values and names: what it would refuse is escaped."""
    (tmp_path / "words_of_others.erl").write_text(WORDS, encoding="utf-8")
    subprocess.run(["erlc", "-o", tmp_path, tmp_path / "words_of_others.erl"], check=True)
    own = {name: word for name, word in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    with (
        running_node(ebin, "words_of_others:start()", "-pa", str(tmp_path)) as node,
        Gdb(environment={**own, "LC_ALL": "C"}) as gdb,
    ):
        gdb.attach(node.pid)
        gdb.cmd(r"beam-break words_of_others:'\x{17c}\x{f3}\x{142}w'/1")
        assert gdb.go("continue").reason == "breakpoint-hit"
        frames = gdb.cmd("bt")
        assert r"words_of_others:'\x{17c}\x{f3}\x{142}w'/1 (x0=" in frames
        for said in (frames, gdb.cmd("print x0"), gdb.cmd("print $_xreg(0)"), gdb.cmd("info locals")):
            assert r'"\x{c5}ngstr\x{f6}m"' in said
            assert "Error" not in said
        gdb.cmd("detach")


def test_an_error_tells_where_it_comes_from() -> None:
    """Whatever GDB is set to print of Python's errors: as it is, no more than their text."""
    with Gdb() as gdb:
        assert "Traceback" not in gdb.cmd("beam-ps", check=False)
        gdb.cmd("set beam-debug on")
        said = gdb.cmd("beam-ps", check=False)
        assert re.search(r"^Traceback .*\n(.*\n)+ +File \".*session\.py\", line \d+, in require", said, re.M)
        assert re.search(r"^(\S+ )?no program is loaded: ", said, re.M)  # (GDB 18 marks it.)


@pytest.mark.parametrize("charset", ["EBCDIC-US", "IBM1047"])
def test_a_charset_in_which_gdb_and_python_cannot_talk(still_node: Node, charset: str) -> None:
    """That is said; what has arguments GDB itself refuses."""
    with Gdb() as gdb:
        gdb.attach(still_node.pid)
        gdb.cmd(f"set host-charset {charset}", check=False)
        for command in ("beam-info", "beam-ps"):
            said = gdb.cmd(command, check=False).splitlines()
            # (GDB 10 has something to say itself, too.)
            assert said[-1] == (
                "beamgdb: GDB's host charset is none in which it gives text to Python: `set host-charset auto`"
            )
            assert "error" not in " ".join(said)
        gdb.cmd("set host-charset auto", check=False)
        assert "<0.0.0>" in gdb.cmd("beam-ps")
