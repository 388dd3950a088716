"""What can be compiled for: runtimes, each with the processors on which there is native code for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from jit.arm32.cpus import CPUS
from jit.atomvm import chunk as atomvm
from jit.atomvm.aarch64.runtime import ON_AARCH64
from jit.atomvm.arm32.runtime import ON_ARM32
from jit.atomvm.armv6m.runtime import ON_ARMV6M
from jit.atomvm.disassembly import CodeReader
from jit.atomvm.formats import F1
from jit.atomvm.riscv.runtime import ON_RISCV32, ON_RISCV64
from jit.atomvm.runtime import AtomVm, OnProcessor
from jit.atomvm.x86_64.runtime import ON_X86_64
from jit.codegen.runtime import Runtime
from jit.commands.errors import CommandError
from jit.erts.arm32.runtime import StockErts
from jit.erts.layout import RELEASE, RELEASES
from jit.erts.parts import CHUNK

#: Gives the runtime for a release of Erlang/OTP.
Make = Callable[[int], Runtime[Any, Any]]


@dataclass(frozen=True)
class Targets:
    """What a runtime can be compiled for.

    ``processors`` has by ``Processor.name`` what gives the runtime there for a release of Erlang/OTP, one of
    ``releases``, of which there are none where that makes no difference; ``usual`` unless another is asked for.
    ``chunk`` of a .beam file has its native code. ``described`` are those whose files carry debugging information
    if that is asked for. Of a runtime that wants it ``whole`` a module is native only if all its functions are.
    ``joined`` makes one file of those of a module for several processors, where there is such a thing. ``cpus`` has
    by processor, and by the name of a kind of it, what gives the runtime there; for other processors code is the
    same for all kinds.
    """

    processors: dict[str, Make]
    releases: tuple[int, ...]
    chunk: str
    described: Mapping[str, Make] = field(default_factory=dict)
    whole: bool = False
    joined: Callable[[Sequence[bytes]], bytes] | None = None
    cpus: Mapping[str, Mapping[str, Make]] = field(default_factory=dict)
    usual: int = 0


def _atomvm(name: str, on: OnProcessor, _otp: int, *, dwarf: bool = False) -> AtomVm:
    return AtomVm(name, on, dwarf=dwarf)


#: The processors that there are of AtomVM's targets, whose names go on with "+" and what else the VM is built for.
_PROCESSORS: Final = {
    on.processor.name: on for on in (ON_ARM32, ON_AARCH64, ON_ARMV6M, ON_RISCV32, ON_RISCV64, ON_X86_64)
}
_ON: Final = {
    name: _PROCESSORS[processor] for name in F1.targets if (processor := name.partition("+")[0]) in _PROCESSORS
}
#: What reads code that files for AtomVM carry, by the name of the target.
READERS: Final[Mapping[str, CodeReader]] = {name: on.reader for name, on in _ON.items()}

#: What is compiled for unless another runtime and processor are asked for.
DEFAULT_RUNTIME: Final = "erts"
DEFAULT: Final = "arm32"

RUNTIMES: Final = {
    DEFAULT_RUNTIME: Targets(
        {"arm32": StockErts},
        RELEASES,
        CHUNK,
        cpus={"arm32": {name: partial(StockErts, cpu=cpu) for name, cpu in CPUS.items()}},
        usual=RELEASE,
    ),
    "atomvm": Targets(
        {name: partial(_atomvm, name, on) for name, on in _ON.items()},
        (),
        atomvm.CHUNK,
        {name: partial(_atomvm, name, on, dwarf=True) for name, on in _ON.items()},
        whole=True,
        joined=atomvm.joined,
    ),
}
ERTS: Final = RUNTIMES[DEFAULT_RUNTIME]


@dataclass(frozen=True)
class Wanted:
    """What a command line asks for."""

    target: str = DEFAULT
    otp: int | None = None
    runtime: str = DEFAULT_RUNTIME
    dwarf: bool = False
    cpu: str | None = None

    @property
    def targets(self) -> Targets:
        """All that there is of the runtime."""
        return RUNTIMES[self.runtime]


def runtime(wanted: Wanted) -> Runtime[Any, Any]:
    """The runtime on a processor. Raises CommandError for what there is not."""
    targets = wanted.targets
    if wanted.otp is not None and not targets.releases:
        raise CommandError(f"--otp: {wanted.runtime} runs files of all releases")
    if wanted.dwarf and not targets.described:
        raise CommandError(f"--dwarf: files for {wanted.runtime} carry debugging information anyway")
    makers = targets.described if wanted.dwarf else targets.processors
    if wanted.target not in makers:
        there = ", ".join(makers)
        raise CommandError(f"--target: there is no target {wanted.target} of {wanted.runtime}; there is {there}")
    make = makers[wanted.target]
    if wanted.cpu is not None:
        cpus = targets.cpus.get(wanted.target, {})
        if wanted.cpu not in cpus:
            raise CommandError(f"--cpu: files for {wanted.target} of {wanted.runtime} are for all processors of it")
        make = cpus[wanted.cpu]
    return make(targets.usual if wanted.otp is None else wanted.otp)


def check_several(wanted: Sequence[Wanted]) -> None:
    """Raise CommandError for what there is not of one of them, or of all of them in a file."""
    for one in wanted:
        runtime(one)
    first, *others = wanted
    if others and first.targets.joined is None:
        raise CommandError(f"--target: a file for {first.runtime} is for one target: compile twice")
    if others and first.dwarf:
        raise CommandError("--dwarf: a file has room for the debugging information of one target: compile twice")
