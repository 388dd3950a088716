"""Where beamgdb keeps what takes time to get: sandboxes, and what was found in builds of the interpreter."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$BEAMGDB_CACHE`, else `beamgdb` in the user's cache folder (XDG base directory specification).

    Raises RuntimeError for a user without a home.
    """
    if own := os.environ.get("BEAMGDB_CACHE"):
        return Path(own).absolute()
    user = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(user) if user.startswith("/") else Path.home() / ".cache") / "beamgdb"
