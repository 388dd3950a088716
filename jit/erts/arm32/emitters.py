"""The table of emitters: which function makes native code of which operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jit.codegen.cache import Keeps
from jit.codegen.runtime import Emitter

EMITTERS: Final[dict[str, Emitter]] = {}
#: What they leave in the cache of x registers.
KEEPS: Final[dict[str, Keeps]] = {}


def emits(*names: str, keeps: Keeps = Keeps.NOTHING) -> Callable[[Emitter], Emitter]:
    """Declare an emitter of the operations of these names.

    One that keeps all lets nobody look at x registers in memory, and changes them by ``Emission.store`` alone, to
    which control comes by all ways through the operation. One that keeps copies may collect garbage if it loads them
    again (``Emission.reload``). For any other, x registers are in memory.
    """

    def declare(emitter: Emitter) -> Emitter:
        for name in names:
            EMITTERS[name] = emitter
            KEEPS[name] = keeps
        return emitter

    return declare
