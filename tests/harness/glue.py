"""The glue as it is, built once for all tests of a run; pytest-xdist runs them in several processes."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import Final

from jit.erts.glue import build

PRODUCTS: Final = ("native.so", "native.beam")


#: A folder that all processes of the run see, where the glue is built when it is wanted first. None where tests are not
#: run by pytest: then it is built where it is wanted.
shared: Path | None = None


def put_glue(folder: Path) -> None:
    """Write native.so and native.beam into a folder, as ``glue.build`` does. Raises GlueError."""
    if shared is None:
        build(folder)
        return
    _build_once(shared)
    folder.mkdir(parents=True, exist_ok=True)
    for name in PRODUCTS:
        shutil.copy2(shared / name, folder)


def _build_once(folder: Path) -> None:
    """Whoever comes while another process builds it waits."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((folder / name).exists() for name in PRODUCTS):
            build(folder)
