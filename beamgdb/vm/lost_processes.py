"""Processes of which the table tells no more, as in a core file that was cut off: their structures are blocks of one
allocator, in whose carriers they lie one behind the other (`PROC` in erl_alloc.types)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.memory import Unreadable
from beamgdb.records.columns import Columns
from beamgdb.vm.allocators import Allocators, Carrier
from beamgdb.vm.model import Unavailable, Vm
from jit.otp import vm_flags
from jit.otp.tags import IMMED1_MASK, PID

ALLOCATOR: Final = "fix_alloc"

AT_ONCE: Final = 1 << 10
"""Blocks that are looked at together."""

SLACK: Final = 64
"""Bytes that a block may be larger than what lies in it."""


def addresses(vm: Vm) -> Iterator[int]:
    """Where structures of processes lie that are not gone, as far as carriers can be read; nothing where these are not
    found. In no order."""
    try:
        carriers = list(Allocators(vm).carriers())
        size = vm.layout.size("Process")
        free = vm_flags.of_state(vm.tags.release)["FREE"]
    except (Unreadable, Unavailable, KeyError, LookupError):
        return
    columns = Columns(vm.memory, vm.layout, "Process", ("common.id", "state", "heap", "stop", "hend"))
    for carrier in carriers:
        if isinstance(carrier, Unreadable) or carrier.instance.allocator != ALLOCATOR:
            continue
        blocks: list[int] = []
        for address in _blocks(carrier, size, vm.memory.word_size):
            blocks.append(address)
            if len(blocks) == AT_ONCE:
                yield from _processes(columns, blocks, free)
                blocks.clear()
        yield from _processes(columns, blocks, free)


def _blocks(carrier: Carrier, size: int, word: int) -> Iterator[int]:
    """What lies in blocks that are in use and so large, up to the first one that is damaged or missing."""
    try:
        for block in carrier.blocks():
            if block.wrong:
                return
            if block.is_used and 0 <= block.size - word - size < SLACK:
                yield block.address + word
    except Unreadable:
        return


def _processes(columns: Columns, blocks: list[int], free: int) -> Iterator[int]:
    """Those of these which are processes. (Of one that is gone the pid is overwritten, or it is noted in the state.)"""
    for row in columns.of(blocks):
        if row is None:
            continue
        address, pid, state, heap, stop, hend = row
        if None in row or address is None or pid is None or state is None:
            continue
        if pid & IMMED1_MASK == PID and not state & free and (heap or 0) <= (stop or 0) <= (hend or 0):
            yield address
