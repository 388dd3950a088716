"""A release that differs from one with a table by its version only, as its next patch does: all is proved on the
target, and works. Where nothing can be proved, terms are shown that need no table."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from jit.otp.layouts.layout import known
from tests.gdb.stages import functions, read_frames
from tests.gdb.test_unknown_release import write_other_release
from tests.harness.erl import READY, Release, running
from tests.harness.gdb import Gdb, GdbError, one_line_error
from tests.harness.patience import PATIENCE
from tests.harness.targets import FLAGS, Target


def next_of(release: Release) -> str:
    """The version of erts in a patch release to come of the one that is installed."""
    return release.erts.rpartition(".")[0] + ".99"


def proved(release: Release) -> str:
    """What `beam-info` says then of the fields, as a pattern."""
    return rf"^layouts: +fields of {re.escape(release.erts)}, proved on this target$"


@dataclass(frozen=True)
class Patched:
    """GDB with a node of the next patch release, and what the node has printed."""

    gdb: Gdb
    beam: Path
    said: str

    def words(self) -> dict[str, int]:
        """Words of terms by name."""
        return {name: int(word, 16) for name, word in re.findall(r"^word (\w+) ([0-9a-f]+)$", self.said, re.M)}

    def printed(self) -> dict[str, str]:
        """The same terms as the node prints them."""
        return dict(re.findall(r"^(\w+)\t(.*)$", self.said, re.M))


IDLE = 6000
"""Milliseconds."""


@contextmanager
def next_release(ebin: Path, release: Release, beam: Path, *commands: str) -> Iterator[Patched]:
    """GDB attached to it while it is idle, after `commands`."""
    write_other_release(release.beam, beam, erts=next_of(release), otp=str(release.otp))
    begin = "code:load_file(stages), terms:start(), words:start(), terms:printed()"
    # Idle for as long as it may take to attach, and to look for the first time.
    start = f'{begin}, io:format("{READY}~n"), timer:sleep({IDLE}), stages:start()'
    with pytest.MonkeyPatch.context() as patch, tempfile.NamedTemporaryFile() as output:
        for name, value in release.environment().items():
            patch.setitem(os.environ, name, value)
        command = [str(beam), *release.arguments(ebin, start, "-S", "2:2", "-pc", "unicode")]
        with running(command, Path(output.name)) as process, Gdb() as gdb:
            for one in commands:
                gdb.cmd(one)
            gdb.attach(process.pid)
            yield Patched(gdb, beam, Path(output.name).read_text())


@pytest.fixture(scope="module")
def patched(ebin: Path, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patched]:
    """The compiler's code is as in the release that has a table."""
    with next_release(ebin, release, tmp_path_factory.mktemp("patched") / "beam.smp") as found:
        yield found


@pytest.fixture(scope="module")
def recompiled(ebin: Path, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patched]:
    """No function is as in the release that has a table, as where another compiler has made them."""
    forget = "python import beamgdb.evidence.known_code; beamgdb.evidence.known_code.signatures = lambda key: ()"
    with next_release(ebin, release, tmp_path_factory.mktemp("recompiled") / "beam.smp", forget) as found:
        yield found


def test_idle_then_running(recompiled: Patched, release: Release) -> None:
    """What only shows where a process runs is found as soon as one does."""
    gdb = recompiled.gdb
    assert "ErtsSchedulerData: unknown\n" in gdb.cmd("beam-info -layout")
    assert re.search(proved(release), gdb.cmd("beam-info"), re.M)
    shown = gdb.cmd("beam-bt all")
    assert "terms_holder" in shown
    assert "not proved" not in shown
    _go_to_leaf(gdb)
    assert re.search(proved(release), gdb.cmd("beam-info"), re.M)
    assert re.search(
        r"^ErtsSchedulerData: proved by a scheduler and its process\n    current_process$",
        gdb.cmd("beam-info -layout"), re.M,
    )  # fmt: skip
    # (Which port one runs, if any, nothing proves.)
    (pid,) = (row["pid"] for row in json.loads(gdb.cmd("beam-ps -json")) if row["name"] == "stages")
    assert pid in [row["runs"] for row in json.loads(gdb.cmd("beam-schedulers -json"))]


def _go_to_leaf(gdb: Gdb) -> None:
    gdb.cmd("tbreak -function stages:leaf/3")
    assert gdb.go("continue").reason == "breakpoint-hit"


def test_what_is_not_proved(recompiled: Patched, tmp_path: Path) -> None:
    """Each command says in a line what is not known, and a crash dump too: nobody could tell there that a number is
    none."""
    gdb = recompiled.gdb
    assert re.search(r"^Process: unknown\n(    .*\n)*?.*common\.u\.alive\.monitors", gdb.cmd("beam-info -layout"), re.M)
    for command in COMMANDS:
        try:
            said = gdb.cmd(command)
        except GdbError as error:
            said = str(error)
            assert "proved on this target" in said or "not proved" in said, said
        assert "internal error" not in said
    dump = tmp_path / "erl_crash.dump"
    said = gdb.cmd(f"beam-crashdump {dump}")
    assert re.search(r": \d\d+ processes, [\d.]+ MB, in ", said)
    unknown = r"^\(left out, for it is not known where this VM has them: old heaps, .*ETS tables.*\)$"
    assert re.search(unknown, said, re.M)
    text = dump.read_text()
    assert text.count("\nStack+heap: ") > 20
    assert "\nOldHeap" not in text


def test_frames(patched: Patched) -> None:
    _go_to_leaf(patched.gdb)
    names = functions(read_frames(patched.gdb.cmd("bt")))
    assert names[:3] == ["stages:leaf/3", "stages:protected/2", "stages:in_catch/2"]
    assert "stages:loop/1" in names
    assert names[-1] != "erts_beamasm:normal_exit/0"
    assert re.search(r"^#0 .* in stages:leaf/3", patched.gdb.cmd("beam-bt"), re.M)
    assert re.search(r"^x0 +", patched.gdb.cmd("xreg"), re.M)
    assert "stages, spawned as stages:loop/1: running on thread" in patched.gdb.cmd("beam-bt stages")


def test_terms(patched: Patched) -> None:
    """As the node prints them."""
    gdb = patched.gdb
    for limit in ("depth", "width", "bytes"):
        gdb.cmd(f"set beam-{limit} 2000")
    expected = patched.printed()
    shown = {name: gdb.cmd(f"eterm {word:#x}").removesuffix("\n") for name, word in patched.words().items()}
    known = shown.keys() - {"nested_list"}
    assert len(known) > 35
    assert {name: shown[name] for name in known} == {name: expected[name] for name in known}


def test_steps_and_breakpoints(patched: Patched) -> None:
    gdb = patched.gdb
    assert "stages.erl" in gdb.cmd_running("beam-next")
    assert "stages:protected/2" in gdb.cmd_running("beam-finish") + gdb.cmd("bt 1")
    assert "breakpoint" in gdb.cmd("beam-break -temporary -process stages stages:leaf/3").lower()
    assert gdb.go("continue").reason == "breakpoint-hit"


def test_without_any_evidence(patched: Patched, release: Release, tmp_path: Path) -> None:
    """A core in which there are no processes any more."""
    table = int(patched.gdb.cmd("p/x (long) &'erts_proc'").split()[-1], 16)
    core = tmp_path / "core"
    patched.gdb.cmd(f"gcore {core}")
    with core.open("r+b") as stream:
        offsets = list(ELFFile(stream).iter_segments("PT_LOAD"))
        segment = next(one for one in offsets if one["p_vaddr"] <= table < one["p_vaddr"] + one["p_filesz"])
        stream.seek(segment["p_offset"] + table - segment["p_vaddr"])
        stream.write(bytes(320))
    wanted = ("small", "big", "float", "nil", "string", "empty_tuple", "heap_binary", "refc_binary", "sub_binary")
    words = patched.words()
    with Gdb(str(patched.beam), str(core)) as gdb:
        gdb.cmd("set beam-bytes 2000")
        said = gdb.cmd("beam-info")
        version = re.escape(next_of(release))
        assert re.search(rf"^layouts: +none: no built-in table for erts {version} .*is not proved", said, re.M)
        shown = {name: gdb.cmd(f"eterm {words[name]:#x}").strip() for name in wanted if name in words}
        assert len(shown) > 6
        assert shown == {name: patched.printed()[name] for name in shown}
        assert re.fullmatch(r'\[1,.*,3\.0,"four"\]\n', gdb.cmd(f"eterm {words['list']:#x}"))
        assert re.fullmatch(r'\{.*,"b",.*\}\n', gdb.cmd(f"eterm {words['tuple']:#x}"))
        assert "lists:map/2" in gdb.cmd("eterm (((long) &'lists:map/2') + 7) & ~7")
        assert "lists:map/2" in gdb.cmd("info symbol 'lists:map/2'")
        assert "is not proved on this target" in one_line_error(gdb, "beam-bt init")


COMMANDS = (
    "beam-ps", "beam-process terms_holder", "beam-stacks", "beam-ets", "beam-ets-objects ac_tab", "beam-binaries",
    "beam-waits", "beam-why", "beam-heap", "beam-heap init", "beam-verify", "beam-refs init", "beam-ports",
    "beam-schedulers", "beam-persistent-terms", "beam-nodes", "beam-timers", "beam-top", "beam-tree", "beam-allocators",
    "beam-allocators -carriers", "beam-fds", "beam-memory", "beam-resources", "beam-exceptions", "beam-purge",
    "beam-locks",
)  # fmt: skip

NOT_PROVED = (
    "(locks of tables: DbTableHashFineLockSlot: unknown in fields of ",
    "processes and system are not known without the blocks of fixed size",
)
"""How large these are, and so how far apart in arrays, no code of C tells by which fields are proved."""


def test_lists(patched: Patched, tmp_path: Path) -> None:
    """All that a release has to which a table belongs: what no process shows is seen by functions that are as there."""
    assert re.search(
        r"^Process: proved by the code of \d+ functions? as in [\d.]+\n(?:    .*\n)*?.*\bcommon\.u\.alive\.monitors\b",
        patched.gdb.cmd("beam-info -layout"), re.M,
    )  # fmt: skip
    rows = {row["name"]: row for row in json.loads(patched.gdb.cmd("beam-ps -json"))}
    holder = rows["terms_holder"]
    assert (holder["status"], holder["current"]) == ("waiting", "terms:park/2")
    assert holder["memory"] > 0
    assert holder["reductions"] > 0
    assert len(rows) > 20
    said = {command: patched.gdb.cmd(command) for command in COMMANDS}
    lines = [(command, line) for command, text in said.items() for line in text.splitlines()]
    unknown = [
        (command, line)
        for command, line in lines
        if re.search(r"unknown in|not known|not proved", line) and not line.startswith(NOT_PROVED)
    ]
    assert not unknown
    assert "left out" not in patched.gdb.cmd(f"beam-crashdump {tmp_path / 'erl_crash.dump'}")


def test_a_node_that_gdb_starts(release: Release, ebin: Path, tmp_path: Path) -> None:
    """GDB stops it often before there are processes, at code that is loaded, which users do not see: what is to be
    known is known where they do. What only shows when there are more, as funs do, is known there too, or later."""
    beam = tmp_path / "beam.smp"
    write_other_release(release.beam, beam, erts=next_of(release), otp=str(release.otp))
    arguments = release.arguments(ebin, "stages:start()", "-S", "1:1")
    with Gdb("--args", str(beam), *arguments, load="-x", environment=release.environment()) as gdb:
        gdb.cmd("set breakpoint pending on")
        gdb.cmd("beam-break stages:round/2")
        assert gdb.go("run", timeout=2 * PATIENCE).reason == "breakpoint-hit"
        assert gdb.cmd("eterm x1").endswith('\n[payload,"of",<<"round">>]\n')
        assert re.search(proved(release), gdb.cmd("beam-info"), re.M)
        assert gdb.go("continue").reason == "breakpoint-hit"
        assert re.search(r"^ErlFunEntry: proved by ", gdb.cmd("beam-info -layout"), re.M)


def test_all_fields_of_the_table(patched: Patched, release: Release) -> None:
    """Where a user says that the release has the fields of one with a table. All that is proved agrees."""
    gdb, version = patched.gdb, release.erts
    try:
        said = gdb.cmd(f"set beam-layout-from {version}") + gdb.cmd("beam-info")
        origin = rf"layouts: +built-in table \S+ x86_64 jit, as you say: this is erts {re.escape(next_of(release))}$"
        assert len(re.findall(rf"^(?:beamgdb: )?{origin}", said, re.M)) == 2
        assert gdb.cmd("show beam-layout-from") == f"Fields lie as the built-in table of {version} says.\n"
        for command in ("beam-ets", "beam-waits", "beam-heap init", "beam-ports", "beam-memory", "beam-tree"):
            assert "unknown" not in gdb.cmd(command)
    finally:
        gdb.cmd("set beam-layout-from")
    assert re.search(proved(release), gdb.cmd("beam-info"), re.M)


def test_fields_of_a_table_that_is_of_another_release(patched: Patched, release: Release) -> None:
    other = next(one.erts_version for one in known() if not one.erts_version.startswith(f"{release.erts[:3]}"))
    assert re.match(
        rf"beamgdb: beam-layout-from: the built-in table \S+ x86_64 jit is not for OTP {release.otp}, .*\n",
        patched.gdb.cmd(f"set beam-layout-from {other}"),
    )
    assert re.search(proved(release), patched.gdb.cmd("beam-info"), re.M)


@pytest.mark.parametrize(
    ("otp", "why"),
    [("27", ""), ("25", "beamgdb: by the built-in table otp-25.2.3 x86_64 jit most processes make no sense: where ")],
)
def test_a_version_that_is_of_another_build(otp: str, why: str, tmp_path: Path) -> None:
    """Here OTP 27 says that its runtime system is that of OTP 25: that there is a table of it does not make it true."""
    sandbox, beam = Target("amd64", 27).sandbox, tmp_path / "beam.smp"
    write_other_release(sandbox.beam, beam, erts="13.1.5", otp=otp)
    expression = f'register(one_of_mine, self()), io:format("{READY}~n"), timer:sleep(infinity)'
    _, *arguments = sandbox.beam_command([*FLAGS, "-noinput", "-eval", f"{expression}."])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.environment().items():
            patch.setitem(os.environ, name, value)
        with running([str(beam), *arguments], tmp_path / "output") as process, Gdb() as gdb:
            said = gdb.attach(process.pid) + gdb.cmd("beam-info")
            assert why in said
            assert re.search(r"^layouts: +\d+ fields proved on this target, \d+ of them not as in ", said, re.M)
            assert '"name": "one_of_mine"' in gdb.cmd("beam-ps -json")
            refused = gdb.cmd("set beam-layout-from 13.1.5")
            assert re.match("beamgdb: beam-layout-from: .*(no sense by it|not for OTP 27|, and at \\d+ by it)", refused)
