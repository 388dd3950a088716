"""Keeps the session, the symbols and the breakpoints right while the target runs, stops, loads code and ends.

Nothing is done before each prompt: GDB shows one also while the target runs, and loses a Ctrl-C that comes while Python
code is active then. For the same reason nothing is done when the target is resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import gdb

from beamgdb.beamasm.registrations import Module
from beamgdb.gdbext import bytecode_memory, code_memory, errors, read_only, session, symbols
from beamgdb.gdbext.connection import is_core

WITHOUT_LAYOUT = "names, lines and code work, frames as far as the stack shows them; terms and processes do not"
"""What can be done with a VM whose structures are not known."""

_FOLLOWED = "code is followed"
"""Key in what a session keeps for the code that is loaded."""

REGISTER_CODE = "__jit_debug_register_code"


COMMIT_CODE = "erts_commit_staging_code_ix"
"""Called when code has been loaded, just before it can run (code_ix.c)."""


class _CodeChanged(gdb.Breakpoint):
    """BeamAsm has registered code, or takes a registration back; or the interpreter takes new code into use.

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
    if current.node.is_interpreter:
        _follow_code(current)
        return
    module = current.node.in_registration()
    if module is not None and any(_concerns(breakpoint, module) for breakpoint in gdb.breakpoints()):
        _follow_code(current)


@dataclass(frozen=True)
class _Follower:
    """Somebody who wants to know of new code: `changed` is called when there is any, while the target runs only if it
    is `wanted` then."""

    changed: Callable[[], None]
    wanted: Callable[[], bool]


_followers: list[_Follower] = []


def on_code_change(changed: Callable[[], None], wanted: Callable[[], bool] = lambda: True) -> None:
    """Have `changed` called when code has been loaded or unloaded. It may read `node.code` and write to memory, but not
    resume the target. While the target runs the interpreter, that is before the new code can run; but only if `wanted`
    says that it cannot wait for the next stop, because it takes time. Call `watch_code` when that has changed."""
    _followers.append(_Follower(changed, wanted))


def _follow_code(current: session.Session) -> None:
    """Tell GDB of the code that is loaded now: where it cannot write, before it learns where to put breakpoints."""
    current.refresh_code()
    code_memory.protect()
    bytecode_memory.protect()
    symbols.sync(current)
    if current.per_code.setdefault(_FOLLOWED, False) is False:
        current.per_code[_FOLLOWED] = True
        for follower in _followers:
            errors.guarded(follower.changed)


def _concerns(breakpoint: gdb.Breakpoint, module: Module) -> bool:
    """Whether a breakpoint may have a place in the module, which is new or loaded anew: it names it or a file of it."""
    if not breakpoint.location:
        return False
    files = {line[1] for code in module.ranges for line in code.lines}
    names = {module.name, *(PurePosixPath(file).name for file in files)}
    return any(name in breakpoint.location for name in names)


_watch: _CodeChanged | None = None


def watch_code() -> None:
    """Notice when code is loaded or unloaded, in a program that is a beam.smp. In the interpreter only as long as a
    follower wants to know at once: each stop takes time, and a table tells of new code at the next stop."""
    global _watch
    if _watch is None or not _watch.is_valid():
        function = next((name for name in (REGISTER_CODE, COMMIT_CODE) if session.address_of(name) is not None), None)
        if function is None:
            return
        _watch = _CodeChanged(f"-function {function}", internal=True)
        _watch.silent = True
    wanted = _watch.location != f"-function {COMMIT_CODE}" or any(follower.wanted() for follower in _followers)
    if _watch.enabled != wanted:
        _watch.enabled = wanted


def catch_up() -> None:
    """Bring everything up to the present state of a stopped target. Quick when nothing has changed.

    Nothing is done while the target runs: there is nothing to read, and a Ctrl-C that comes now is for the target.
    """
    thread = gdb.selected_thread()
    if thread is not None and thread.is_valid() and thread.is_running():
        return
    known = session.known()
    if known is None or not known.is_settled:
        session.relocate()
    current = session.find()
    if current is None:
        return
    watch_code()
    _follow_code(current)
    if current.is_settled and not current.node.has_layout and not current.told:
        current.told = True
        gdb.write(f"beamgdb: {current.node.no_layout}; {WITHOUT_LAYOUT}\n", gdb.STDERR)


_waits = False


@contextmanager
def later() -> Iterator[None]:
    """For stops that users do not see, of which a step may need hundreds: `catch_up` waits until the last one."""
    global _waits
    _waits = True
    try:
        yield
    finally:
        _waits = False
        errors.guarded(catch_up)


def _on_stop(_: Any) -> None:
    session.forget_all()
    if not _waits:
        errors.guarded(catch_up)


def _on_change(_: Any) -> None:
    session.forget_all()


def _on_new_objfile(event: Any) -> None:
    if symbols.is_ours(event.new_objfile) or symbols.is_native(event.new_objfile) or session.relocates():
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


def _on_new_thread(_: Any) -> None:
    """The first sign of a core file. GDB is in the middle of reading it then: what is to be done waits for the prompt.
    (`gdb.post_event` will not do: GDB 13 crashes when it quits with an event that was not run, as in batch mode.)"""
    if is_core():
        session.forget_all()
        gdb.events.before_prompt.connect(_at_prompt)


def _at_prompt(_: Any = None) -> None:
    gdb.events.before_prompt.disconnect(_at_prompt)
    if session.relocate():
        errors.guarded(catch_up)


def _on_exit(event: Any) -> None:
    number = event.inferior.num
    session.drop(number)
    errors.guarded(lambda: symbols.withdraw(number))
    errors.guarded(read_only.release)


def install() -> None:
    """Connect to GDB's events."""
    connections: tuple[tuple[Any, Callable[..., None]], ...] = (
        (gdb.events.stop, _on_stop),
        (gdb.events.memory_changed, _on_change),
        (gdb.events.register_changed, _on_change),
        (gdb.events.inferior_call, _on_change),
        (gdb.events.new_objfile, _on_new_objfile),
        (gdb.events.exited, _on_exit),
        (gdb.events.new_thread, _on_new_thread),
        (gdb.events.breakpoint_created, lambda point: errors.guarded(lambda: bytecode_memory.explain(point))),
        (gdb.events.gdb_exiting, lambda _: symbols.clean_up()),
    )
    for registry, handler in connections:
        registry.connect(handler)
    errors.guarded(_new_program)
    errors.guarded(session.relocate)
    errors.guarded(catch_up)
