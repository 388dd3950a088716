"""Where beamgdb keeps what takes time to get: sandboxes, and what was found in builds of the interpreter."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$BEAMGDB_CACHE`, else `beamgdb` in the user's cache folder (XDG base directory specification), without symbolic
    links: what is in it knows its path, and is to be the same by whichever.

    Raises RuntimeError for a user without a home, or for a circle of links.
    """
    if own := os.environ.get("BEAMGDB_CACHE"):
        return Path(own).resolve()
    user = os.environ.get("XDG_CACHE_HOME", "")
    return ((Path(user) if user.startswith("/") else Path.home() / ".cache") / "beamgdb").resolve()
