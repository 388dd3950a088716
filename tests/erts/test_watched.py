"""Processes in native functions are looked at, stopped and traced by others, and treated by the VM in other ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.native_node import compile_native, erlc, node_says

WATCHED = Path(__file__).with_name("watched.erl")
RUN = 'io:format("~p~n", [watched:run()]), halt().'


@pytest.mark.parametrize("options", [(), ("--stress",)], ids=["plain", "stress"])
def test_natively_as_interpreted(otp: int, tmp_path: Path, options: tuple[str, ...]) -> None:
    """Last calls are saved from now on and no longer; what is told of a process that waits; tracing, collecting."""
    beam = erlc(WATCHED, tmp_path / "plain")
    compile_native([beam], tmp_path / "native", otp, *options)
    schedulers = "+S", "2:2"
    interpreted = node_says(otp, *schedulers, "-pa", str(beam.parent), "-eval", RUN)
    native = node_says(otp, *schedulers, "-pa", str(tmp_path / "native"), "-s", "native", "-eval", RUN)
    assert native == interpreted
