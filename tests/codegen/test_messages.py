"""Processes that send and receive natively do what they do interpreted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.codegen.native_node import RELEASES, compile_native, erlc, node, python_jit

MESSAGES = Path(__file__).with_name("messages.erl")
RUN = 'io:format("~p~n", [messages:run()]), halt().'


@pytest.mark.parametrize("options", [(), ("--stress",)], ids=["plain", "stress"])
@pytest.mark.parametrize("otp", RELEASES)
def test_messages(tmp_path: Path, otp: int, options: tuple[str, ...]) -> None:
    beam = erlc(MESSAGES, tmp_path / "plain")
    native = tmp_path / "native"
    compile_native([beam], native, otp, *options)
    interpreted = node(otp, "-pa", str(beam.parent), "-eval", RUN)
    assert (interpreted.returncode, interpreted.stderr) == (0, "")
    assert "{bye,killed}" in interpreted.stdout
    loaded = "{module, _} = code:ensure_loaded(messages), [messages] = native:modules(),"
    ran = node(otp, "-pa", str(native), "-s", "native", "-eval", f"{loaded} {RUN}")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, interpreted.stdout, "")


@pytest.mark.parametrize("otp", RELEASES)
def test_messages_elsewhere(tmp_path: Path, otp: int) -> None:
    """On two schedulers; and as bytecode, without the glue."""
    compile_native([erlc(MESSAGES, tmp_path / "plain")], tmp_path, otp)
    schedulers = node(otp, "+S", "2:2", "-pa", str(tmp_path), "-s", "native", "-eval", RUN)
    bytecode = node(otp, "-pa", str(tmp_path), "-eval", RUN)
    assert (schedulers.returncode, schedulers.stderr, bytecode.returncode) == (0, "", 0)
    assert schedulers.stdout == bytecode.stdout


def test_all_of_it_is_native(tmp_path: Path) -> None:
    told = json.loads(python_jit("coverage", "--json", str(erlc(MESSAGES, tmp_path))).stdout)
    assert told["native_functions"] == told["functions"]
