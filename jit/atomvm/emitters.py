"""The table of emitters: which function makes native code of which operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jit.codegen.runtime import Emitter

EMITTERS: Final[dict[str, Emitter]] = {}


def emits(*names: str) -> Callable[[Emitter], Emitter]:
    """Declare an emitter of the operations of these names. X registers are in memory for all of them."""

    def declare(emitter: Emitter) -> Emitter:
        EMITTERS.update(dict.fromkeys(names, emitter))
        return emitter

    return declare
