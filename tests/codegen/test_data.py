"""Floats, maps, funs, records and apply: native code does what the interpreter does, on each release's own bytecode."""

from __future__ import annotations

from pathlib import Path

import pytest

from jit.beam.module import read_module
from jit.codegen.compile import compile_module
from jit.erts.arm32.runtime import StockErts
from tests.codegen.native_node import erlc_of, native_says, node_says

EXERCISE = Path(__file__).with_name("exercise_data.erl")
ALONE = 'io:format("~p~n", [exercise_data:run()]), halt().'


@pytest.fixture(scope="module")
def beam(otp: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exercise as the compiler of the release makes it: only from OTP 26 on it updates records by update_record."""
    return erlc_of(otp, EXERCISE, tmp_path_factory.mktemp(f"otp{otp}"))


@pytest.fixture(scope="module")
def interpreted(otp: int, beam: Path) -> str:
    """What it says."""
    return node_says(otp, "-pa", str(beam.parent), "-eval", ALONE)


@pytest.mark.each_release
def test_all_is_native(otp: int, beam: Path) -> None:
    module = read_module(beam)
    names = {operation.name for function in module.functions for operation in function.operations}
    asked = "fadd fconv fnegate make_fun3 get_map_elements has_map_fields put_map_assoc put_map_exact apply apply_last"
    assert names >= set(asked.split())
    assert ("update_record" in names) == (otp > 25)
    assert compile_module(module, StockErts(otp)).interpreted == {}


@pytest.mark.each_release
def test_same_as_interpreted(otp: int, beam: Path, interpreted: str, tmp_path: Path) -> None:
    assert all(reason in interpreted for reason in ("badarith", "badarity", "badkey", "badmap", "badrecord", "undef"))
    assert native_says(otp, beam, tmp_path, ALONE) == interpreted


def test_same_under_stress(otp: int, beam: Path, interpreted: str, tmp_path: Path) -> None:
    assert native_says(otp, beam, tmp_path, ALONE, "--stress") == interpreted
