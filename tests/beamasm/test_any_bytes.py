"""Data between functions is read as code, and memory may be damaged: the analysis ends whatever is there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beamgdb.beamasm import aarch64, x86_64
from beamgdb.beamasm.flow import ArchitectureModule, analyse

MACHINES: dict[str, ArchitectureModule] = {"aarch64": aarch64, "x86_64": x86_64}
#: Instructions that look like those that the analysis knows: `movabs rax, [...]`, `adr` of vectors.
SIMILAR = {"aarch64": bytes.fromhex("51a56504"), "x86_64": bytes.fromhex("48a1d7550000488d15d1")}


@pytest.mark.parametrize("arch", sorted(MACHINES))
@given(data=st.data())
@settings(max_examples=300)
def test_any_bytes(arch: str, data: st.DataObject) -> None:
    survived(arch, data.draw(st.binary(min_size=1, max_size=64)))


@pytest.mark.parametrize("arch", sorted(SIMILAR))
def test_what_looks_like_another_instruction(arch: str) -> None:
    survived(arch, SIMILAR[arch])


def survived(arch: str, code: bytes) -> None:
    flow = analyse(MACHINES[arch].MACHINE, code, 0x7F00_0000_1000, arity=2, stop_offset=88)
    for offset in range(len(code)):
        flow.before(offset)
