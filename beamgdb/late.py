"""Dataclasses whose methods are made when the first object is.

Python makes the methods of a dataclass by compiling their text, which would be a fifth of the time in which GDB starts
with this extension: of the hundreds of classes a session uses few. All of this package takes its `dataclass` from here;
not so `jit`: its objects go from process to process, and unpickling calls no `__init__`.
"""

from __future__ import annotations

import dataclasses
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """`dataclasses.dataclass`, without slots (which need another class)."""
        if cls is None:
            return lambda cls: dataclass(cls, **options)
        if "__init__" in vars(cls):
            return dataclasses.dataclass(cls, **options)

        def first(self: Any, *arguments: Any, **named: Any) -> None:
            _complete(cls)
            cls.__init__(self, *arguments, **named)

        cls.__init__ = first
        cls.__dataclass_fields__ = _Fields(cls)
        _waiting[cls] = options
        return cls


class _Fields:
    """By these `dataclasses` knows its classes, and what they inherit: who asks for them needs the class."""

    def __init__(self, cls: type) -> None:
        self._cls = cls

    def __get__(self, instance: object, owner: type) -> Any:
        _complete(self._cls)
        return vars(self._cls)["__dataclass_fields__"]


_waiting: dict[type, dict[str, bool]] = {}
"""Classes without their methods, with the options of the decorator."""


def _complete(cls: type) -> None:
    # Ctrl-C in the middle would leave half a class. (It may also come as SIGINT is blocked.)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        del cls.__init__  # type: ignore[misc]
        dataclasses.dataclass(cls, **_waiting.pop(cls))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
