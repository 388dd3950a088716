"""Fixtures of the tests that run real programs. Without the programs those tests are skipped."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.harness import built, erl, releases
from tests.harness.core import dump_core, put_notes_first
from tests.harness.gdb import GDB, Gdb
from tests.harness.patience import PATIENCE
from tests.harness.targets import Target

# How fast the machine is fails no test: what its limits are for is hung programs.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

#: The parameter of a test that names a target, and a mode where it has one.
IN_MATRIX = re.compile(r"[\[-](armhf|arm64|amd64)-(\d+)(?:-(attached|remote|core))?\b")

#: Seconds in one folder, from which on it is told where the time went.
LONG = 60

# The extension under test finds its packages where the tests have theirs.
os.environ["VIRTUAL_ENV"] = sys.prefix
# Python starts a thousand times, in each GDB anew: half of that is to compile what is imported, where it is not kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# GDB asks no server for debug information. (The setting for that GDB has since 12 only.)
os.environ.pop("DEBUGINFOD_URLS", None)


@pytest.fixture(scope="session", autouse=True)
def _built_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In the folder that a process of pytest-xdist shares with the others: the glue, modules of the tests."""
    own = tmp_path_factory.getbasetemp()
    built.shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "built"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A test that hangs is ended, unless `--timeout` says otherwise."""
    if config.option.timeout is None:
        config.option.timeout = 10 * PATIENCE


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """What runs in one process by `--dist loadscope`: see `Together`."""
    return Together(config, log) if config.getvalue("dist") == "loadscope" else None


class Together(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types for it
    """The tests of a file run in one process, for they share nodes; those of tests/matrix by target and mode, from
    whichever file, for there each file would start its own nodes of each. A core is of a node that was looked at."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        found = IN_MATRIX.search(nodeid) if path.startswith("tests/matrix/") else None
        if found is None:
            return path
        target, mode = Target(found[1], int(found[2])), found[3] or ""
        return f"{target}-{target.modes[0] if mode == 'core' else mode}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long which part takes, for CONTRIBUTING.md: in seconds of one process, of those that ran side by side."""
    spent: dict[str, float] = defaultdict(float)
    for report in (one for kind in terminalreporter.stats.values() for one in kind):
        if isinstance(report, pytest.TestReport):
            path = Path(report.nodeid.partition("::")[0])
            spent[str(path)] += report.duration
            spent[f"{path.parent}/"] += report.duration
    if max(spent.values(), default=0) > LONG:
        terminalreporter.section("where the time went")
        for name, seconds in sorted(spent.items(), key=lambda entry: -entry[1])[:40]:
            terminalreporter.write_line(f"{seconds:6.0f} s  {name}")


@pytest.fixture(scope="session")
def ebin() -> Path:
    """The folder of the compiled modules of `tests/erl` and `tests/nif`; no test writes into it."""
    if missing := erl.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    return built.once("ebin", erl.compile_all)


@pytest.fixture(scope="session")
def release(ebin: Path) -> erl.Release:
    """The installed Erlang/OTP."""
    return erl.installed_release()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`otp` is each release in turn that a test of native code is for."""
    releases.parametrize(metafunc, "otp", "module")


@pytest.fixture(scope="module")
def otp(request: pytest.FixtureRequest) -> int:
    """A release that native code is made for."""
    release: int = request.param
    return release


@pytest.fixture(params=["gdb-multiarch", "gdb"] if GDB == "gdb-multiarch" else [GDB], scope="session")
def each_gdb(request: pytest.FixtureRequest) -> str:
    """Each GDB that is installed in turn, or the one that BEAMGDB_TEST_GDB names."""
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
    put_notes_first(path)
    yield path
    path.unlink()
