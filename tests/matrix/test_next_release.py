"""Releases of OTP that come after the last one that has a table, and hide their symbols as that does: one that differs
by its version only, and one with another number."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gdb.stages import functions, read_frames
from tests.harness.erl import READY, SETTINGS, running
from tests.harness.gdb import Gdb
from tests.harness.targets import Target

LAST = Target("amd64", 29)
VERSIONS = rb"29\0(\d+\.\d+\.\d+)\0"
"""What the program has of its release, and of the version of the runtime system."""


def write_next(beam: Path, path: Path, otp: bytes) -> None:
    """A copy of a beam.smp without symbols that says that it is a newer one."""
    data = beam.read_bytes()
    (found,) = re.finditer(VERSIONS, data)
    text = otp + b"\0" + found[1][:-1] + b"9\0"
    path.write_bytes(data[: found.start()] + text + data[found.end() :])
    path.chmod(0o755)


@pytest.mark.parametrize(("otp", "terms"), [(b"29", ""), (b"30", r"as in OTP (28|29), proved on this target by .*")])
def test_it_works(otp: bytes, terms: str, ebin_for: Callable[[Target], Path], tmp_path: Path) -> None:
    beam, ebin = tmp_path / "beam.smp", ebin_for(LAST)
    write_next(LAST.sandbox.beam, beam, otp)
    start = f'code:load_file(stages), terms:start(), stages:start(), io:format("{READY}~n").'
    command = [
        str(beam) if word == str(LAST.sandbox.beam) else word
        for word in LAST.sandbox.beam_command(["+S", "2:2", "-noinput", "-pa", str(ebin), "-eval", start])
    ]  # fmt: skip
    assert str(beam) in command
    output = tmp_path / "output"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**LAST.sandbox.environment(), **SETTINGS}.items():
            patch.setenv(name, value)
        with running(command, output) as process, Gdb(*LAST.sandbox.gdb_settings(ebin)) as gdb:
            gdb.attach(process.pid)
            gdb.cmd("tbreak -function stages:leaf/3")
            assert gdb.go("continue").reason == "breakpoint-hit"
            said = gdb.cmd("beam-info")
            print(said)
            assert re.search(r"^layouts: +(fields of 17\.1|\d+ fields proved on this target)", said, re.M)
            assert re.search(r"^processes: +\d+$", said, re.M)
            assert re.search(r"^schedulers: +2 normal, ", said, re.M)
            told = re.search(r"^terms: +(.*)$", said, re.M)
            assert re.fullmatch(terms, told[1] if told else "")
            names = functions(read_frames(gdb.cmd("bt")))
            assert names[:3] == ["stages:leaf/3", "stages:protected/2", "stages:in_catch/2"]
            assert "stages:loop/1" in names
            assert names[-1] != "erts_beamasm:normal_exit/0"
            assert re.search(r"^#0 .* in stages:leaf/3", gdb.cmd("beam-bt"), re.M)
            assert re.search(r"^x0 +", gdb.cmd("xreg"), re.M)
            assert gdb.cmd("beam-bt init").startswith("Process <0.0.0> init, ")
            assert "stages.erl" in gdb.cmd_running("beam-next")
