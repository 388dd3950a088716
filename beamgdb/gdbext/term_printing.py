"""Terms as text, within limits that the user sets."""

from __future__ import annotations

import gdb

from beamgdb.gdbext import session
from beamgdb.terms.source import MAX_DEPTH, Limits
from beamgdb.vm.node import Node, Unavailable

_DEFAULTS = Limits(depth=12, width=50, bytes=200)


class _Limit(gdb.Parameter):
    """One of the limits."""

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


_limits: tuple[_Limit, ...] = ()


def install() -> None:
    """Define the parameters."""
    global _limits
    _limits = _limits or (
        _Limit("beam-depth", "the levels of nesting", _DEFAULTS.depth, MAX_DEPTH),
        _Limit("beam-width", "the elements of each list, tuple or map", _DEFAULTS.width, 1_000_000),
        _Limit("beam-bytes", "the bytes of each binary and characters of each string", _DEFAULTS.bytes, 1 << 24),
    )


def limits() -> Limits:
    """The limits in force."""
    if not _limits:
        return _DEFAULTS
    depth, width, size = (limit.limit for limit in _limits)
    return Limits(depth=depth, width=width, bytes=size, nodes=max(_DEFAULTS.nodes, width))


def text(node: Node, word: int) -> str:
    """The term in Erlang syntax; where terms cannot be decoded, the word and nothing more."""
    try:
        return node.term(word, limits())
    except Unavailable:
        return f"<term {word:#x}>"


def eterm_type() -> gdb.Type:
    """The type of terms: the VM's own if GDB knows it, else that of the symbol files."""
    try:
        return gdb.lookup_type("Eterm")
    except gdb.error:
        return gdb.lookup_type("unsigned long")


def value(word: int) -> gdb.Value:
    """A term as a GDB value, which GDB prints through the pretty printer."""
    kind = eterm_type()
    return gdb.Value(word & ((1 << 8 * kind.sizeof) - 1)).cast(kind)


def of_current(word: int) -> str | None:
    """The term as text if the selected inferior is a VM, else None."""
    current = session.find()
    return text(current.node, word) if current else None
