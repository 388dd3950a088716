"""A node in which the module shop is native and counter is interpreted, under GDB with the extension: one for each
release, which all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.codegen.native_node import compile_native, erlc, erlc_of
from tests.harness import releases
from tests.harness.gdb import Gdb
from tests.harness.targets import Session, Target, session
from tests.matrix.conftest import stop_at

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Shop:
    """The session, the folder with the modules, and what GDB has said of the first stop, before which the modules were
    not loaded."""

    session: Session
    ebin: Path
    first_stop: str

    @property
    def gdb(self) -> Gdb:
        return self.session.gdb


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`shop_session` is that of each release in turn."""
    releases.parametrize(metafunc, "shop_session", "session")


@pytest.fixture(scope="session")
def shop_session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The node. Its processes do the same things over and over."""
    otp: int = request.param
    folder = tmp_path_factory.mktemp(f"native-{otp}")
    plain = tmp_path_factory.mktemp("plain")
    # OTP 29 has not all operations any more that 25 makes.
    compiler = erlc if otp < 29 else partial(erlc_of, otp)
    compiler(HERE / "counter.erl", folder)
    compile_native([compiler(HERE / "shop.erl", plain)], folder, otp)
    with session(Target("armhf", otp), "remote", folder, "shop:start()", "-s", "native") as one:
        yield Shop(one, folder, stop_at(one.gdb, "shop:order/2"))


@pytest.fixture
def gdb(shop_session: Shop) -> Iterator[Gdb]:
    """GDB, after which no breakpoints of the test are left."""
    yield shop_session.gdb
    shop_session.gdb.cmd("delete")


def line(text: str) -> int:
    """The number of the first line of shop.erl with this text."""
    lines = (HERE / "shop.erl").read_text().splitlines()
    return next(number for number, one in enumerate(lines, 1) if text in one)
