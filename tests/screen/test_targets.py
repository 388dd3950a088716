"""What there is to look at. Of core files that coredumpctl has, what it prints: recorded from that of systemd 252, of a
journal with four, and the table as systemd 247 made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from beamgdb.asked_gdb import Gdb, NoAnswer
from beamgdb.screen import command
from beamgdb.screen.targets import REMOTE, Dump, dumps, dumps_in_table, given, is_vm, node_name

JSON = """[\
{"time":1795001000000000,"pid":1234,"uid":0,"gid":0,"sig":6,"corefile":"present",\
"exe":"/usr/lib/erlang/erts-13.1.5/bin/beam.smp","size":0},\
{"time":1795002000000000,"pid":1235,"uid":0,"gid":0,"sig":11,"corefile":"missing",\
"exe":"/opt/my app/erts/bin/beam.smp","size":null},\
{"time":1795003000000000,"pid":1236,"uid":0,"gid":0,"sig":11,"corefile":"present","exe":"/bin/cat","size":0},\
{"time":1795004000000000,"pid":1237,"uid":0,"gid":0,"sig":11,"corefile":"truncated",\
"exe":"/opt/my app/erts/bin/beam.smp","size":0}]
"""

TABLE = """\
TIME                         PID UID GID SIG     COREFILE  EXE                                      SIZE
Wed 2026-11-18 11:23:20 UTC 1234   0   0 SIGABRT present   /usr/lib/erlang/erts-13.1.5/bin/beam.smp   0B
Wed 2026-11-18 11:40:00 UTC 1235   0   0 SIGSEGV missing   /opt/my app/erts/bin/beam.smp               -
Wed 2026-11-18 11:56:40 UTC 1236   0   0 SIGSEGV present   /bin/cat                                   0B
Wed 2026-11-18 12:13:20 UTC 1237   0   0 SIGSEGV truncated /opt/my app/erts/bin/beam.smp              0B
"""

OLD_TABLE = """\
TIME                            PID   UID   GID SIG COREFILE  EXE
Sat 2020-11-28 10:00:00 CET    1234  1000  1000   6 present   /usr/lib/erlang/erts-11.1.8/bin/beam.smp
Sat 2020-11-28 10:05:00 CET    1235  1000  1000  11 missing   /bin/cat
"""

PROGRAM, APP = "/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "/opt/my app/erts/bin/beam.smp"


def test_json() -> None:
    """What is no more is left out; each has what tells it from others of the same number."""
    assert list(dumps(JSON)) == [
        Dump(1795001000.0, 1234, PROGRAM, True, "COREDUMP_TIMESTAMP=1795001000000000"),
        Dump(1795003000.0, 1236, "/bin/cat", True, "COREDUMP_TIMESTAMP=1795003000000000"),
        Dump(1795004000.0, 1237, APP, False, "COREDUMP_TIMESTAMP=1795004000000000"),
    ]
    assert list(dumps("")) == []


def test_tables() -> None:
    assert list(dumps_in_table(TABLE)) == [
        Dump("2026-11-18 11:23", 1234, PROGRAM, True), Dump("2026-11-18 11:56", 1236, "/bin/cat", True),
        Dump("2026-11-18 12:13", 1237, APP, False),
    ]  # fmt: skip
    (old,) = dumps_in_table(OLD_TABLE)
    assert old == Dump("2020-11-28 10:00", 1234, "/usr/lib/erlang/erts-11.1.8/bin/beam.smp", True)
    assert list(dumps_in_table("")) == []


def test_what_is_no_json() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        list(dumps("coredumpctl: unrecognized option '--json=short'"))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["/usr/lib/erlang/erts-13.1.5/bin/beam.smp", "--", "-sname", "shop", "-noinput"], "shop"),
        (["beam.smp", "-noinput"], None), ([], None),
        (["/opt/AtomVM", "/opt/app/shop.avm", "lib.avm", ""], "shop.avm"), (["AtomVM", ""], None),
    ],
)  # fmt: skip
def test_what_a_node_is_called(words: list[str], name: str | None) -> None:
    assert node_name(words) == name
    assert not words or is_vm(words[0])


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        ("-- -home /root -- -noshell -noinput -pa a/ebin b/ebin -s shop start", "erl -s shop start"),
        ("-- -home /root -- -pa -elixir_root x -s elixir start_cli -extra -e A.b(1-2)",
         "erl -s elixir start_cli -extra -e A.b(1-2)"),
        ("-- -home /root --", "a node without a name"), ("", "a node without a name"),
    ],
)  # fmt: skip
def test_what_a_node_without_a_name_was_given(behind: str, told: str) -> None:
    assert given(["beam.smp", "-progname", "erl", *behind.split(" "), ""]) == told


@pytest.mark.parametrize(
    ("word", "is_one"),
    [("board:1234", True), (":1234", True), ("[::1]:1234", True), ("10.0.0.2:99", True), ("shop@host", False),
     ("core.12:30/x:1", False), ("a b:1", False), ("host:", False), ("host:123456", False)],
)  # fmt: skip
def test_what_is_a_remote_stub(word: str, is_one: bool) -> None:
    assert bool(REMOTE.fullmatch(word)) == is_one


def test_a_core_file_that_has_the_form_of_a_stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems name core files as they are told to, such as `core:1234`."""
    monkeypatch.chdir(tmp_path)
    Path("core:1234").write_bytes(b"no core file")
    with pytest.raises(NoAnswer, match="core:1234: no core file"), command.named(Gdb("gdb", Path()), "core:1234"):
        pass
