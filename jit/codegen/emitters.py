"""The table of emitters: which function makes native code of which operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jit.codegen.emission import Emission, Unsupported

#: Takes the emission and the operands of the operation.
Emitter = Callable[..., None]

EMITTERS: Final[dict[str, Emitter]] = {}


def emits(*names: str) -> Callable[[Emitter], Emitter]:
    """Declare an emitter of the operations of these names."""

    def declare(emitter: Emitter) -> Emitter:
        for name in names:
            EMITTERS[name] = emitter
        return emitter

    return declare


def emit(emission: Emission, name: str, operands: tuple[Any, ...]) -> None:
    """Append the code of an operation. Raises Unsupported."""
    if name not in EMITTERS:
        raise Unsupported(name)
    EMITTERS[name](emission, *operands)
