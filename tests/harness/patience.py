"""How long tests wait before they take a program for hung. That it is in time is nothing that they assert.

A limit in seconds is too short on a slow machine, or on one that runs much else: there all limits are longer.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

_REPOSITORY: Final = Path(__file__).resolve().parent.parent.parent
#: A program that every machine with the tests can start, and that has something to read and to do.
_START: Final = (sys.executable, "-c", "import capstone, elftools.elf.elffile, jit.codegen.compile")
#: Seconds that it takes on a machine for which the limits here are written, one of 2024 with nothing else to do.
_USUAL: Final = 0.4


def _slowness() -> float:
    """How many times as long as usual something takes here and now."""
    start = time.perf_counter()
    subprocess.run(_START, cwd=_REPOSITORY, check=True)
    return max(1.0, (time.perf_counter() - start) / _USUAL)


#: Seconds. Most of what is waited for takes a few: that a machine becomes busy during the tests does no harm either.
PATIENCE: Final = 90 * _slowness()
