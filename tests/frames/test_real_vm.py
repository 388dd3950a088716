"""The analysis against Debian's stock, stripped Erlang: what it says at every step of a running process, and of every
function of a node."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from elftools.elf.elffile import ELFFile

from beamgdb.beamasm.registrations import Module, entries, parse
from beamgdb.frames.x86_64 import RAISING_FRAGMENTS, analyse
from beamgdb.memory import Unreadable

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BEAM = Path("/usr/lib/erlang/erts-13.1.5/bin/beam.smp")
LAYOUT = ROOT / "beamgdb/layouts/tables/erts-13.1.5-x86_64-jit.json"
STOP = 88
STEPS = 8000

pytestmark = pytest.mark.skipif(
    not (BEAM.exists() and shutil.which("gdb-multiarch") and shutil.which("erlc")),
    reason="needs Erlang/OTP 25.2.3 of Debian for x86-64, and gdb-multiarch",
)
LAYOUTS: dict[str, list[str]] = {"return address": [], "frame pointer": ["+JPperf", "true"]}


@pytest.fixture(scope="module", params=LAYOUTS)
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The process id of a busy node with one scheduler."""
    folder = tmp_path_factory.mktemp("node")
    subprocess.run(["erlc", "-o", folder, HERE / "busy_frames.erl"], check=True, stdout=subprocess.DEVNULL)
    command = ["erl", "+S", "1:1", *LAYOUTS[request.param], "-noshell", "-pa", str(folder)]
    begin = 'lists:foreach(fun code:ensure_loaded/1, [unicode_util, erl_eval, qlc, file_sorter]), busy_frames:start(), '
    command += ["-eval", begin + 'io:format("ready~n").']
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process.pid
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()
    Path(f"/tmp/perf-{process.pid}.map").unlink(missing_ok=True)  # of `+JPperf`


def step(node: int, result: Path, steps: int) -> dict[str, Any]:
    paths = f"{ROOT}:{sysconfig.get_paths()['purelib']}"
    environment = os.environ | {
        "STEP_PATHS": paths,
        "STEP_COUNT": str(steps),
        "STEP_RESULT": str(result),
        "STEP_LAYOUT": str(LAYOUT),
        "STEP_START": "busy_frames:round/3",
    }
    command = ["gdb-multiarch", "-nx", "-batch", "-p", str(node), "-x", str(HERE / "step_beam.py")]
    subprocess.run(command, env=environment, capture_output=True, timeout=300, check=True)
    outcome: dict[str, Any] = json.loads(result.read_text())
    return outcome


def test_every_step_of_a_running_process(node: int, tmp_path: Path) -> None:
    outcome = step(node, tmp_path / "result.json", STEPS)
    assert "failed" not in outcome, outcome["failed"]
    assert outcome["wrong"] == []
    count = outcome["count"]
    functions = count["compared in functions"]
    assert functions > STEPS / 2, "the walk saw too little to mean anything"
    assert outcome["functions"] > 20, "the walk saw too little to mean anything"
    assert count.get("silent in functions", 0) <= functions / 100, outcome["silent"]
    assert count["callers"] > 50
    assert count["calls of C"] > 50
    assert count["places right"] > functions / 2


class ProcessMemory:
    """The memory of a process of this machine."""

    word_size = 8
    byteorder: Literal["little"] = "little"

    def __init__(self, pid: int) -> None:
        self.file = os.open(f"/proc/{pid}/mem", os.O_RDONLY)

    def read(self, address: int, size: int) -> bytes:
        try:
            return os.pread(self.file, size, address)
        except OSError:
            raise Unreadable(address, size) from None


def modules(pid: int) -> Iterator[tuple[Module, bytes]]:
    """What BeamAsm has registered, with the code."""
    with BEAM.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".dynsym")
        symbol = table.get_symbol_by_name("__jit_debug_descriptor")[0]["st_value"]
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    base = next(int(line.partition("-")[0], 16) for line in maps if line.endswith("/beam.smp"))
    memory = ProcessMemory(pid)
    for entry in entries(memory, base + symbol):
        registration = parse(memory.read(entry.symfile, entry.size), 8)
        if isinstance(registration, Module):
            yield registration, memory.read(registration.base, registration.size)


def test_every_function_of_a_node(node: int) -> None:
    loaded = list(modules(node))
    raising = {
        each.start for module, _ in loaded for each in module.ranges
        if each.name.startswith("global::") and each.name[8:] in RAISING_FRAGMENTS
    }  # fmt: skip
    reached = known = functions = 0
    started = time.perf_counter()
    for module, code in loaded:
        for each in module.ranges:
            if each.name.endswith("-CodeInfoPrologue") or "::" in each.name:
                continue

            def read(address: int, size: int, module: Module = module, code: bytes = code) -> bytes | None:
                at = address - module.base
                return code[at : at + size] if 0 <= at < len(code) else None

            body = code[each.start - module.base : each.stop - module.base]
            arity = int(each.name.rpartition("/")[2])
            flow = analyse(body, each.start, arity=arity, stop_offset=STOP, read=read, raising=raising)
            assert flow.finished, each.name
            functions += 1
            for _, state in flow.reached():
                reached += 1
                known += state.stack is not None
    seconds = time.perf_counter() - started
    print(f"{functions} functions, {reached} instructions, {seconds:.1f} s, {known / reached:.3%}")
    assert functions > 3000
    assert known >= 0.999 * reached


def test_process_stop_is_where_the_table_says() -> None:
    assert json.loads(LAYOUT.read_text())["structs"]["Process"]["fields"]["stop"] == [STOP, struct.calcsize("P")]
