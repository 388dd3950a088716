"""The settings of beamgdb, which users change with `set`."""

from __future__ import annotations

import gdb

from beamgdb.terms.source import MAX_DEPTH, Limits

_DEFAULTS = Limits(depth=12, width=50, bytes=200)


class _Debug(gdb.Parameter):
    """Whether errors of beamgdb show a Python traceback."""

    set_doc = "Set whether errors of beamgdb show a Python traceback."
    show_doc = "Show whether errors of beamgdb show a Python traceback."
    __doc__ = "When on, an error inside beamgdb prints where it happened. Off by default."

    def __init__(self) -> None:
        super().__init__("beam-debug", gdb.COMMAND_MAINTENANCE, gdb.PARAM_BOOLEAN)
        self.value = False

    def get_set_string(self) -> str:
        return ""


class _Limit(gdb.Parameter):
    """How much of a term is shown."""

    def __init__(self, name: str, what: str, default: int, most: int) -> None:
        self.set_doc = f"Set {what} that a term shows at most."
        self.show_doc = f"Show {what} that a term shows at most."
        self.__doc__ = f"What is left out of a term shows as `...`. The default is {default}."
        super().__init__(name, gdb.COMMAND_DATA, gdb.PARAM_ZUINTEGER)
        self.value = default
        self._most = most

    def get_set_string(self) -> str:
        self.value = min(self.limit, self._most)
        return ""

    @property
    def limit(self) -> int:
        """The number in force."""
        return self.value if isinstance(self.value, int) else self._most

    def get_show_string(self, value: str) -> str:
        return f"At most {value}."


class Parameters:
    """All of them. GDB has each as soon as it is made, and only once."""

    def __init__(self) -> None:
        self._debug = _Debug()
        self._depth = _Limit("beam-depth", "the levels of nesting", _DEFAULTS.depth, MAX_DEPTH)
        self._width = _Limit("beam-width", "the elements of each list, tuple or map", _DEFAULTS.width, 1_000_000)
        self._bytes = _Limit(
            "beam-bytes", "the bytes of binaries and characters of strings", _DEFAULTS.bytes, 1 << 24
        )

    @property
    def debugging(self) -> bool:
        """Whether the user wants tracebacks."""
        return bool(self._debug.value)

    @property
    def limits(self) -> Limits:
        """How much of a term is shown."""
        width = self._width.limit
        return Limits(
            depth=self._depth.limit, width=width, bytes=self._bytes.limit, nodes=max(_DEFAULTS.nodes, width)
        )
