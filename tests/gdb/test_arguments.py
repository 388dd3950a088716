"""Whatever is typed: an answer, or an error of one line that says what is wrong with it."""

from __future__ import annotations

import re

import pytest

from tests.gdb.conftest import Looking
from tests.gdb.stages import go_to
from tests.harness.gdb import Gdb, one_line_error

COMMANDS = (
    "beam-bt", "beam-bt -limit", "beam-bt all -limit", "beam-ps", "beam-ps -where", "beam-ps -sort",
    "beam-ps -limit", "beam-process", "beam-process -limit", "beam-ets", "beam-ets-objects", "xreg", "yreg", "freg",
    "xreg -raw", "eterm", "eterm -boxed",
    "beam-disas", "beam-disas -beam", "beam-disas lists:map/", "beam-disas -bytecode", "beam-break",
    "beam-break -process", "beam-break -temporary", "beam-break lists.erl:", "beam-break lists:map/",
    "beam-breakpoints", "beam-info", "beam-next", "beam-step", "beam-finish", "p $_xreg", "p $_yreg", "p $_eterm",
    "p $_beam_process", "p $_beam_hit",
)  # fmt: skip

MANY = "9" * 5000
ODD = (
    MANY, f"-{MANY}", f"<0.{MANY}.0>", f"0.1.{MANY}", f"x{MANY}", f"lists:map/{MANY}", f"lists.erl:{MANY}",
    f"{MANY}:{MANY}", "-1", "-0", "0x", "1e400", "0.5", "0.500000.0", "<0.0.99999>", "<0.0", "<>", "''", '""', "'", '"',
    "\\", "'a b", '"a b', "-", "--", "-limit", "-raw", "-x", "all all", "all -limit", "1 2", "\u0663", "\u00b2", "äöü",
    "日本", "\x01", "a\x00b", "a\tb", "$", "$nosuch", "$_siginfo", "$_", "*0", "*(int*)0", "(char)1", "1.5", "{1,2}",
    '"text"', "main", "&main", "gdb", "if", "if if", "lists:map/2 if", "lists:map/2 if (", "lists:map/2 if $_xreg()",
    "-process", "-process x", "-process '", "-temporary", ":", "/", ":/", "::", "lists:", ":map/1", "lists:map/256",
    "lists.erl:0", "lists.erl:-1", "lists.erl:99999999999", "a" * 5000, "(" * 500, "lists:'map'/2", "%s%n", "{}", "[]",
)  # fmt: skip

CALLS = (
    "()", "(1)", "(-1)", '("a")', "(1.5)", "(1, 2)", '("a", "b")', '("a", "b", "c")', "(main)", f"({MANY})", "(0x)",
    "(*0)",
)  # fmt: skip


def lines(command: str) -> list[str]:
    """Command lines that begin with the command, or call the convenience function."""
    return [command + call for call in CALLS] if command.startswith("p ") else [f"{command} {odd}" for odd in ODD]


@pytest.mark.parametrize("command", COMMANDS)
def test_anything(looking: Looking, command: str) -> None:
    gdb = looking.gdb
    if not looking.live and command in ("beam-next", "beam-step", "beam-finish"):
        pytest.skip("a core does not run")
    for line in lines(command):
        if line.split("\x00")[0].strip() in ("beam-next -0", "beam-step -0"):
            continue
        said = gdb.cmd(line, check=False, timeout=30)
        assert "Traceback" not in said, line
        assert "internal error" not in said, line
        assert "Python Exception" not in said, line
        assert "Error occurred in Python" not in said, line
        assert len(said) < 1 << 20, line
    gdb.cmd("delete")
    looking.home()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"beam-bt <0.{MANY}.0>", "no pid"),
        ("beam-bt 0.500000000.0", "no pid of this VM"),
        ("beam-bt 0.1.10000000000", "no pid of this VM"),
        ("beam-bt put_2", "no process is registered as 'put_2', and at that address, 0x"),
        ("beam-bt 'all'", "no process is registered as"),
        (f"beam-bt -limit {MANY}", "no number of frames"),
        ("beam-bt -limit \u0663", "no number of frames"),
        (f"xreg {MANY}", "no register number"),
        (f"beam-next {MANY}", "no number of steps"),
        (f"beam-disas lists:map/{MANY}", "there is no arity"),
        (f"beam-break lists.erl:{MANY}", "there is no line"),
        ("beam-break -process 0.500000000.0 lists:map/2", "no pid of this VM"),
        ("beam-break -process <0.7777.0> lists:map/2", "it has ended, or never was"),
        ("beam-bt <1.2.3>", "no pid of this VM"),
        ("beam-break -process <1.2.3> lists:map/2", "no pid of this VM"),
        ("beam-break -process 0.1.0.0 lists:map/2", "no pid of this VM"),
        ("beam-break -process 0x10 lists:map/2", "and at that address, 0x10, is none"),
        ("beam-break -process $pc lists:map/2", "and at that address, 0x"),
        ("p $_beam_process()", "usage: $_beam_process(NAME)"),
        ("p $_beam_process(1)", "a string is wanted"),
        ("p $_beam_hit(1)", "a string is wanted"),
        ("p $_xreg()", "usage: $_xreg(N)"),
        ('p $_xreg("a")', "no machine word"),
        ("eterm 1.5", "no machine word"),
    ],
)
def test_errors(looking: Looking, command: str, said: str) -> None:
    error = one_line_error(looking.gdb, command)
    assert said in error
    assert len(error) < 400


def test_a_breakpoint_for_a_process_that_is_not_there_yet(looking: Looking) -> None:
    """It may be registered later, as one that is restarted is."""
    gdb = looking.gdb
    said = gdb.cmd("beam-break -process 'not \"there\"' lists:map/2")
    assert "Note: no process is registered as 'not \"there\"' now; the breakpoint waits for one." in said
    assert 'process not "there"' in gdb.cmd("beam-breakpoints")
    assert re.search(r'\$_beam_process\("not \\"there\\""\)', gdb.cmd("info breakpoints"))
    assert "Note" not in gdb.cmd("beam-break -process stages lists:map/2")
    gdb.cmd("delete")


def test_a_pid_in_a_condition_is_read_as_elsewhere(stages_gdb: Gdb) -> None:
    gdb = stages_gdb
    go_to(gdb, "stages:third/1", "stages:leaf/3")
    (pid,) = re.findall(r"^Process <(0\.\d+\.0)> stages", gdb.cmd("beam-bt"), re.M)
    for text in (pid, f"<{pid}>", pid.removeprefix("0."), "stages", "'stages'"):
        assert gdb.cmd(f'p $_beam_process("{text}")').endswith(" = 1\n")
    assert gdb.cmd('p $_beam_process("<0.0.0>")').endswith(" = 0\n")
    for text in ("<0.500000000.0>", "<1.2.3>"):
        assert "is no pid of this VM" in one_line_error(gdb, f'p $_beam_process("{text}")')
