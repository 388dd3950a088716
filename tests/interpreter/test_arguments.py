"""Arguments in the frames of interpreted functions, on Debian's stripped builds under qemu-arm, against the truth."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jit.sandbox.sandbox import Sandbox
from tests.gdb.stages import read_frames
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE
from tests.harness.targets import Target
from tests.interpreter.chains import Chain, chain
from tests.matrix.conftest import STAGE, stopped_in_c

HERE = Path(__file__).parent
SEED, LENGTH = 1, 80
STEPS = 300
UNKNOWN = "<not available>"


@dataclass(frozen=True)
class Node:
    """A node at the bottom of a chain of calls."""

    gdb: Gdb
    chain: Chain
    folder: Path


@pytest.fixture(scope="module", params=[25, 27, 29])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    target, folder = Target("armhf", request.param), tmp_path_factory.mktemp("chain")
    assert not target.missing, target.missing
    made = chain(SEED, LENGTH)
    source = folder / "chain.erl"
    source.write_text(made.source)
    target.compile(folder)
    # OTP 29 does not load operations on bit strings of older compilers.
    erlc = Sandbox("amd64", 29).ensure().bindir / "erlc" if target.otp >= 29 else target.erlc
    subprocess.run([erlc, "-o", folder, source], check=True, stdout=subprocess.DEVNULL, timeout=4 * PATIENCE)
    with stopped_in_c(target, "remote", folder, "chain:start()", STAGE, 4 * PATIENCE) as one:
        yield Node(one.gdb, made, folder)


def run(node: Node, script: str, **variables: str) -> dict[str, Any]:
    """What a script wrote, which GDB has run."""
    result = node.folder / "result"
    settings = ", ".join(f"{name}={value!r}" for name, value in {**variables, "RESULT": str(result)}.items())
    node.gdb.cmd(f"python import os; os.environ.update({settings})")
    node.gdb.cmd_running(f"source {HERE / script}", timeout=4 * PATIENCE)
    outcome: dict[str, Any] = json.loads(result.read_text())
    assert "error" not in outcome, outcome["error"]
    return outcome


def test_arguments_of_all_callers(node: Node) -> None:
    frames = [frame for frame in read_frames(node.gdb.cmd("bt")) if frame.function in node.chain.arguments]
    assert [frame.function for frame in frames] == list(reversed(node.chain.arguments))
    shown = [
        (text, expected)
        for frame in frames
        for text, expected in zip(frame.arguments.values(), node.chain.arguments[frame.function], strict=True)
    ]
    known = [(text, expected) for text, expected in shown if text != UNKNOWN]
    assert [text for text, _ in known] == [expected for _, expected in known]
    # What is not needed after a call is nowhere any more.
    assert len(known) > 0.65 * len(shown)


def test_every_instruction_of_the_node_is_understood(node: Node) -> None:
    outcome = run(node, "walk_functions.py")
    assert outcome["unreadable"] == []
    assert outcome["unknown"] == []
    assert outcome["functions"] > 3000
    assert outcome["instructions"] > 50_000


def test_arguments_at_every_step(node: Node) -> None:
    expected = node.folder / "expected"
    expected.write_text(json.dumps(node.chain.arguments))
    outcome = run(node, "step_arguments.py", STEP_COUNT=str(STEPS), STEP_EXPECTED=str(expected))
    assert outcome["wrong"] == []
    assert outcome["count"]["outer right"] > STEPS
    assert outcome["count"]["current right"] > STEPS / 10
