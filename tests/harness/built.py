"""What is built once for all tests of a run; pytest-xdist runs them in several processes."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

#: A folder that all processes of the run see. None where tests are not run by pytest.
shared: Path | None = None


def once(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` in the shared one, as `build` has filled it: for whoever comes first; others wait meanwhile.
    Nobody writes into it later. What `build` raises comes through, and the next one tries again."""
    assert shared is not None
    folder = shared / name
    shared.mkdir(exist_ok=True)
    with (shared / f"{name}.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if not lock.read():
            folder.mkdir(exist_ok=True)
            build(folder)
            lock.write("built")
    return folder
