"""What users are told when they ask for what cannot be: one line, and an exit status."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from jit.sandbox.command_line import main
from jit.sandbox.gdbs import SUITES
from jit.sandbox.pairs import PAIRS


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEAMGDB_CACHE", str(tmp_path / "cache"))


def refused(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """The last line of what a refused command says."""
    assert main(words) == 1
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("beamgdb.sandbox: ")
    return line


def test_unknown_pair(capfd: pytest.CaptureFixture[str]) -> None:
    said = refused(capfd, "run", "--arch", "arm64", "--otp", "25")
    assert "no sandbox for arm64 25 (its JIT crashes under qemu-aarch64); there are: armhf 25, armhf 27," in said
    assert "no sandbox for mips 27; there are:" in refused(capfd, "fetch", "--arch", "mips", "--otp", "27")


def test_unknown_gdb(capfd: pytest.CaptureFixture[str]) -> None:
    assert "no sandbox for GDB 12; there are: 10, 13, 16, 18" in refused(capfd, "fetch", "--gdb", "12")
    said = refused(capfd, "fetch", "--gdb", "10", "--arch", "armhf")
    assert "either --gdb, or --arch and --otp" in said
    assert "--arch and --otp tell, or --gdb" in refused(capfd, "fetch", "--arch", "armhf")


def test_help_tells_of_all_pairs(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    newer = replace(PAIRS[0], otp=39)
    monkeypatch.setattr("jit.sandbox.command_line.PAIRS", (*PAIRS, newer))
    assert main(["run", "--help"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "armhf, arm64 or amd64" in said
    assert "release of Erlang/OTP: 25, 27, 29 or 39" in said


def test_no_qemu(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refused(capfd, "shell", "--arch", "armhf", "--otp", "27")
    assert said.endswith("there is no qemu-arm here, which runs Erlang for armhf: install qemu-user")


def test_no_apt(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no apt-get here" in refused(capfd, "fetch", "--arch", "armhf", "--otp", "27")


def test_no_network(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """apt's own reason is given, and nothing is taken for fetched."""
    for name in ("http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BEAMGDB_DEBIAN", "http://127.0.0.1:1/debian")
    said = refused(capfd, "fetch", "--arch", "armhf", "--otp", "25")
    assert "cannot read suite bookworm of http://127.0.0.1:1/debian: Failed to fetch" in said
    # What apt of Debian 12 says of this, and of 13.
    assert "Connection refused" in said or "Unable to connect to 127.0.0.1:1" in said
    assert not (tmp_path / "cache/sandbox/armhf-25").exists()


def test_no_keyring(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BEAMGDB_DEBIAN", "http://127.0.0.1:1/debian")
    monkeypatch.setattr("jit.sandbox.apt_sources.DEBIAN_KEYRING", str(tmp_path / "keys.gpg"))
    assert "install debian-archive-keyring" in refused(capfd, "fetch", "--arch", "armhf", "--otp", "25")


def test_list_of_an_empty_cache(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == len(PAIRS) + len(SUITES)
    assert all("not fetched" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "COMMAND"),
        (["run", "--otp", "25"], "--arch"),
        (["run", "--arch", "armhf", "--otp", "25", "-noshell"], "-noshell"),
        (["gdb", "--arch", "armhf", "--otp", "25", "--port", "65536"], "not a port: 65536"),
    ],
)
def test_wrong_usage(capfd: pytest.CaptureFixture[str], words: list[str], reason: str) -> None:
    assert main(words) == 2
    assert reason in capfd.readouterr().err


@pytest.mark.parametrize("command", ["run", "shell", "gdb", "erlc", "fetch", "list"])
def test_help(capfd: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    assert capfd.readouterr().out.startswith(f"usage: python -m beamgdb.sandbox {command} [OPTIONS]")


def test_apt_is_found_here() -> None:
    """The tests above take apt away, or its network: otherwise it is there."""
    assert shutil.which("apt-get", path=os.environ["PATH"])
