"""Keeps the session, the symbols and the breakpoints right while the target runs, stops, loads code and ends.

Nothing is done before each prompt: GDB shows one also while the target runs, and loses a Ctrl-C that comes while Python
code is active then. For the same reason nothing is done when the target is resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from textwrap import wrap
from typing import Any

import gdb

from beamgdb.code import jit_interface
from beamgdb.code.jit_interface import DESCRIPTOR
from beamgdb.code.module import Module
from beamgdb.gdbext import (
    bytecode_memory,
    code_memory,
    debug_information,
    errors,
    older_gdb,
    orientation,
    program_file,
    session,
    symbol_folder,
    symbols,
    unnamed,
)
from beamgdb.gdbext.connection import is_core
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.points import Asked
from beamgdb.late import dataclass
from beamgdb.terms import elixir_quoting
from beamgdb.views import info
from beamgdb.views.styler import COLUMNS
from beamgdb.views.typed import shortened

MAX_TOLD = 5
"""Modules of which is told one by one that they are left out."""

MAX_WHY = 400
"""Characters that say why: names in it may be long."""

REGISTER_CODE = "__jit_debug_register_code"


COMMIT_CODE = "erts_commit_staging_code_ix"
"""Called when code has been loaded, just before it can run (code_ix.c)."""


class CodeChanged(Asked):
    """BeamAsm has registered code, or takes a registration back; or the interpreter takes new code into use.

    The new symbols are wanted at once only where a breakpoint waits for them; else they are made when the target stops.
    """

    def __init__(self, function: str, location: str) -> None:
        super().__init__(location)
        self.function = function
        self.is_cheap = function == REGISTER_CODE
        """Whether the target comes here seldom, and not while it works."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether this is the place of a function in a program that GDB debugs no more: another one may lack that, or
        have something else at its distance from a symbol."""
        if self.location == f"-function {self.function}":
            return session.address_of(self.function) is None
        current = session.known()
        address = current.node.roots(self.function) if current is not None and current.node.roots is not None else None
        return address is None or self.location != unnamed.location(address)

    def is_wanted(self) -> bool:
        errors.guarded(_code_changed)
        return False


class FirstCode(Asked):
    """A VM without symbols is up: only now can it be found where it tells of new code."""

    def is_wanted(self) -> bool:
        errors.guarded(_first_code)
        return False


def _first_code() -> None:
    session.forget_all()
    current = session.find()
    if current is not None:
        watch_code()
        current.code_is_stale = True
        _follow_code(current)


def _code_changed() -> None:
    current = session.find()
    if current is None:
        return
    current.forget()
    current.code_is_stale = True
    if current.node.is_interpreter:
        if any(follower.concerned() for follower in _code_watch().followers):
            _follow_code(current)
        return
    module = current.node.in_registration()
    if module is not None and any(_concerns(breakpoint, module) for breakpoint in gdb.breakpoints()):
        _follow_code(current)


@dataclass(frozen=True)
class CodeFollower:
    """Somebody who wants to know of new code: `changed` is called when there is any, while the target runs only if it
    is `wanted` then, and this code `concerned`."""

    changed: Callable[[], None]
    wanted: Callable[[], bool]
    concerned: Callable[[], bool]


class _CodeWatch:
    """Who wants to know of new code, and what tells of it."""

    def __init__(self) -> None:
        self.followers: list[CodeFollower] = []
        self.point: CodeChanged | None = None
        self.first: FirstCode | None = None
        self.catches_up = True
        """Whether everything is brought up to date at each stop."""


def _code_watch() -> _CodeWatch:
    return extension().part(_CodeWatch)


def on_code_change(
    changed: Callable[[], None],
    wanted: Callable[[], bool] = lambda: True,
    concerned: Callable[[], bool] = lambda: True,
) -> None:
    """Have `changed` called when code has been loaded or unloaded. It may read `node.code` and write to memory, but not
    resume the target. While the target runs the interpreter, that is before the new code can run; but only if `wanted`
    says that it cannot wait for the next stop, because it takes time, and `concerned` that it is about code which is
    just being taken into use. Call `watch_code` when what is `wanted` has changed."""
    _code_watch().followers.append(CodeFollower(changed, wanted, concerned))


def _follow_code(current: session.Session) -> None:
    """Tell GDB of the code that is loaded now: where it cannot write, before it learns where to put breakpoints."""
    current.refresh_code()
    code_memory.protect()
    bytecode_memory.protect()
    symbols.sync(current)
    _tell_what_is_left_out(current)
    if not current.per_code.is_followed:
        current.per_code.is_followed = True
        for follower in _code_watch().followers:
            errors.guarded(follower.changed)


def _tell_what_is_left_out(current: session.Session) -> None:
    """Modules that the VM tells of in a way that makes no sense: the others are as ever."""
    new = [why for why in current.node.left_out.values() if why not in current.told_left_out]
    current.told_left_out.update(new)
    for why in new[:MAX_TOLD]:
        gdb.write(f"beamgdb: a module is left out: {shortened(why, MAX_WHY)}\n", gdb.STDERR)
    if len(new) > MAX_TOLD:
        gdb.write(f"beamgdb: {len(new) - MAX_TOLD} more modules are left out\n", gdb.STDERR)


def _concerns(breakpoint: gdb.Breakpoint, module: Module) -> bool:
    """Whether a breakpoint may have a place in the module, which is new or loaded anew: it names it or a file of it."""
    if not breakpoint.location:
        return False
    files = {line[1] for code in module.ranges for line in code.lines}
    names = {module.name, elixir_quoting.atom(module.name), *(PurePosixPath(file).name for file in files)}
    return any(name in breakpoint.location for name in names)


def watch_code() -> None:
    """Notice when code is loaded or unloaded, in a program that is a beam.smp. In the interpreter only as long as a
    follower wants to know at once: each stop takes time, and a table tells of new code at the next stop."""
    watch = _code_watch()
    if watch.point is not None and watch.point.is_valid() and watch.point.is_elsewhere:
        watch.point.delete()
    if watch.point is None or not watch.point.is_valid():
        watch.point = _new_point()
    _watch_first_code(watch)
    point = watch.point
    if point is None:
        return
    wanted = point.is_cheap or any(follower.wanted() for follower in watch.followers)
    if point.enabled != wanted:
        point.enabled = wanted


def _new_point() -> CodeChanged | None:
    """What tells of new code: known by its symbol before the program runs, else once the VM is up."""
    interpreted = session.is_interpreter()
    for function in (REGISTER_CODE, COMMIT_CODE) if interpreted else (REGISTER_CODE,):
        if session.address_of(function) is not None:
            return CodeChanged(function, f"-function {function}")
    function = COMMIT_CODE if interpreted else REGISTER_CODE
    current = session.known()
    if current is None or current.node.roots is None or is_core():
        return None
    address = current.node.roots(function)
    return CodeChanged(function, unnamed.location(address)) if address is not None else None


def _watch_first_code(watch: _CodeWatch) -> None:
    """Have a VM that is still to tell where it tells of new code stop when it does, and only then."""
    if watch.first is not None and not watch.first.is_valid():
        watch.first = None
    waits = watch.point is None and session.is_beam() and not is_core()
    if waits and watch.first is None:
        watch.first = FirstCode(f"-function {unnamed.FIRST_CALLED}")
    elif watch.first is not None and watch.first.enabled != waits:
        watch.first.enabled = waits


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
    if not current.is_settled or current.told:
        return
    current.told = True
    gdb.write(info.greeting(current.node) + "\n")
    if current.node.has_layout and (given := info.layout_given(current.node)):
        gdb.write(f"beamgdb: {given}\n")
    if not current.node.has_layout:
        text = f"beamgdb: {info.without_layout(current.node)}"
        gdb.write("\n".join((*wrap(text, COLUMNS, subsequent_indent="  "), "")), gdb.STDERR)


@contextmanager
def later() -> Iterator[None]:
    """For stops that users do not see, of which a step may need hundreds: `catch_up` waits until the last one."""
    _code_watch().catches_up = False
    try:
        yield
    finally:
        _code_watch().catches_up = True
        errors.guarded(catch_up)


def _on_stop(event: Any) -> None:
    session.forget_all(is_seen=_code_watch().catches_up)
    if _code_watch().catches_up:
        errors.guarded(catch_up)
    if extension().was_interrupted:
        gdb.write("Interrupted by SIGINT.\n")
    if extension().was_interrupted or (isinstance(event, gdb.SignalEvent) and event.stop_signal == "SIGINT"):
        errors.guarded(orientation.after_interrupt)


def _on_change(_: Any) -> None:
    session.forget_all(has_run=False)


def _on_new_objfile(event: Any) -> None:
    if symbols.is_ours(event.new_objfile) or symbols.is_native(event.new_objfile) or extension().relocates:
        return
    session.forget_all()
    if session.known() is not None and debug_information.offers(event.new_objfile):
        session.drop(gdb.selected_inferior().num)
    errors.guarded(_new_program if not session.has_process() else _new_process)


def _on_clear_objfiles(_: Any) -> None:
    """The program's symbols are discarded, and with them the types of which a session may have made use. New ones are
    not where the program is before GDB has read them all."""
    program_file.forget_names()
    if session.known() is not None:
        session.drop(gdb.selected_inferior().num)
        gdb.events.before_prompt.connect(_at_prompt_with_symbols)


def _at_prompt_with_symbols(_: Any = None) -> None:
    gdb.events.before_prompt.disconnect(_at_prompt_with_symbols)
    errors.guarded(catch_up)


def _layout_from_changed() -> None:
    """A user has said, or says no longer, what the program is like."""
    session.drop(gdb.selected_inferior().num)
    catch_up()


def _new_program() -> None:
    """A program was loaded that may be run."""
    if session.is_beam():
        watch_code()


def _new_process() -> None:
    """GDB attaches, or has loaded a core file. There may be no stop or prompt before the user's first command, so this
    is done as soon as the VM's own description can be read, which is when the program is relocated."""
    current = session.find()
    if current is not None:
        _check_registrations(current)
    if current is not None and current.is_settled:
        catch_up()


def _check_registrations(current: session.Session) -> bool:
    """GDB itself is about to read what the VM has registered, and takes it for sound; whether it is."""
    descriptor = current.node.symbol(DESCRIPTOR)
    if current.registrations_are_checked or descriptor is None:
        return True
    listed = list(jit_interface.entries(current.node.memory, descriptor))
    following = jit_interface.following(current.node.memory, descriptor, listed)
    if not listed and not following:
        return True
    current.registrations_are_checked = True
    large = jit_interface.oversized(listed)
    is_circle = any(one.address == following for one in listed)
    is_long = bool(following) and not is_circle and len(listed) >= jit_interface.MAX_REGISTRATIONS
    if following and not is_circle and not is_long:
        _warn(f"the list of registered code cannot be read at {following:#x}: code registered before is missing")
    if large is None and not is_circle and not is_long:
        return True
    extension().jit_reader.set_aside()
    if large is not None:
        _warn(f"code of {large.size} bytes is registered at {large.address:#x}: GDB is not kept quiet about the rest")
    if is_circle:
        # With the reader GDB does not even heed Ctrl-C.
        last = listed[-1].address
        _warn(f"the list of registered code is a circle, closed at {last:#x}: Ctrl-C ends GDB's reading of it")
    if is_long:
        ending = "older code is missing, and Ctrl-C ends GDB's reading of it"
        _warn(f"the list of registered code has more than {len(listed)} entries: {ending}")
    return False


def _warn(text: str) -> None:
    gdb.write(f"beamgdb: {text}\n", gdb.STDERR)
    gdb.flush(gdb.STDERR)


def _silence() -> None:
    """Keep GDB quiet about what is registered. It reads all of it anew for that."""
    current = session.find()
    if current is None or _check_registrations(current):
        extension().jit_reader.silence()


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
    extension().jit_reader.resume()
    errors.guarded(lambda: session.ended(number))
    program_file.forget(number)
    errors.guarded(lambda: symbols.withdraw(number))
    errors.guarded(lambda: extension().read_only.release(number))
    errors.guarded(_new_program)


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
        (gdb.events.clear_objfiles, _on_clear_objfiles),
    )
    for registry, handler in connections:
        registry.connect(handler)
    older_gdb.at_exit(lambda: extension().symbol_folder.remove())
    extension().parameters.follow_layout_from(lambda: errors.guarded(_layout_from_changed))
    extension().parameters.follow_names(lambda: errors.guarded(catch_up))
    symbol_folder.remove_left_behind()
    errors.guarded(_silence)
    errors.guarded(_new_program)
    errors.guarded(session.relocate)
    errors.guarded(catch_up)
