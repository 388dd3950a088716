"""A damaged list of registered code, which GDB itself reads while it loads a core."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.erl import Release, running_node
from tests.harness.gdb import Gdb, Load, arguments, batch
from tests.harness.patience import PATIENCE

DAMAGE = """
from beamgdb.code import jit_interface
from beamgdb.gdbext import session
node = session.require().node
found = list(jit_interface.entries(node.memory.memory, node.symbol("__jit_debug_descriptor")))
def word(address, value):
    gdb.selected_inferior().write_memory(address, value.to_bytes(8, "little"))
middle = found[len(found) // 2]
word(middle.address + 24, 1 << 62)
gdb.execute("gcore {folder}/large")
word(middle.address + 24, middle.size)
word(found[-1].address, found[3].address)
gdb.execute("gcore {folder}/circle")
word(found[-1].address, 0)
word(middle.address, 0x1234)
gdb.execute("gcore {folder}/broken")
word(middle.address, found[len(found) // 2 + 1].address)
word(node.symbol("__jit_debug_descriptor") + 16, 0x5678)
gdb.execute("gcore {folder}/headless")
word(node.symbol("__jit_debug_descriptor") + 16, found[0].address)
"""
"""The size is the fourth word of a `jit_code_entry`, the next entry the first one."""


@pytest.fixture(scope="module")
def cores(ebin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the cores `large`, of a node that has registered 4 EiB of code, `circle`, and two whose lists lead
    to where there is no memory: `broken` in the middle, `headless` at once."""
    folder = tmp_path_factory.mktemp("cores")
    with running_node(ebin, "busy:start()", "+MIscs", "32") as node, Gdb() as gdb:
        gdb.attach(node.pid)
        gdb.cmd(f"python exec({DAMAGE.format(folder=folder)!r})", timeout=2 * PATIENCE)
    yield folder
    for core in folder.iterdir():
        core.unlink()


@pytest.mark.parametrize("load", ["-ix", "-x"])
def test_a_registration_larger_than_memory(cores: Path, release: Release, load: Load) -> None:
    said = batch(str(release.beam), str(cores / "large"), "-ex", "beam-bt init", load=load)
    assert f"beamgdb: code of {1 << 62} bytes is registered at 0x" in said
    assert f"beamgdb: a module is left out: cannot read {1 << 62} bytes at 0x" in said
    assert " in init:loop/1+" in said
    assert "internal-error" not in said


@pytest.mark.parametrize(("name", "address", "known"), [("broken", "0x1234", True), ("headless", "0x5678", False)])
def test_a_list_that_breaks_off(cores: Path, release: Release, name: str, address: str, known: bool) -> None:
    """What is before is known, and that there is more is told; it is no circle, and GDB is kept quiet."""
    said = batch(str(release.beam), str(cores / name), "-ex", "beam-bt busy", "-ex", "beam-info", load="-ix")
    told = f"beamgdb: the list of registered code cannot be read at {address}: code registered before is missing\n"
    assert said.count(told) == said.count("beamgdb: ") == 1
    assert "JITed symbol file" not in said
    assert "Process <" in said
    assert bool(re.search(r"^code: +\d+ modules", said, re.M)) == known


def test_a_list_that_is_too_long(ebin: Path) -> None:
    with running_node(ebin, "busy:start()") as node, Gdb() as gdb:
        gdb.cmd("python from beamgdb.code import jit_interface; jit_interface.MAX_REGISTRATIONS = 10")
        said = gdb.attach(node.pid) + gdb.cmd("echo")
        assert "beamgdb: the list of registered code has more than 10 entries: older code is missing" in said
        assert "cannot be read" not in said
        assert re.search(r"^code: +\d+ modules", gdb.cmd("beam-info"), re.M)


def test_a_list_that_is_a_circle_ends_by_ctrl_c(cores: Path, release: Release, tmp_path: Path) -> None:
    output = tmp_path / "output"
    command = arguments("gdb-multiarch", "-ix", str(release.beam), str(cores / "circle"))
    with output.open("wb") as file:
        gdb = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )

    def await_text(text: str, each: float = 0.1) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in output.read_text(errors="replace"):
            assert time.monotonic() < deadline
            time.sleep(each)
            if text == "Quit\n":
                os.kill(gdb.pid, signal.SIGINT)

    try:
        await_text("beamgdb: the list of registered code is a circle, closed at 0x")
        await_text("Quit\n", each=2)
        gdb.communicate(b"beam-bt init\nquit\n", timeout=PATIENCE)
    finally:
        gdb.kill()
    assert " in init:loop/1+" in output.read_text(errors="replace")
