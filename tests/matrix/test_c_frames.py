"""Frames of C in Debian's beam.smp for 32-bit ARM, which has no unwind information: from any instruction of functions
that `process_main` calls the stack is known to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.targets import TARGETS, Target, session
from tests.matrix.conftest import PATIENCE

STEPPER = Path(__file__).with_name("step_c.py")


@pytest.mark.parametrize("target", [target for target in TARGETS if target.arch == "armhf"], ids=str)
def test_every_step_knows_all_callers(target: Target, ebin_for: Callable[[Target], Path]) -> None:
    with session(target, "remote", ebin_for(target), "busy:start()", is_ready=True) as one:
        # What is hidden is what is called first.
        one.gdb.cmd("beam-break busy:outer/3" if target.otp >= 29 else "break erts_garbage_collect_nobump")
        one.gdb.go("continue")
        said = one.gdb.cmd_running(f"source {STEPPER}", timeout=PATIENCE)
    steps = [line.split(" ", 2) for line in said.splitlines() if line.startswith("step ")]
    assert len(steps) == 150, said
    # Also in static functions, in the procedure linkage table and in libc.
    functions = {step[1] for step in steps}
    if target.otp < 29:
        assert functions >= {"erts_garbage_collect_nobump", "pthread_getspecific@plt", "pthread_getspecific", "?"}
    assert {step[2] for step in steps} == {steps[0][2]}
    assert "process_main" in steps[0][2]
