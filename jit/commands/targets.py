"""What can be compiled for: runtimes, each with the processors on which there is native code for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from jit.codegen.runtime import Runtime
from jit.erts.arm32.runtime import StockErts
from jit.erts.layout import RELEASES
from jit.erts.parts import CHUNK


@dataclass(frozen=True)
class Targets:
    """What a runtime can be compiled for.

    ``processors`` has by ``Processor.name`` what gives the runtime there for a release of Erlang/OTP, one of
    ``releases``. ``chunk`` of a .beam file has its native code, as an ELF file.
    """

    processors: dict[str, Callable[[int], Runtime[Any, Any]]]
    releases: tuple[int, ...]
    chunk: str


RUNTIMES: Final = {"erts": Targets({"arm32": StockErts}, RELEASES, CHUNK)}

#: What is compiled for unless another runtime and processor are asked for.
ERTS: Final = RUNTIMES["erts"]
DEFAULT: Final = "arm32"


def runtime(target: str, otp: int) -> Runtime[Any, Any]:
    """The runtime on a processor. Raises KeyError if there is no code for that processor, or release."""
    return ERTS.processors[target](otp)
