"""`--target`: what there is, and that every command compiles for the one that is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jit.__main__ import main as jit
from jit.arm32.cpus import CPUS
from jit.commands import arguments
from jit.commands.targets import ERTS, RUNTIMES
from jit.erts.arm32.runtime import StockErts


@pytest.mark.parametrize("command", ["compile", "coverage", "dump", "elf"])
def test_one_that_there_is_not(program: Path, capfd: pytest.CaptureFixture[str], command: str) -> None:
    out = ["-o", str(program.parent / "out")] if command in ("compile", "elf") else []
    assert jit([command, "--target", "pdp11", str(program), *out]) == 1
    assert capfd.readouterr().err == "jit: --target: there is no target pdp11 of erts; there is arm32\n"


@pytest.mark.parametrize("name", RUNTIMES)
def test_each_is_called_as_its_processor(name: str) -> None:
    """In all releases that there are for the runtime, if it tells them apart; behind "+" is what else it is for."""
    for target, runtime in RUNTIMES[name].processors.items():
        assert {runtime(otp).processor.name for otp in RUNTIMES[name].releases or (0,)} == {target.partition("+")[0]}


def test_help_tells_of_all_releases(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """That of Debian's stable suite is what is compiled for."""
    monkeypatch.setattr(arguments, "ERTS", replace(ERTS, releases=(25, 27, 39)))
    assert jit(["compile", "--help"]) == 0
    assert "release of Erlang/OTP that is to run it: 25, 27 or 39 (27)" in " ".join(capfd.readouterr().out.split())


def test_it_is_compiled_for(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second target, which runs code in the release before: its files tell of that one's layout."""
    monkeypatch.setitem(ERTS.processors, "old", lambda _otp: StockErts(25))
    for target, erts in (("old", b"erts-13."), ("arm32", b"erts-15.")):
        assert jit(["elf", "--target", target, str(program), "-o", str(tmp_path / "one.elf")]) == 0
        assert erts in (tmp_path / "one.elf").read_bytes()
        assert jit(["compile", "--target", target, str(program), "-o", str(tmp_path / "out")]) == 0
        assert erts in (tmp_path / "out" / program.name).read_bytes()


def test_dump_and_coverage_are_of_it(
    program: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nothing(StockErts):
        """One that has no emitter of a call."""

        emitters = {name: emitter for name, emitter in StockErts.emitters.items() if name != "call_ext"}

    monkeypatch.setitem(ERTS.processors, "old", Nothing)
    for target, lacks in (("old", True), ("arm32", False)):
        assert jit(["dump", "--target", target, str(program)]) == 0
        assert ("% interpreted: call_ext" in capfd.readouterr().out) == lacks
        assert jit(["coverage", "--target", target, str(program), "--jobs", "1"]) == 0
        assert ("call_ext" in capfd.readouterr().out) == lacks


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--target", "arm32,old"], "--target: a file for erts is for one target: compile twice"),
        (["--target", "arm32,pdp11"], "--target: there is no target pdp11 of erts; there is arm32, old"),
        (["--target", ""], "--target: there is no target  of erts; there is arm32, old"),
        (
            ["--runtime", "atomvm", "--dwarf", "--target", "arm32,x86_64"],
            "--dwarf: a file has room for the debugging information of one target: compile twice",
        ),
    ],
)
def test_several(
    program: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], what: str
) -> None:
    monkeypatch.setitem(ERTS.processors, "old", lambda _otp: StockErts(25))
    assert jit(["compile", *words, str(program)]) == 1
    assert capfd.readouterr().err == f"jit: {what}\n"


def test_a_kind_of_processor_is_for_stock_erlang_only(
    program: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The native object tells what that must have."""
    for name, cpu in CPUS.items():
        assert jit(["elf", "--cpu", name, str(program), "-o", str(tmp_path / name)]) == 0
        assert cpu.told.to_bytes(4, "little") in (tmp_path / name).read_bytes()
    assert jit(["elf", str(program), "-o", str(tmp_path / "default")]) == 0
    assert (tmp_path / "default").read_bytes() == (tmp_path / "armv7-a").read_bytes()
    capfd.readouterr()
    assert jit(["elf", "--runtime", "atomvm", "--cpu", "arm1176", str(program), "-o", str(tmp_path / "none")]) == 1
    assert capfd.readouterr().err == "jit: --cpu: files for arm32 of atomvm are for all processors of it\n"
