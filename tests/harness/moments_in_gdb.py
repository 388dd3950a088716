"""For GDB to source: what happens at a moment that no test can meet from outside."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from importlib import import_module
from typing import Any

import gdb


def ctrl_c_once(where: str, *, raised: bool) -> None:
    """Have Ctrl-C come when a function of the extension, `MODULE:NAME`, is called next: as a signal, or with `raised`
    as what Python makes of one that came before the function has begun."""

    def comes() -> None:
        gdb.write("Ctrl-C comes\n")
        if raised:
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGINT)

    _once(where, comes)


def end_once(where: str, stub: int) -> None:
    """End a stub, a process of this machine, when a function of the extension is called next."""
    _once(where, lambda: os.kill(stub, signal.SIGKILL))


def _once(where: str, happens: Callable[[], None]) -> None:
    module, _, path = where.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    function = getattr(owner, name)

    def called(*arguments: Any, **named: Any) -> Any:
        setattr(owner, name, function)
        happens()
        return function(*arguments, **named)

    setattr(owner, name, called)
