"""Where native code says that x registers are: checked in modules of stdlib, operation by operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from jit.beam.module import read_module
from jit.codegen.cache import Keeps
from jit.codegen.compile import compile_module
from jit.codegen.processor import Register
from jit.erts.arm32.conventions import CACHE
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.native import MixedNative
from jit.erts.arm32.runtime import StockErts
from tests.codegen.native_node import library

OTP = 27
MODULES = ("lists", "gb_trees", "erl_scan", "io_lib_pretty")


@pytest.fixture(scope="module", params=MODULES)
def native(request: pytest.FixtureRequest) -> MixedNative:
    """A module's native code."""
    beam = library(OTP, "stdlib") / f"{request.param}.beam"
    return compile_module(read_module(beam), StockErts(OTP))


def places(native: MixedNative) -> Iterator[tuple[Emission, int, Mapping[int, Register | None]]]:
    """For each operation with code of its own its function, its index, and where x registers are before it."""
    for function in native.functions:
        for offset, index in function.operations:
            if index not in function.emission.done:
                yield function.emission, index, function.located(offset)


def test_offsets_ascend(native: MixedNative) -> None:
    for function in native.functions:
        offsets = [offset for offset, _ in function.locations]
        assert offsets == sorted(set(offsets))


def test_every_live_register_is_somewhere(native: MixedNative) -> None:
    for emission, index, where in places(native):
        live = {number for number in range(1024) if emission.live[index] >> number & 1}
        assert set(where) == live, (emission.function.name, emission.operations[index])


def test_a_register_has_one_value(native: MixedNative) -> None:
    for _, _, where in places(native):
        taken = [register for register in where.values() if register is not None]
        assert len(set(taken)) == len(taken)
        assert set(taken) <= set(CACHE)


def test_memory_has_what_others_look_at(native: MixedNative) -> None:
    """Labels, to which control comes from elsewhere, and operations that may look at memory."""
    kept = 0
    for emission, index, where in places(native):
        in_registers = {number for number, register in where.items() if register is not None}
        if emission.cache.keeps[index] is not Keeps.ALL:
            assert not in_registers, (emission.function.name, emission.operations[index])
        kept += len(in_registers)
    assert kept > 20  # there are such values
