"""Names and text as GDB gives them to Python. It takes them for text of the host's encoding, and raises where they are
none: names of threads, libraries and folders are whatever bytes somebody has chosen, or a damaged core file has."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Optional, cast

import gdb

from beamgdb.terms.quoting import bare


def text(ask: Callable[[], str | None]) -> str:
    """The text that GDB is asked for, empty without one; what is none in it is U+FFFD."""
    try:
        return ask() or ""
    except UnicodeDecodeError as error:
        return error.object.decode(error.encoding, "replace")


def path(ask: Callable[[], str | None]) -> str:
    """The path that GDB is asked for, as Python opens it; empty without one."""
    try:
        return ask() or ""
    except UnicodeDecodeError as error:
        return os.fsdecode(error.object)


def thread_name(thread: gdb.InferiorThread) -> str:
    """What a thread calls itself, empty if nothing."""
    return bare(text(lambda: thread.name))


def library(address: int) -> str | None:
    """The path that the shared library which has an address has for the target, for who reads it; None without one."""
    name = text(lambda: gdb.solib_name(address))
    root = path(lambda: cast(Optional[str], gdb.parameter("sysroot"))).rstrip("/")
    return bare(name.removeprefix(root) or name) if name else None


def file_name(objfile: gdb.Objfile) -> str:
    """The path of a file that GDB has symbols of; empty without one."""
    return path(lambda: objfile.filename)


def frame_name(frame: gdb.Frame) -> str:
    """The name of the function that a frame is of, as GDB knows it; empty without one."""
    return text(frame.name)
