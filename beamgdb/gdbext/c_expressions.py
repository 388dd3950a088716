"""Expressions and types of our own. They are C, whatever language the user has set for his (`set language`)."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import gdb

from beamgdb.gdbext import front_end, older_gdb
from beamgdb.gdbext.temporary_settings import temporarily

_READ_AS_C = re.compile(r'"(auto; currently )?(c|c\+\+|asm|minimal)"')


def in_c() -> AbstractContextManager[None]:
    """Have GDB read expressions, also those in locations and conditions of breakpoints, as C."""
    # To set it needlessly would be told to each user interface.
    if _READ_AS_C.search(front_end.taken("show language")):
        return nullcontext()
    return temporarily("language", "c")


def evaluated(expression: str) -> gdb.Value:
    """The value of an expression; raises `gdb.error`."""
    with in_c():
        return older_gdb.value(expression)


def set_register(name: str, word: int) -> None:
    """Set a register of the selected frame."""
    evaluated(f"${name} = {word:#x}")


def unsigned(size: int) -> gdb.Type:
    """The unsigned integers of so many bytes."""
    return older_gdb.unsigned(_architecture(), size)


def word_size() -> int:
    """Bytes of a pointer."""
    return _word(_architecture().name()).sizeof


def word() -> gdb.Type:
    """The unsigned integers of the size of a pointer. Quick: unwinders ask for it once for each register."""
    return _word(_architecture().name())


@cache
def _word(_: str) -> gdb.Type:
    kind = unsigned(1)
    return unsigned(kind.pointer().sizeof)


def char() -> gdb.Type:
    """The type whose arrays are strings."""
    with in_c():
        return older_gdb.type_named("char")


def _architecture() -> gdb.Architecture:
    return gdb.selected_inferior().architecture()
