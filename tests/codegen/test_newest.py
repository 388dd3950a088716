"""What only OTP 29 has is done natively as interpreted, or by the interpreter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.codegen.native_node import erlc_of, native_says, node_says, python_jit

SOURCE = Path(__file__).with_name("newest.erl")
RUN = 'io:format("~p~n", [newest:run()]), halt().'
OTP = 29


@pytest.fixture(scope="module")
def beam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return erlc_of(OTP, SOURCE, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def interpreted(beam: Path) -> str:
    return node_says(OTP, "-pa", str(beam.parent), "-eval", RUN)


@pytest.mark.parametrize("options", [(), ("--stress",)], ids=["plain", "stress"])
def test_natively_as_interpreted(beam: Path, interpreted: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    assert "{other,[three]}" in interpreted
    assert "{first,late}" in interpreted
    assert native_says(OTP, beam, tmp_path, RUN, *options) == interpreted


def test_operations_of_records_are_interpreted(beam: Path) -> None:
    """They are named; all else is native."""
    told = json.loads(python_jit("coverage", "--json", "--otp", str(OTP), str(beam)).stdout)
    assert {row["what"] for row in told["lacking"]} == {"get_record_elements", "is_any_native_record", "put_record"}
    assert told["functions"] - told["native_functions"] == 3
