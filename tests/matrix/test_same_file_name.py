"""Breakpoints on lines of a file whose name another module claims too, before its own module is loaded and after."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.gdb import Gdb, one_line_error
from tests.harness.targets import Target, session
from tests.matrix.conftest import place, resume, stop_at


@dataclass(frozen=True)
class Twins:
    """A session with a node of twin_other.erl, which loads twin.erl when there is a file `now`."""

    target: Target
    gdb: Gdb
    now: Path

    @property
    def first(self) -> int:
        """The first line of twin:first/1 with code: its head, which is nothing to the interpreter."""
        return 16 if self.target.interpreted else 15


@pytest.fixture(params=[Target("amd64", 25), Target("armhf", 27)], ids=str)  # a JIT, and the interpreter
def twins(request: pytest.FixtureRequest, ebin_for: Callable[[Target], Path], tmp_path: Path) -> Iterator[Twins]:
    target: Target = request.param
    with session(
        target, target.modes[0], ebin_for(target), f'twin_other:start("{tmp_path}/now")', is_ready=True
    ) as one:
        yield Twins(target, one.gdb, tmp_path / "now")


def test_it_waits_for_the_module_of_that_name(twins: Twins) -> None:
    """Also where another module has code of a later line. Of a line without code it becomes the next one, in that
    module."""
    gdb = twins.gdb
    stop_at(gdb, "twin_other:stray/1")
    assert gdb.cmd("beam-break twin.erl:14") == "Breakpoint 2 on twin.erl:14, which is not loaded yet.\n"
    assert gdb.cmd("beam-break twin.erl:21") == "Breakpoint 3 on twin.erl:21, which is not loaded yet.\n"
    assert gdb.cmd("beam-break twin.erl:99") == "Breakpoint 4 on twin.erl:99, which is not loaded yet.\n"
    gdb.cmd("delete 4")
    twins.now.touch()
    resume(gdb)
    assert place(gdb) == ("twin:first/1", twins.first)
    resume(gdb)
    assert place(gdb) == ("twin:second/1", 21)
    listed = gdb.cmd("beam-breakpoints")
    assert re.search(rf"^2 .* 1 +twin:first/1 at \S*twin\.erl:{twins.first}$", listed, re.M)
    assert re.search(r"^3 .* 1 +twin:second/1 at \S*twin\.erl:21$", listed, re.M)


def test_a_line_without_code(twins: Twins) -> None:
    gdb = twins.gdb
    twins.now.touch()
    stop_at(gdb, "twin:loop/1")
    own, other = rf"twin:first/1 at \S*twin\.erl:{twins.first}", r"twin_other:stray/1 at twin\.erl:19"
    note = rf"Note: no code notes line 14: the next is line {twins.first}, in twin:first/1\.\n"
    for line, expected, said in ((14, own, note), (19, other, "")):
        assert re.fullmatch(rf"Breakpoint \d+ in {expected}\.\n{said}", gdb.cmd(f"beam-break twin.erl:{line}"))
    said = rf"^beamgdb: breakpoint \d+: no code notes line 14: the next is line {twins.first}, in twin:first/1$"
    assert re.search(said, gdb.cmd("break twin.erl:14"), re.M)
    assert "there is no code of line 99" in one_line_error(gdb, "beam-break twin.erl:99")
