"""Variables that debugging information names in a frame of Erlang code: registers, as `x0` and `y0`, and in native
functions arguments, `arg1`, `arg2` and so on."""

from __future__ import annotations

import gdb

from beamgdb.vm.frame import HeldWord


def word(frame: gdb.Frame, name: str) -> HeldWord | None:
    """What a variable holds, None where there is none, or it is nowhere at this point."""
    try:
        # A frame of a caller is at its return address, which the call may be right before.
        block: gdb.Block | None = frame.block()
    except RuntimeError:
        return None
    while block is not None and block.function is None:
        block = block.superblock
    for symbol in block or ():
        if symbol.name == name:
            return _word(symbol, frame)
    return None


def _word(symbol: gdb.Symbol, frame: gdb.Frame) -> HeldWord | None:
    try:
        value = symbol.value(frame)
        if value.is_optimized_out:
            return None
        return HeldWord(int(value), None if value.address is None else int(value.address))
    except (gdb.error, RuntimeError, TypeError):
        return None
