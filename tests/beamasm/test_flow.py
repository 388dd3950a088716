"""What holds of the analysis whatever the instruction set."""

from __future__ import annotations

import pytest

from beamgdb.beamasm.aarch64 import MACHINE as AARCH64
from beamgdb.beamasm.flow import Architecture, analyse
from beamgdb.beamasm.x86_64 import MACHINE as X86_64

STOP = 88
ADDRESS = 0x7F0000001000
ARCHITECTURES: dict[str, Architecture] = {"x86_64": X86_64, "aarch64": AARCH64}
NOPS = {"x86_64": b"\x90", "aarch64": 0xD503201F.to_bytes(4, "little")}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_budget(arch: str) -> None:
    machine, code = ARCHITECTURES[arch], NOPS[arch] * 1000
    flow = analyse(machine, code, ADDRESS, arity=1, stop_offset=STOP, budget=999)
    assert not flow.finished
    assert flow.before(0) is None
    assert list(flow.reached()) == []
    assert analyse(machine, code, ADDRESS, arity=1, stop_offset=STOP, budget=1000).before(0) is not None


@pytest.mark.parametrize("machine", ARCHITECTURES.values(), ids=ARCHITECTURES)
@pytest.mark.parametrize("code", [b"", b"\x06", b"\xff" * 64, bytes(range(256)) * 8])
def test_bytes_that_are_no_code(machine: Architecture, code: bytes) -> None:
    flow = analyse(machine, code, ADDRESS, arity=255, stop_offset=STOP)
    for offset in range(len(code)):
        flow.before(offset)
        flow.during_call(offset)
