"""Sessions that several tests only look with: one attached to a node, one on a core of that node in the same state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gdb.stages import cleared_perf_files
from tests.harness.erl import Node, running_node
from tests.harness.gdb import Gdb

EVERYTHING = "terms:start(), words:start(), terms:printed(), busy:start(), stages:start()"


@dataclass(frozen=True)
class Looking:
    """A session whose program stands still in the NIF of stages.erl, called from `in_nif/2`."""

    gdb: Gdb
    node: Node
    live: bool
    thread: str

    def home(self) -> None:
        """Select the innermost frame of the thread that runs the NIF."""
        self.gdb.cmd(f"thread {self.thread}")
        self.gdb.cmd("frame 0")

    def up_to(self, function: str) -> None:
        """Select the next outer frame of this function."""
        for _ in range(50):
            if function in self.gdb.cmd("up"):
                return
        raise AssertionError(f"no frame of {function}")


@dataclass(frozen=True)
class Scene:
    """The node, attached to and stopped, and its core."""

    attached: Gdb
    node: Node
    core: Path
    thread: str


@contextmanager
def reached(node: Node, function: str) -> Iterator[tuple[Gdb, str]]:
    """A session attached to `node`, stopped where the C function is called, and the number of the thread."""
    with Gdb() as gdb:
        gdb.attach(node.pid)
        gdb.cmd(f"tbreak -function {function}")
        stop = gdb.go("continue")
        assert stop.reason == "breakpoint-hit"
        yield gdb, stop.results["thread-id"]


@pytest.fixture(scope="session")
def scene(ebin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A node with the processes of terms.erl, words.erl, busy.erl and stages.erl, stopped in the NIF of stages.erl."""
    core = tmp_path_factory.mktemp("scene") / "core"
    # A smaller reserve for literals, of which GDB writes out all; strings printed whatever characters they have.
    flags = ("+MIscs", "32", "+pc", "unicode")
    with running_node(ebin, EVERYTHING, *flags) as node, reached(node, "stage_reached") as (gdb, thread):
        gdb.cmd(f"gcore {core}")
        yield Scene(gdb, node, core, thread)
    core.unlink()


@pytest.fixture(scope="session", params=["live", "core"])
def scene_session(request: pytest.FixtureRequest, scene: Scene) -> Iterator[Looking]:
    """The live session, then one on the core."""
    if request.param == "live":
        yield Looking(scene.attached, scene.node, True, scene.thread)
        return
    with Gdb(str(scene.node.release.beam), str(scene.core)) as gdb:
        # GDB makes the thread that was selected when the core was written the first one.
        yield Looking(gdb, scene.node, False, "1")


@pytest.fixture
def looking(scene_session: Looking) -> Looking:
    """The session, wherever the test before has left it, back in the NIF."""
    scene_session.home()
    return scene_session


@pytest.fixture(scope="module", params=[(), ("+JPperf", "true")], ids=["return addresses", "frame pointers"])
def stages_gdb(request: pytest.FixtureRequest, ebin: Path) -> Iterator[Gdb]:
    """A session attached to a node that runs stages.erl, whose frames have no frame pointers, then have them."""
    with running_node(ebin, "stages:start()", *request.param) as node, cleared_perf_files(node.pid), Gdb() as gdb:
        gdb.attach(node.pid)
        assert request.node is not None
        expected = "frame pointers" if request.param else "return addresses only"
        assert re.search(rf"^frames: +{expected}$", gdb.cmd("beam-info"), re.M)
        yield gdb
