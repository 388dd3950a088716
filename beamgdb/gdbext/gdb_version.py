"""The version of this GDB, for what it does otherwise without a sign of it."""

from __future__ import annotations

import re

import gdb


def is_from(major: int) -> bool:
    """Whether it is this version or a later one; one that says nothing readable is the newest."""
    # A distribution's name may come before: "Fedora Linux 14.2-3.fc40".
    said = re.search(r"(\d+)\.\d", gdb.VERSION)
    return said is None or int(said[1]) >= major
