"""Fixtures of the tests that run real programs. Without the programs those tests are skipped."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from jit.erts.layout import RELEASES
from tests.harness import erl
from tests.harness.core import dump_core
from tests.harness.gdb import Gdb

# The extension under test finds its packages where the tests have theirs.
os.environ["VIRTUAL_ENV"] = sys.prefix


@pytest.fixture(scope="session")
def ebin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled modules of `tests/erl` and `tests/nif`."""
    if missing := erl.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("ebin")
    erl.compile_beams(folder)
    erl.compile_nifs(folder)
    return folder


@pytest.fixture(scope="session")
def release(ebin: Path) -> erl.Release:
    """The installed Erlang/OTP."""
    return erl.installed_release()


@pytest.fixture(params=RELEASES, scope="module")
def otp(request: pytest.FixtureRequest) -> int:
    """Each release that native code is made for."""
    release: int = request.param
    return release


@pytest.fixture(params=["gdb-multiarch", "gdb"], scope="session")
def each_gdb(request: pytest.FixtureRequest) -> str:
    """Each GDB in turn."""
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"not installed: {name}")
    return name


@pytest.fixture
def start_gdb() -> Iterator[Callable[..., Gdb]]:
    """Start `Gdb` sessions, with its arguments; they end with the test."""
    with ExitStack() as sessions:
        yield lambda *rest, **options: sessions.enter_context(Gdb(*rest, **options))


@pytest.fixture
def start_node(ebin: Path) -> Iterator[Callable[..., erl.Node]]:
    """Start nodes by expression and flags of `erl`; they end with the test."""
    with ExitStack() as nodes:
        yield lambda expression, *flags: nodes.enter_context(erl.running_node(ebin, expression, *flags))


@pytest.fixture(scope="module")
def busy_node(ebin: Path) -> Iterator[erl.Node]:
    """A node whose process `busy` is always running: see busy.erl."""
    with erl.running_node(ebin, "busy:start()") as node:
        yield node


@pytest.fixture(scope="module")
def terms_node(ebin: Path) -> Iterator[erl.Node]:
    """A node whose processes hold one of every kind of term: see terms.erl."""
    with erl.running_node(ebin, "terms:start()") as node:
        yield node


@pytest.fixture(scope="session")
def terms_core(ebin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A core of a node with the processes of terms.erl and busy.erl."""
    path = tmp_path_factory.mktemp("core") / "core"
    # A smaller reserve for literals: GDB writes out all of it.
    with erl.running_node(ebin, "terms:start(), busy:start()", "+MIscs", "32") as node:
        dump_core(node, path)
    yield path
    path.unlink()
