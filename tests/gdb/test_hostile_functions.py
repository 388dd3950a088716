"""Functions of BeamAsm that no compiler has made: `beam-disas` shows them within bounds, and says what is left out."""

from __future__ import annotations

import random
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from beamgdb.disassembly import code_and_data
from beamgdb.disassembly.code_and_data import WORD, Listed
from beamgdb.machine_code.text import instructions
from tests.harness.erl import Node, running_node
from tests.harness.gdb import Gdb
from tests.harness.work import calls

START = 0x40_0000
NAMED = bytes.fromhex("488d0505000000")
"""`lea rax, [rip + 5]`: the address behind the jump that follows."""


def jump(distance: int) -> bytes:
    return b"\xe9" + distance.to_bytes(4, "little")


def listed(raw: bytes) -> Listed:
    return code_and_data.listed(code_and_data.of_fragment("x86_64", raw, START), lambda _: (), lambda: ())


def test_words_that_are_jumped_over_are_inside_of_the_function() -> None:
    words = b"".join(number.to_bytes(WORD, "little") for number in (1, 2))
    rows = listed(NAMED + jump(len(words)) + words + b"\xc3").instructions
    assert all(one.is_data for one in rows[2:-1])
    assert rows[-1].text == "ret"
    beyond = NAMED + jump(1 << 23) + words
    tracemalloc.start()
    try:
        rows = listed(beyond).instructions
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(one.size for one in rows) == len(beyond)
    assert peak < 1 << 20


def test_code_that_jumps_into_its_own_instructions() -> None:
    """Each `jmp` leads to its own second byte, from where it is another instruction."""

    def work(count: int) -> int:
        return calls(lambda: listed(b"\xeb\xff\xc0" * count))

    assert work(800) < 3 * work(400)


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "arm32"])
def test_what_is_disassembled_in_pieces_is_as_in_one(arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = random.Random(7).randbytes(20_001)
    pieces = list(instructions(arch, raw, START))
    monkeypatch.setattr("beamgdb.machine_code.text._PIECE", len(raw))
    assert pieces == list(instructions(arch, raw, START))
    assert len(raw) - sum(one.size for one in pieces) < 4


@pytest.fixture(scope="module")
def node(ebin: Path) -> Iterator[Node]:
    with running_node(ebin, "busy:start()") as found:
        yield found


def test_what_is_left_out_of_a_large_function_is_told(node: Node) -> None:
    with Gdb() as gdb:
        gdb.attach(node.pid)
        whole = gdb.cmd("beam-disas lists:map/2").splitlines()
        # Behind an instruction: of one that is cut the bytes are shown.
        most = next(int(at) for at in re.findall(r" <\+(\d+)> ", "\n".join(whole)) if int(at) >= 64)
        gdb.cmd(f"python from beamgdb.views.disassembly import instructions; instructions.MOST = {most}")
        *shown, told = gdb.cmd("beam-disas lists:map/2").splitlines()
        assert shown[:-1] == whole[: len(shown) - 1]
        assert len(shown) < len(whole)
        size = int(whole[0].split(", ")[-1].split()[0])
        more = min(int(at, 16) for at in re.findall(r" (0x\w+) <\+", "\n".join(whole))) + most
        assert told == f"({size - most} bytes from {more:#x} on are left out: too much code; x/20i {more:#x} goes on)"
