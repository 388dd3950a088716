"""Keeps the session, the symbols and the breakpoints right while the target runs, stops, loads code and ends.

Nothing is done before each prompt: GDB shows one also while the target runs, and loses a Ctrl-C that comes while Python
code is active then. For the same reason nothing is done when the target is resumed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import gdb

from beamgdb.beamasm.registrations import Module
from beamgdb.gdbext import code_memory, errors, session, symbols

WITHOUT_LAYOUT = "names, lines and code work, frames as far as the stack shows them; terms and processes do not"
"""What can be done with a VM whose structures are not known."""

REGISTER_CODE = "__jit_debug_register_code"


class _CodeChanged(gdb.Breakpoint):
    """BeamAsm has registered code, or takes a registration back.

    The new symbols are wanted at once only where a breakpoint waits for them; else they are made when the target stops.
    """

    def stop(self) -> bool:
        errors.guarded(_code_changed)
        return False


def _code_changed() -> None:
    current = session.find()
    if current is None:
        return
    current.forget()
    current.code_is_stale = True
    module = current.node.in_registration()
    if module is not None and any(_concerns(breakpoint, module) for breakpoint in gdb.breakpoints()):
        _follow_code(current)


def _follow_code(current: session.Session) -> None:
    """Tell GDB of the code that is loaded now: where it cannot write, before it learns where to put breakpoints."""
    current.refresh_code()
    code_memory.protect()
    symbols.sync(current)


def _concerns(breakpoint: gdb.Breakpoint, module: Module) -> bool:
    """Whether a breakpoint that waits for its place may find it in the module: it names the module or a file of it."""
    if not breakpoint.pending or not breakpoint.location:
        return False
    files = {line[1] for code in module.ranges for line in code.lines}
    names = {module.name, *(PurePosixPath(file).name for file in files)}
    return any(name in breakpoint.location for name in names)


_watch: _CodeChanged | None = None


def watch_code() -> None:
    """Notice when code is loaded or unloaded, in a program that is a beam.smp with a JIT."""
    global _watch
    if (_watch is None or not _watch.is_valid()) and session.address_of(REGISTER_CODE) is not None:
        _watch = _CodeChanged(f"-function {REGISTER_CODE}", internal=True)
        _watch.silent = True


def catch_up() -> None:
    """Bring everything up to the present state of a stopped target. Quick when nothing has changed.

    Nothing is done while the target runs: there is nothing to read, and a Ctrl-C that comes now is for the target.
    """
    thread = gdb.selected_thread()
    if thread is not None and thread.is_valid() and thread.is_running():
        return
    current = session.find()
    if current is None:
        return
    watch_code()
    _follow_code(current)
    if current.is_settled and not current.node.has_layout and not current.told:
        current.told = True
        gdb.write(f"beamgdb: {current.node.no_layout}; {WITHOUT_LAYOUT}\n", gdb.STDERR)


def _on_stop(_: Any) -> None:
    session.forget_all()
    errors.guarded(catch_up)


def _on_change(_: Any) -> None:
    session.forget_all()


def _on_new_objfile(event: Any) -> None:
    if symbols.is_ours(event.new_objfile):
        return
    session.forget_all()
    errors.guarded(_new_program if not session.has_process() else _new_process)


def _new_program() -> None:
    """A program was loaded that may be run."""
    if session.is_beam():
        watch_code()


def _new_process() -> None:
    """GDB attaches, or has loaded a core file. There may be no stop or prompt before the user's first command, so this
    is done as soon as the VM's own description can be read, which is when the program is relocated."""
    current = session.find()
    if current is not None and current.is_settled:
        catch_up()


def _on_exit(event: Any) -> None:
    number = event.inferior.num
    session.drop(number)
    errors.guarded(lambda: symbols.withdraw(number))
    errors.guarded(code_memory.release)


def install() -> None:
    """Connect to GDB's events."""
    connections: tuple[tuple[Any, Callable[..., None]], ...] = (
        (gdb.events.stop, _on_stop),
        (gdb.events.memory_changed, _on_change),
        (gdb.events.register_changed, _on_change),
        (gdb.events.inferior_call, _on_change),
        (gdb.events.new_objfile, _on_new_objfile),
        (gdb.events.exited, _on_exit),
        (gdb.events.gdb_exiting, lambda _: symbols.clean_up()),
    )
    for registry, handler in connections:
        registry.connect(handler)
    errors.guarded(_new_program)
    errors.guarded(catch_up)
