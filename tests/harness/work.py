"""Work as a number that neither the machine nor its load changes: what bounds are asserted of, instead of time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

_EVENTS = ("call", "c_call")


def calls(act: Callable[[], object]) -> int:
    """How many functions Python calls while it calls `act`, those written in C among them."""
    count = 0

    def see(_frame: FrameType, event: str, _what: object) -> None:
        nonlocal count
        count += event in _EVENTS

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count
