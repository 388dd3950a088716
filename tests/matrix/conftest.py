"""The same scenes on each target, attached, remote and on core files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.gdb.stages import Frame, read_frames
from tests.harness import patience
from tests.harness.gdb import Gdb
from tests.harness.targets import LOOKED_AT, TARGETS, Mode, Session, Target, on_core, session

EVERYTHING = (
    "terms:start(), words:start(), terms:printed(), busy:start(), holding:start(), raising:start(), aging:start(), "
    "population:start(), facts:print(), waiting:start(), stuck:start(), supervised:start(), inventory:start(), "
    "stages:start()"
)
PAYLOAD = '[payload,"of",<<"round">>]'
#: Where C code of a NIF is called for a process of stages.erl.
STAGE = "stage_reached"
#: Seconds. An emulated node needs some until it has started.
PATIENCE = 2 * patience.PATIENCE


@dataclass(frozen=True)
class Scene:
    """A program that stands still in the NIF of stages.erl, called from `in_nif/2`."""

    target: Target
    mode: Mode
    gdb: Gdb
    said: str

    @property
    def facts(self) -> dict[str, str]:
        """What the node has printed of itself."""
        return dict(re.findall(r"^fact (\w+) (.*)$", self.said, re.M))

    def on_a_terminal(self, command: str) -> str:
        """What a command prints where lines have 80 characters."""
        self.gdb.cmd("set width 80")
        try:
            return self.gdb.cmd(command)
        finally:
            self.gdb.cmd("set width 0")

    def up_to(self, function: str) -> None:
        """Select the next outer frame of this function."""
        for _ in range(50):
            if function in self.gdb.cmd("up"):
                return
        raise AssertionError(f"no frame of {function}")


OF_THE_VM = ("global::", "erts_beamasm:", "erts_interpreter:")


def erlang_only(frames: list[Frame]) -> list[Frame]:
    """Frames of Erlang functions, without the VM's own code."""
    named = [frame for frame in frames if re.search(r":.*/\d+$", frame.function)]
    return [frame for frame in named if not frame.function.startswith(OF_THE_VM)]


def place(gdb: Gdb) -> tuple[str, int]:
    """The innermost Erlang function and its line."""
    frame = erlang_only(read_frames(gdb.cmd("bt 3")))[0]
    return frame.function, int(frame.place.rpartition(":")[2])


def stop_at(gdb: Gdb, where: str) -> str:
    """Have a breakpoint there hit; what GDB prints of it."""
    said = gdb.cmd(f"beam-break -temporary {where}")
    # GDB 10 has a line before: see `older_gdb.at_exit`.
    assert re.search("^Temporary breakpoint ", said, re.M), said
    return resume(gdb)


def resume(gdb: Gdb) -> str:
    """Go on to a breakpoint; what GDB prints of the stop."""
    stop = gdb.go("continue", timeout=PATIENCE)
    assert stop.reason == "breakpoint-hit", stop.text
    # GDB tells of the stop before the extension prints where Erlang is.
    return stop.text + gdb.cmd("echo")


def step(gdb: Gdb, command: str) -> str:
    """What a command prints that lets the target run, as `beam-next` does."""
    return gdb.cmd_running(command, timeout=PATIENCE)


def cases(*modes: Mode, targets: Sequence[Target] = TARGETS) -> list[object]:
    """Parameters: each target with each of the modes that it has."""
    pairs = [(target, mode) for target in targets for mode in target.modes if mode in modes]
    return [pytest.param(pair, id=f"{pair[0]}-{pair[1]}") for pair in pairs]


#: The suite of Debian whose Erlang changes from day to day.
UNSTABLE = "sid"


@pytest.fixture(scope="session")
def ebin_for() -> Callable[[Target], Path]:
    """The folder of the tests' modules for a target, compiled when it is asked for first."""

    def folder(target: Target) -> Path:
        if target.missing:
            pytest.fail(f"not installed: {', '.join(target.missing)} (`make test` installs what is needed)")
        if target.sandbox.pair.suite == UNSTABLE and target.unknown is not None:
            pytest.skip(f"Debian's {UNSTABLE} has gone on to erts {target.unknown}, for which there is no table yet")
        return target.ebin

    return folder


@contextmanager
def stopped_in_c(
    target: Target, mode: Mode, ebin: Path, expression: str, function: str, wait: float = PATIENCE, *flags: str
) -> Iterator[Session]:
    """A session whose node was stopped where a C function of a NIF is called."""
    # Of a JIT's code qemu runs at times what was at the place before, unless a debugger has stopped the node since; and
    # here all counts that the node says of itself.
    with session(target, mode, ebin, expression, *flags, is_ready=target.interpreted) as one:
        one.gdb.cmd("set breakpoint pending on")
        one.gdb.cmd(f"tbreak -function {function}")
        stop = one.gdb.go("continue", timeout=wait)
        assert stop.reason == "breakpoint-hit", f"{stop}; the node said {one.said}"
        yield one


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes time and tells nothing new: see the markers."""
    kept: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        (kept if _is_for_its_scene(item) else others).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=others)


def _is_for_its_scene(item: pytest.Item) -> bool:
    scenes, params = item.get_closest_marker("scenes"), getattr(item, "callspec", None)
    named = [item.get_closest_marker(name) for name in ("no_frames", "all_memory")]
    if params is None or not (scenes or any(named)) or "scene_session" not in params.params:
        return True
    target, mode = params.params["scene_session"]
    left_out = (named[0] and target.frame_pointers) or (named[1] and mode == "remote")
    return (scenes is None or (target, mode) in scenes.args) and not left_out


@dataclass(frozen=True)
class Left:
    """The core of a node that was looked at while it lived, and what the node had printed."""

    core: Path
    said: str


@pytest.fixture(scope="session")
def left() -> dict[tuple[str, Target], Left]:
    """Cores by the fixture in which the node lived, and target."""
    return {}


def leave_core(
    request: pytest.FixtureRequest, one: Session, folder: Path, left: dict[tuple[str, Target], Left]
) -> None:
    """Write a core of the node, which has been looked at, if there are tests of the same on a core."""
    wanted = (one.target, "core")
    params = (getattr(item, "callspec", None) for item in request.session.items)
    if one.mode == one.target.modes[0] and any(of.params.get(request.fixturename) == wanted for of in params if of):
        one.write_core(folder / "core")
        left[str(request.fixturename), one.target] = Left(folder / "core", one.said)


@pytest.fixture(scope="session", params=cases("attached", "remote", "core", targets=LOOKED_AT))
def scene_session(
    request: pytest.FixtureRequest,
    ebin_for: Callable[[Target], Path],
    tmp_path_factory: pytest.TempPathFactory,
    left: dict[tuple[str, Target], Left],
) -> Iterator[Scene]:
    """The scene of each target, in each mode."""
    target, mode = request.param
    before = left.pop(("scene_session", target), None) if mode == "core" else None
    if before is None:
        live = target.modes[0] if mode == "core" else mode
        with stopped_in_c(target, live, ebin_for(target), EVERYTHING, STAGE) as one:
            if mode != "core":
                yield Scene(target, mode, one.gdb, one.said)
            leave_core(request, one, tmp_path_factory.mktemp("core"), left)
        if mode != "core":
            return
        before = left.pop(("scene_session", target))
    with on_core(target, before.core, ebin_for(target)) as gdb:
        yield Scene(target, mode, gdb, before.said)
    before.core.unlink()


@pytest.fixture
def scene(scene_session: Scene) -> Scene:
    """The scene, wherever the test before has left it, back in the NIF."""
    gdb = scene_session.gdb
    number = re.search(rf"^[* ] +(\d+) .* {STAGE} \(", gdb.cmd("info threads"), re.M)
    assert number
    gdb.cmd(f"thread {number[1]}")
    gdb.cmd("frame 0")
    return scene_session


@pytest.fixture(scope="session", params=cases("attached", "remote", "core"))
def dead(
    request: pytest.FixtureRequest,
    ebin_for: Callable[[Target], Path],
    tmp_path_factory: pytest.TempPathFactory,
    left: dict[tuple[str, Target], Left],
) -> Iterator[Gdb]:
    """A session in which the node of crash.erl has just died; then one on the core that it has left."""
    target, mode = request.param
    before = left.pop(("dead", target), None) if mode == "core" else None
    if before is None:
        folder = tmp_path_factory.mktemp("crash")
        start = f'spawn(fun() -> crash:start("{folder}/now") end)'
        live = target.modes[0] if mode == "core" else mode
        with session(target, live, ebin_for(target), start, is_ready=True) as one:
            one.gdb.cmd("handle all nostop noprint pass")
            one.gdb.cmd("handle SIGSEGV stop print")
            (folder / "now").touch()
            stop = one.gdb.go("continue", timeout=PATIENCE)
            assert stop.results.get("signal-name") == "SIGSEGV", f"{stop}; the node said {one.said}"
            if mode != "core":
                yield one.gdb
            leave_core(request, one, folder, left)
        if mode != "core":
            return
        before = left.pop(("dead", target))
    with on_core(target, before.core, ebin_for(target)) as gdb:
        yield gdb
    before.core.unlink()
