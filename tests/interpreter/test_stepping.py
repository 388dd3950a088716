"""What the unwinder says at every machine instruction of `process_main`, on Debian's stripped builds under qemu-arm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness.patience import PATIENCE
from tests.harness.targets import Target
from tests.matrix.conftest import STAGE, stopped_in_c

HERE = Path(__file__).parent
STEPS = 400


@pytest.mark.parametrize("release", [25, 27, 29])
def test_the_current_function_and_its_callers_are_right_at_each_step(release: int, tmp_path: Path) -> None:
    target, result = Target("armhf", release), tmp_path / "result"
    assert not target.missing, target.missing
    with stopped_in_c(target, "remote", target.ebin, "stages:start()", STAGE, 4 * PATIENCE) as one:
        one.gdb.cmd(f"python import os; os.environ.update(STEP_COUNT='{STEPS}', STEP_RESULT='{result}')")
        one.gdb.cmd_running(f"source {HERE / 'step_interpreter.py'}", timeout=4 * PATIENCE)
    outcome = json.loads(result.read_text())
    assert "error" not in outcome, outcome["error"]
    assert outcome["wrong"] == []
    # That the state cannot be told at all is rare: while a process is being scheduled.
    assert outcome["count"]["checked"] > 0.8 * STEPS
    assert outcome["count"].get("no process_main", 0) == 0
    assert len(outcome["operations"]) > 12
