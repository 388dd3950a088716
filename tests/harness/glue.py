"""The glue as it is, built once for all tests of a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from jit.erts.glue import build
from tests.harness import built

PRODUCTS: Final = ("native.so", "native.beam")


def put_glue(folder: Path) -> None:
    """Write native.so and native.beam into a folder, as ``glue.build`` does. Raises GlueError."""
    if built.shared is None:  # it is built where it is wanted
        build(folder)
        return
    made = built.once("glue", build)
    folder.mkdir(parents=True, exist_ok=True)
    for name in PRODUCTS:
        shutil.copy2(made / name, folder)
