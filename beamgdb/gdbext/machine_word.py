"""Values of GDB as machine words."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import older_gdb

_WITHOUT_WORD = (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FLT)


def machine_word(value: gdb.Value) -> int:
    """A value as a machine word, signed if its type is; raises `gdb.GdbError` for what has none."""
    if value.is_optimized_out:
        raise gdb.GdbError("the value is not available in this frame")
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_FUNC:
        return int(value.address or 0)
    if kind.code not in _WITHOUT_WORD:
        try:
            return int(value)
        except gdb.MemoryError:
            raise
        except (gdb.error, OverflowError, TypeError, ValueError):
            pass
    raise gdb.GdbError(f"a value of type {value.type} is no machine word")


def evaluated(expression: str) -> int | None:
    """The value of an expression as a machine word, None where it has none."""
    try:
        return machine_word(older_gdb.value(expression))
    except (gdb.error, gdb.GdbError):
        return None
