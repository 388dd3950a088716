"""Modules that load NIFs are native too: what a NIF replaces is the NIF for native callers as for all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codegen.native_node import compile_native, erlc, node_says
from tests.harness.erl import compile_nifs

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nifs")
    compile_nifs(folder, "arm-linux-gnueabihf-gcc")
    return folder / "replaced_nif"


@pytest.mark.parametrize("options", [(), ("-DDECLARED",)], ids=["any function", "declared"])
def test_natively_as_interpreted(otp: int, library: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    """Loaded in each way, traced, and loaded anew, when they are functions again."""
    plain, native = tmp_path / "plain", tmp_path / "native"
    beams = [erlc(HERE / f"{name}.erl", plain, *options) for name in ("replaced", "replacing")]
    compile_native(beams, native, otp)
    run = f'io:format("~p~n~p~n", [replacing:run("{library}"), lists:sort({{}})]), halt().'
    interpreted = node_says(otp, "-pa", str(plain), "-eval", run.format("[]"))
    told = node_says(otp, "-pa", str(native), "-s", "native", "-eval", run.format("native:modules()"))
    assert told.partition("\n[replaced")[0] == interpreted.partition("\n[]")[0]
    assert "\n[replaced,replacing]" in told
    assert "{nif,3}" in interpreted
