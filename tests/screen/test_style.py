"""Colours follow the terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.harness.gdb import REPOSITORY


@pytest.mark.parametrize(
    ("settings", "depth"),
    [
        ({"TERM": "vt100"}, "ColorDepth.DEPTH_1_BIT"), ({"TERM": "xterm"}, "None"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "ColorDepth.DEPTH_1_BIT"), ({"TERM": "of-nobody"}, "None"),
    ],
)  # fmt: skip
def test_colours(settings: dict[str, str], depth: str) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "NO_COLOR"} | settings
    code = "from beamgdb.screen.style import colours; print(colours())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == depth
