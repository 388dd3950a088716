"""The command `beamgdb`: its help, and nodes that it starts as `erl`, `elixir` and `iex` do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from beamgdb import __version__, erlang_start, gdb_options
from beamgdb.cli import command_line
from tests.harness.gdb import REPOSITORY
from tests.harness.patience import PATIENCE

#: Prints what a node knows of how it was started.
TELL = """
Own = fun({Key, _}) -> not lists:member(Key, [progname, root, bindir, home, boot, pa, eval]) end,
io:format("told ~0p~n", [{
    lists:filter(Own, init:get_arguments()), init:get_plain_arguments(), erlang:system_info(schedulers),
    erlang:system_info(process_limit),
    [os:getenv(Name) || Name <- ["ROOTDIR", "BINDIR", "EMU", "PROGNAME", "PATH", "SET"]]
}]), halt().
"""


def run(*command: str, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
    )  # fmt: skip
    return done.stdout


def beamgdb(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    return run(sys.executable, "-m", "beamgdb", *arguments, environment=environment)


def told(said: str) -> str:
    (found,) = re.findall(r"^told (.*)$", said, re.M)
    return str(found)


def test_help_and_version() -> None:
    """Ours, and where GDB's are."""
    said = beamgdb("--help")
    assert said.startswith("usage: beamgdb ")
    assert "beamgdb erl ARGS" in said
    assert "gdb --help" in said
    assert max(map(len, said.splitlines())) <= 80
    assert re.fullmatch(rf"beamgdb {re.escape(__version__)}\nGNU gdb .*\n", beamgdb("--version"))
    assert beamgdb("-q", "--help") == beamgdb("-ex", "info line", "-q", "--help") == said
    assert said not in beamgdb("-q", "-batch", "-nx", "-ex", "--help")  # a command, which GDB does not know
    assert beamgdb("-q", "--version") == beamgdb("--version")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("report",), "beamgdb report: .* required: CORE"), (("symbols", "none"), "beamgdb symbols: .*'none'"),
        (("pack", "CORE", "--force"), "beamgdb: .*--force"), (("--gdb",), "beamgdb: --gdb needs .*"),
        (("--gdb", "no-gdb", "-p", "1"), "beamgdb: no no-gdb on this machine"),
        (("no-such-node",), "beamgdb: no-such-node: no core file, and no node of that name runs here"),
        (("999999999",), "beamgdb: 999999999 is no process"), (("README.md",), "beamgdb: README.md: no core file"),
        (("board:1234",), "beamgdb: the screen needs a terminal; "),
        (("--screen", "--args", "AtomVM"), "beamgdb: the screen needs a terminal; "),
        (("--arch", "armhf"), "beamgdb: --arch armhf also needs --otp, the release"),
        (("--otp", "27"), "beamgdb: --otp 27 also needs --arch, the architecture"),
        (("--arch", "armhf", "--otp", "99"), "beamgdb: .*99"),
        (("--gdb", "/bin/cat", "report", "README.md"), "beamgdb: /bin/cat is no GDB"),
        (("--gdb", "/bin/cat", "erl"), "beamgdb: /bin/cat is no GDB"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_one_line(words: tuple[str, ...], why: str) -> None:
    assert re.fullmatch(f"{why}.*\n", beamgdb(*words))


def test_another_process_is_not_attached_to() -> None:
    """One that is no BEAM, as this one, is named."""
    said = beamgdb(str(os.getpid()))
    assert re.fullmatch(rf"beamgdb: process {os.getpid()} runs \S*python\S*, which is no BEAM; .*\n", said)


def test_bash_completes_files_and_commands(tmp_path: Path) -> None:
    """As bash asks the script, which it has sourced."""
    for name in ("core.1", "prod.core"):
        (tmp_path / name).touch()
    script = REPOSITORY / "share/bash-completion/completions/beamgdb"
    asked = 'COMP_CWORD=$(($# - 1)) COMP_WORDS=("$@"); _shtab_beamgdb beamgdb "${@: -1}" "${@: -2:1}"'

    def completed(*words: str) -> set[str]:
        command = f". {script}; cd {tmp_path}; set -- beamgdb {' '.join(words)}; {asked}; echo ${{COMPREPLY[*]}}"
        return set(run("bash", "-c", command).split())

    assert completed('""') == {"core.1", "prod.core", "report", "pack", "symbols"}
    assert completed("p") == {"prod.core", "pack"}
    assert completed("beam.smp", "co") == completed("report", "co") == {"core.1"}


def test_what_shells_and_man_read_is_of_this_parser(tmp_path: Path) -> None:
    """`tools/shell_files` has been run since it was changed."""
    run(sys.executable, str(REPOSITORY / "tools/shell_files"), str(tmp_path))
    made = {str(file.relative_to(tmp_path)): file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    share = REPOSITORY / "share"
    assert {str(file.relative_to(share)): file.read_text() for file in share.rglob("*") if file.is_file()} == made


@pytest.mark.parametrize(
    ("arguments", "flags"),
    [
        (("-sname", "beamgdb_cli_test", "+S", "2:2", "-start_epmd", "false"), ""),
        (("-env", "SET", "to this", "+P", "5000"), "+S 1"),
        (("-kernel", "logger_level", "error", "-extra", "two words", "-env", "SET", "no", "a\nb"), "-env SET f"),
        (("--", "plain", "$HOME", "it's"), ""),
    ],
)
def test_a_node_starts_as_erl_starts_it(arguments: tuple[str, ...], flags: str) -> None:
    """It has the arguments, the environment and the number of schedulers that it has without GDB."""
    environment = {"ERL_FLAGS": flags, "ERL_AFLAGS": "", "ERL_ZFLAGS": "-hidden", "ERL_CRASH_DUMP": "/dev/null"}
    own = ("-noinput", "-eval", TELL, *arguments)
    distributed = "-sname" in arguments
    if distributed:
        own = own[:-2]  # started with epmd, which must be there for it to come up
    expected = told(run("erl", *own, environment=environment))
    assert told(beamgdb("-nx", "-batch", "erl", *own, environment=environment)) == expected


def test_the_script_may_be_given_by_its_path() -> None:
    erl = shutil.which("erl")
    assert erl is not None
    said = beamgdb("-nx", "-batch", erl, "-noinput", "-eval", TELL, "+S", "3:3", "-extra", "a", "b c")
    assert '["a","b c"],3,' in told(said)


def test_a_breakpoint_from_the_start(ebin: Path) -> None:
    said = beamgdb(
        "-nx", "-batch", "-ex", "beam-break -temporary walks:factorial/1",
        "erl", "-noinput", "-pa", str(ebin), "-eval", "walks:start()",
    )  # fmt: skip
    assert re.search(r"hit Temporary breakpoint 1, walks:factorial/1 ", said)


@pytest.mark.parametrize(
    "words",
    [
        ("-d", "elixir", "BEAM", "CORE"), ("-ex", "mix", "-p", "1"), ("--directory", "erl"), ("-init-eval", "iex"),
        ("-q", "BEAM", "erl"), ("-x", "--args", "erl.gdb", "erl"), ("--args", "BEAM", "erl"), ("--", "erl"), ("-d",),
    ],
)  # fmt: skip
def test_only_a_program_starts_a_node(words: tuple[str, ...]) -> None:
    """Other words are GDB's, also those that are named like one."""
    assert command_line(words).words[3:] == list(words)


def test_options_before_a_program() -> None:
    """GDB gets them, with their values, before the node's."""
    before = ("-d", "elixir", "--cd=/", "-q", "-ex", "mix")
    assert command_line((*before, "erl", "-d", "erl")).words[3:][:8] == [*before, "-ex", "run"]


def test_the_options_that_gdb_gives_a_value() -> None:
    """As GDB tells of each that its help names: without one it asks for it."""
    named = set(re.findall(r"(?<![\w-])--?([A-Za-z][a-z-]*)", run("gdb", "--help"))) - {"args", "tui"}
    asked = {name for name in named if "requires an argument" in run("gdb", "-nx", "-batch", f"--{name}")}
    assert len(asked) > 20
    assert {name for name in named if gdb_options.split((f"--{name}", "value")).length == 2} == asked


@pytest.mark.skipif(shutil.which("elixir") is None, reason="not installed: elixir")
def test_elixir() -> None:
    said = beamgdb("-nx", "-batch", "elixir", "-e", 'IO.puts("told #{inspect(System.argv())}")', "--", "x", "y z")
    assert told(said) == '["x", "y z"]'


@pytest.mark.skipif(shutil.which("elixir") is None, reason="not installed: elixir")
def test_nothing_runs_outside_of_gdb_where_temporary_files_cannot_be_executed(tmp_path: Path) -> None:
    mounted = f"mount -t tmpfs -o noexec none {tmp_path} && "
    own_mounts = ("unshare", "--map-root-user", "--mount", "sh", "-c")
    if run(*own_mounts, f"{mounted} echo mounted") != "mounted\n":
        pytest.skip("no file system can be mounted here")
    start = f"""{sys.executable} -m beamgdb -nx -batch elixir -e 'IO.puts("told")'"""
    said = run(*own_mounts, mounted + start, environment={"TMPDIR": str(tmp_path)})
    assert said == f"beamgdb: no program can be run in {tmp_path}: set TMPDIR to a folder that is not mounted noexec\n"


def test_what_cannot_be_started_is_one_line(tmp_path: Path) -> None:
    assert re.fullmatch("beamgdb: .*`beamgdb erl ARGS` starts what it starts\n", beamgdb("--args", "erl", "-noinput"))
    nothing = {"PATH": str(tmp_path)}
    assert beamgdb("--gdb", sys.executable, "erl", environment=nothing) == "beamgdb: no erl on this machine\n"
    assert re.fullmatch("beamgdb: .*\n", beamgdb("erl", "-emu_type", "none"))
    assert re.fullmatch("beamgdb: .*\n", beamgdb("erl", "+S"))


def test_flags_that_set_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERL_FLAGS", "-env B 'b c'")
    found = erlang_start.start("erl", ["-env", "A", "a", "-extra", "-env", "C", "c"]).environment
    assert (found.get("A"), found.get("B"), found.get("C")) == ("a", "b c", None)


@pytest.mark.parametrize("quoted", ["it's quoted", 'with "two  words', "ends with\\\\ \\", "'a\"b' \"c'd\" e\\ f ' '"])
def test_flags_are_quoted_as_erl_takes_them(monkeypatch: pytest.MonkeyPatch, quoted: str) -> None:
    monkeypatch.setenv("ERL_FLAGS", f"-env D {quoted}")
    tell = 'io:put_chars(os:getenv("D")), halt().'
    asked = subprocess.run(["erl", "-noinput", "-eval", tell], capture_output=True, text=True, timeout=PATIENCE)
    assert erlang_start.start("erl", []).environment["D"] == asked.stdout != ""
