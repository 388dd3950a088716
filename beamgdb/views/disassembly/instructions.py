"""The machine instructions of a function in the target, and the data between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from beamgdb.code.loaded import Place
from beamgdb.code.module import Range
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.unwinding.beamasm import BeamAsmUnwinder
from beamgdb.unwinding.unwinder import Unwinder
from beamgdb.vm.model import Unavailable
from jit.otp import native_abi

if TYPE_CHECKING:
    # Not before they are needed: they load a disassembler.
    from beamgdb.disassembly.code_and_data import Listed
    from beamgdb.machine_code.text import Instruction

REACH = 1 << 20
"""How far from an instruction of ARM64 a word may lie that it loads."""

MOST = 1 << 18
"""Bytes of a function that are disassembled: 50 000 instructions, as no function has that a person has written."""


def listed(node: Node, unwinder: Unwinder | None, place: Place, start: int) -> Listed:
    """Instructions and data of the first `MOST` bytes of a function that begins at `start`. The unwinder of the VM
    knows where tables of jumps lead. Raises `Unavailable`."""
    from beamgdb.disassembly import code_and_data

    arch, code = node.identity.arch or "", place.code
    try:
        raw = node.memory.read(start, min(code.stop - start, MOST))
    except Unreadable as error:
        raise Unavailable(str(error)) from None
    if node.native.object_at(code.start) is not None:
        return _native(node, arch, raw, start)
    if place.is_internal:
        function = code_and_data.of_entry_point(arch, raw, start)
    elif place.is_fragment:
        function = code_and_data.of_fragment(arch, raw, start)
    else:
        function = code_and_data.of_function(arch, raw, start, [at for at, *_ in code.lines])
    # On x86-64 these lie behind all functions of a module.
    has_words = arch == "aarch64" or place.is_fragment
    return code_and_data.listed(
        function,
        lambda one: _leads(unwinder, code, one),
        lambda: _loaded(node, place, arch, function.stop) if has_words else (),
    )


def _leads(unwinder: Unwinder | None, code: Range, one: Instruction) -> Iterable[int]:
    """Where an instruction leads through a table, as far as the analysis of the function's flow tells."""
    flow = unwinder.flow(code) if isinstance(unwinder, BeamAsmUnwinder) else None
    if flow is None or not isinstance(unwinder, BeamAsmUnwinder):
        return ()
    start = code.start + unwinder.prologue(code)
    step = flow.steps.get(one.address - start)
    return [start + to for to in step.targets] if step is not None else ()


def _loaded(node: Node, place: Place, arch: str, stop: int) -> Sequence[int]:
    """Addresses of words that code of the module loads which is near enough to have them in this function, of which
    the part up to `stop` matters."""
    from beamgdb.machine_code.references import loads

    first = max(place.module.base, place.code.start - REACH)
    try:
        raw = node.memory.read(first, min(place.module.stop, stop + REACH) - first)
    except Unreadable:
        return ()
    return list(loads(arch, raw, first))


def _native(node: Node, arch: str, raw: bytes, start: int) -> Listed:
    """Native code: words in it are what its instructions load, and what belongs to calls."""
    from beamgdb.disassembly.code_and_data import Listed
    from beamgdb.machine_code.text import instructions

    found = list(instructions(arch, raw, start))
    data = {one.loads for one in found if one.loads is not None}
    for one in found:
        target = one.target if one.address not in data else None
        place = node.code.native_at(target) if target is not None else None
        words = native_abi.WORDS_BEHIND.get(place.code.name, 0) if place is not None else 0
        data |= {one.address + native_abi.WORD * (1 + number) for number in range(words)}
    rows = tuple(one._replace(is_data=True) if one.address in data else one for one in found)
    return Listed(rows, frozenset(_targets(rows)) & {one.address for one in rows})


def _targets(rows: Iterable[Instruction]) -> Iterator[int]:
    return (one.target for one in rows if one.target is not None and not one.is_data)
