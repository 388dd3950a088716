"""What the commands of the Makefile ask of a Debian system: of one without root, what is missing cannot be had."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.gdb import REPOSITORY
from tests.harness.patience import PATIENCE

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="not installed: make")


def make(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # These tests may themselves run below a make.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    program = shutil.which("make")
    assert program
    return subprocess.run(
        [program, *words], cwd=REPOSITORY, env=environment | variables, capture_output=True, text=True, timeout=PATIENCE
    )


def packages(*goals: str) -> set[str]:
    """The Debian packages that `make GOALS` needs, and installs where they are missing."""
    (found,) = re.findall(r"^PACKAGES :=(.*)$", make("-pn", *goals).stdout, re.MULTILINE)
    return set(found.split())


@pytest.mark.parametrize("goal", ["demo", "demo-arm32"])
def test_a_demo_needs_no_compiler_of_c(goal: str) -> None:
    assert packages(goal)
    assert [name for name in packages(goal) if name.startswith(("gcc", "binutils", "libc6-dev", "llvm"))] == []


def test_make_alone_is_the_demo() -> None:
    assert packages() == packages("demo")


def test_only_what_runs_under_qemu_needs_it() -> None:
    assert "qemu-user" not in packages("demo") | packages("glue") | packages("lint")
    assert "qemu-user" in packages("demo-arm32") & packages("bench") & packages("test")


def test_several_goals_need_what_each_of_them_needs() -> None:
    assert packages("demo", "glue") == packages("demo") | packages("glue")
    assert packages("clean") == set()
    for goal in ("demo", "demo-arm32", "glue", "bench", "lint", "types"):
        assert all(packages("test") & set(wanted.split("|")) for wanted in packages(goal))


def test_without_sudo_the_advice_is_what_root_has_to_run(tmp_path: Path) -> None:
    """On a system that has none of the packages. Nothing is said to be installed."""
    for name in ("tr", "grep"):
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    for name, text in {"dpkg-query": "exit 1", "id": "echo 1000"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    ran = make("test", PATH=str(tmp_path))
    assert (ran.returncode, ran.stdout) == (2, "")
    command, _, names = ran.stderr.splitlines()[0].partition(" --no-install-recommends ")
    assert command == "There is no sudo here: as root, run  apt-get update && apt-get install"
    assert sorted(names.split()) == sorted(packages("test"))
    assert all("|" not in name for name in names.split())
