"""Where frames of interpreted code end, in the memory of a VM."""

from __future__ import annotations

from pathlib import Path

import pytest

from beamgdb.interpreter import build_cache
from beamgdb.interpreter.build_cache import Found
from beamgdb.interpreter.frame_registers import FRAME_REGISTERS
from beamgdb.interpreter.process_main import Build, ProcessMain
from beamgdb.unwinding.interpreter import InterpreterUnwinder
from jit.otp.tags import NIL
from tests.interpreter.handlers import ROLES
from tests.vm.image import LAYOUT
from tests.vm.running import RunningVm
from tests.vm.test_node import A

BUILD = Build("92446891ebe5a213f610131e1c000e16f3b7b390", process_main_size=0x1000)
MAIN = 0x5000_0000
GOES_ON, FRAME_SIZE = MAIN + 0x123, 0x200


@pytest.fixture(autouse=True)
def _known_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of `process_main` was found earlier: there is no code of it here."""
    monkeypatch.setenv("BEAMGDB_CACHE", str(tmp_path))
    build_cache.save(BUILD.build_id, Found(ROLES[27], {}, FRAME_SIZE))


@pytest.mark.parametrize(
    ("stack", "top", "caller"),
    [
        ((NIL, A.base + 72, NIL), 0, (A.base + 72, 2)),
        ((NIL, NIL), 0, None),
        ((NIL, NIL), 1, None),
        ((NIL, NIL), 2, "process_main"),
        ((NIL, NIL), 3, "process_main"),
    ],
    ids=["a caller", "no caller", "the last word", "the end", "beyond"],
)
def test_behind_the_last_word_of_the_stack_is_process_main(
    stack: tuple[int, ...], top: int, caller: tuple[int, int] | str | None
) -> None:
    vm = RunningVm()
    vm.load(A)
    vm.register(A)
    vm.node.update_code()
    process = vm.process(*stack)
    main = ProcessMain(vm.node.memory, LAYOUT, {"process_main": MAIN}.get, "x86_64", BUILD)
    bottom = process.record["stop"]
    registers = {
        "rip": A.base + 80, "rsp": 0x7000, "r12": bottom + 8 * top, "r14": process.address, "r15": GOES_ON, "rbx": 5,
    }  # fmt: skip
    found = InterpreterUnwinder(vm.node, FRAME_REGISTERS["x86_64"], main).unwind(registers.get, False)
    assert found is not None
    assert found.id_stack == 0x7000 + FRAME_SIZE
    if caller is None:
        assert found.registers == {"rip": 0, "rsp": 0x7000}
    elif caller == "process_main":
        assert found.registers == {"rip": GOES_ON, "r12": MAIN, "rsp": 0x7000, "rbx": 5}
    else:
        assert isinstance(caller, tuple)
        assert (found.registers["rip"], found.registers["r12"]) == (caller[0], bottom + 8 * caller[1])
        assert (found.registers["r14"], found.registers["r15"]) == (process.address, GOES_ON)
