"""Stack traces are those of the interpreter, also where it has done something for a native function meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.native_node import erlc, native_says, node_says

TRACES = Path(__file__).with_name("traces.erl")
RUN = 'io:format("~p~n", [traces:run()]), halt().'


@pytest.mark.each_release
@pytest.mark.parametrize("options", [(), ("--stress",)], ids=["plain", "stress"])
def test_natively_as_interpreted(otp: int, tmp_path: Path, options: tuple[str, ...]) -> None:
    beam = erlc(TRACES, tmp_path / "plain")
    interpreted = node_says(otp, "-pa", str(beam.parent), "-eval", RUN)
    assert "{failed,[{fail," in interpreted
    assert native_says(otp, beam, tmp_path / "native", RUN, *options) == interpreted
