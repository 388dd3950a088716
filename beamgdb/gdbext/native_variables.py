"""Variables of native functions, as the debugging information says that comes with their code: arguments `arg1`, `arg2`
and so on, registers `x0` and `y0`."""

from __future__ import annotations

import gdb


def word(frame: gdb.Frame, name: str) -> int | None:
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


def _word(symbol: gdb.Symbol, frame: gdb.Frame) -> int | None:
    try:
        value = symbol.value(frame)
        return None if value.is_optimized_out else int(value)
    except (gdb.error, RuntimeError, TypeError):
        return None
