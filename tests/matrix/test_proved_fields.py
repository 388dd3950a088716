"""Fields that are proved on the VM itself, as if there were no table of its release: none is wrong, and with them all
that is shown is the same, or says what is unknown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jit.otp.layouts.layout import known
from tests.harness.gdb import Gdb
from tests.harness.targets import LOOKED_AT, Target, session
from tests.matrix.conftest import Scene

PROVE = Path(__file__).with_name("prove_fields.py")
RESTORE = "python restore()"

COMMANDS = (
    "bt", "xreg", "beam-bt", "beam-bt init", "beam-bt busy", "beam-bt terms_holder", "beam-bt all -limit 3", "eterm 15",
    "eterm argument", "beam-disas lists:map/2",
)  # fmt: skip

#: The core of a native node has the memory that proofs saw when GDB was attached to it, and they ask for as much of it.
#: Of those cores one is left in, that of a VM without symbols: there the code comes from the program's file.
SCENES = tuple(
    (target, mode)
    for target in LOOKED_AT
    for mode in target.modes
    if mode != "core" or target.emulated or target.build or target == Target("amd64", 29)
)

UNKNOWN = re.compile(r"<[^<>]*: layout unknown>")

NEAR = {25: ("15.2.7", "17.1"), 27: ("13.1.5", "17.1"), 29: ("15.2.7",)}
"""By release: versions of the runtime system whose tables are all that there is. By that of OTP 25 nothing finds the
variables of OTP 29, which have no symbols."""


def said(scene: Scene) -> list[str]:
    """What the commands print, line by line; that there are no x registers is an error."""
    return [line for command in COMMANDS for line in scene.gdb.cmd(command, check=False).splitlines()]


def tables(scene: Scene) -> list[str]:
    """Versions of which there are tables for the architecture."""
    arch = scene.target.architecture.partition(",")[0]
    there = {key.erts_version for key in known() if key.arch == arch}
    return [version for version in NEAR[scene.target.otp] if version in there]


@pytest.fixture
def hidden(scene: Scene) -> Iterator[Scene]:
    """A session that can be made to go on without the table of its release."""
    assert scene.gdb.cmd(f"source {PROVE}") == ""
    yield scene
    scene.gdb.cmd(RESTORE)


def go_on_with_proved(gdb: Gdb, near: str) -> None:
    """Use what is proved by the table of another version: at least 90 % of what is needed, and nothing wrong."""
    report = json.loads(gdb.cmd(f"python report('{near}')"))
    assert report["wrong"] == [], near
    assert len(report["unknown"]) <= report["wanted"] // 10, (near, report["unknown"])


def assert_proved(gdb: Gdb, target: Target) -> None:
    """Prove by each table of another release."""
    assert gdb.cmd(f"source {PROVE}") == ""
    for near in NEAR[target.otp]:
        go_on_with_proved(gdb, near)
        gdb.cmd(RESTORE)


@pytest.mark.scenes(*SCENES)
def test_without_its_table(hidden: Scene) -> None:
    gdb = hidden.gdb
    before = said(hidden)
    assert tables(hidden)
    for near in tables(hidden):
        go_on_with_proved(gdb, near)
        after = said(hidden)
        assert len(after) == len(before), near
        for line, now in zip(before, after, strict=True):
            pattern = ".*".join(map(re.escape, UNKNOWN.split(now)))
            assert re.fullmatch(pattern, line), (near, line, now)
        assert re.search(r"^layouts: +\d+ fields proved on this target", gdb.cmd("beam-info"), re.M)
        where = gdb.cmd("beam-info -layout")
        assert re.search(r"^Atom: proved by 64 atoms\n    slot.index len (name|u.bin)$", where, re.M)
        gdb.cmd(RESTORE)


@pytest.mark.scenes(*SCENES)
def test_tags_of_a_release_that_is_not_known(hidden: Scene) -> None:
    """All tell whose terms they have; those of 25 and 26 are alike on 32 bits."""
    told = hidden.gdb.cmd(f"python tags('{tables(hidden)[0]}')").strip()
    is_like_26 = hidden.target.otp == 25 and hidden.target.arch == "armhf"
    assert told == ("26" if is_like_26 else str(hidden.target.otp))


@pytest.mark.parametrize("otp", [25, 27])
def test_as_many_ports_as_processes(otp: int, ebin_for: Callable[[Target], Path]) -> None:
    """Both tables are of the same size where a container allows a million open files."""
    target, flags = Target("amd64", otp), ("+P", "1048576", "+Q", "1048576")
    with session(target, "attached", ebin_for(target), "stages:start()", *flags) as one:
        assert_proved(one.gdb, target)


@pytest.mark.parametrize("otp", [25, 27, 29])
def test_a_node_that_does_nothing(otp: int, tmp_path: Path) -> None:
    target = Target("amd64", otp)
    with session(target, "attached", tmp_path, "ok") as one:
        assert_proved(one.gdb, target)
