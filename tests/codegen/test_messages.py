"""Processes that send and receive natively do what they do interpreted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.codegen.native_node import compile_native, erlc, native_says, node, node_says, python_jit

MESSAGES = Path(__file__).with_name("messages.erl")
RUN = 'io:format("~p~n", [messages:run()]), halt().'


@pytest.mark.each_release
def test_messages(tmp_path: Path, otp: int) -> None:
    same_as_interpreted(tmp_path, otp)


def test_messages_under_stress(tmp_path: Path, otp: int) -> None:
    same_as_interpreted(tmp_path, otp, "--stress")


def same_as_interpreted(tmp_path: Path, otp: int, *options: str) -> None:
    beam = erlc(MESSAGES, tmp_path / "plain")
    interpreted = node_says(otp, "-pa", str(beam.parent), "-eval", RUN)
    assert "{bye,killed}" in interpreted
    assert native_says(otp, beam, tmp_path / "native", RUN, *options) == interpreted


def test_messages_elsewhere(tmp_path: Path, otp: int) -> None:
    """On two schedulers; and as bytecode, without the glue."""
    compile_native([erlc(MESSAGES, tmp_path / "plain")], tmp_path, otp)
    schedulers = node_says(otp, "+S", "2:2", "-pa", str(tmp_path), "-s", "native", "-eval", RUN)
    bytecode = node(otp, "-pa", str(tmp_path), "-eval", RUN)
    assert (bytecode.returncode, bytecode.stdout) == (0, schedulers)


def test_all_of_it_is_native(tmp_path: Path) -> None:
    told = json.loads(python_jit("coverage", "--json", str(erlc(MESSAGES, tmp_path))).stdout)
    assert told["native_functions"] == told["functions"]
