"""Breakpoints on Erlang functions and lines in AtomVM.

In native code one is a breakpoint of GDB. Of bytecode nothing is executed but read: there it is a watchpoint on the
first byte of an operation, which the interpreter reads to run it. It needs the processor's help, which has four at
most, and which qemu does not offer to a program.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple, Union

import gdb

from beamgdb.atomvm.modules import Broken, Function, Module
from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import c_expressions, errors, gdb_text, term_printing
from beamgdb.gdbext import session as gdb_session
from beamgdb.gdbext.atomvm import session
from beamgdb.gdbext.atomvm.registers import X_REGISTERS
from beamgdb.gdbext.atomvm.running import LOOPS, Running, variable
from beamgdb.gdbext.c_expressions import in_c
from beamgdb.gdbext.connection import is_core, is_remote
from beamgdb.gdbext.extension import extension
from beamgdb.memory import Unreadable
from beamgdb.views import stack
from beamgdb.views.location import LineLocation
from beamgdb.vm.model import Unavailable

INSERT: Final = "globalcontext_insert_module"
"""Called with each module that has been loaded, before it can run (globalcontext.c)."""


class Wanted(NamedTuple):
    """Where a breakpoint is wanted: a function as `module:function/arity`, or a line; `condition` is an expression of
    GDB, empty without one."""

    location: str | LineLocation
    condition: str
    is_temporary: bool


class _Point:
    """What a breakpoint of either kind is for."""

    function: str
    is_temporary: bool


class NativePoint(gdb.Breakpoint, _Point):
    """One on an instruction of native code."""

    def __init__(self, address: int, function: str, wanted: Wanted) -> None:
        with in_c():
            super().__init__(f"*{address:#x}")
        self.function, self.is_temporary = function, wanted.is_temporary
        if wanted.condition:
            self.condition = wanted.condition


class BytecodePoint(gdb.Breakpoint, _Point):
    """One on an operation that is interpreted."""

    def __init__(self, address: int, function: str, wanted: Wanted) -> None:
        with in_c():
            super().__init__(f"*(unsigned char *) {address:#x}", gdb.BP_WATCHPOINT, gdb.WP_ACCESS)
        self.function, self.is_temporary, self._address = function, wanted.is_temporary, address
        self._wanted = wanted.condition

    def stop(self) -> bool:
        """Whether the interpreter has read it: others do too, as when a module is loaded."""
        frame = gdb.newest_frame()
        if gdb_text.frame_name(frame) not in LOOPS:
            return False
        # (The variable may have been moved on already or not.)
        if variable(frame, "pc") not in (0, self._address, self._address + 1):
            return False
        try:
            return not self._wanted or bool(c_expressions.evaluated(self._wanted))
        except gdb.error as error:
            gdb.write(f"beamgdb: condition of breakpoint {self.number}: {errors.one_line(error)}\n", gdb.STDERR)
            return True


Point = Union[NativePoint, BytecodePoint]


class _Requests:
    """Breakpoints that wait for a module, and what tells of one."""

    def __init__(self) -> None:
        self.waiting: list[Wanted] = []
        self.loaded: gdb.Breakpoint | None = None


class _Loaded(gdb.Breakpoint):
    """A module has been loaded."""

    def __init__(self) -> None:
        super().__init__(INSERT, internal=True)
        self.silent = True

    def stop(self) -> bool:
        """Put what waits for it into its place. Never stops."""
        errors.guarded(self._settle)
        return False

    def _settle(self) -> None:
        session.forget()
        vm = session.require()
        module = vm.modules.at(variable(gdb.newest_frame(), "module"))
        requests = extension().part(_Requests)
        for wanted in list(requests.waiting):
            points = _made(wanted, module)
            if points:
                requests.waiting.remove(wanted)
            for point in points:
                gdb.write(f"{_described(point)}\n")


def set_at(wanted: Wanted) -> Iterator[str]:
    """Set a breakpoint: what to tell of it, line by line. Raises `Unavailable`."""
    if gdb_session.has_process():
        if is_core():
            raise Unavailable("a core file does not run: there are no breakpoints in it")
        vm = _begun()
        points = [point for module in vm.modules for point in _made(wanted, module)] if vm else []
        if points:
            yield from map(_described, points)
            return
        if vm is not None and (missing := _missing(wanted.location, vm)) is not None:
            raise Unavailable(missing)
    requests = extension().part(_Requests)
    requests.waiting.append(wanted)
    if requests.loaded is None or not requests.loaded.is_valid():
        requests.loaded = _Loaded()
    yield f"Breakpoint on {wanted.location}, which is not loaded yet: it is set when that is."


def _begun() -> AtomVm | None:
    """The VM, None if there is none yet. Raises `Unavailable`."""
    try:
        return session.require()
    except session.NotBegun:
        return None


def _described(point: Point) -> str:
    kind = "Temporary breakpoint" if point.is_temporary else "Breakpoint"
    return f"{kind} {point.number} in {point.function}."


def _missing(location: str | LineLocation, vm: AtomVm) -> str | None:
    """What is wrong with a location of a module that is loaded, None if it may be of one that is not."""
    for module in vm.modules:
        try:
            if isinstance(location, LineLocation):
                if any(_is_in(file, location.file) for _, file, _ in module.file.lines):
                    return f"no code of {location.file} that is loaded is of line {location.line}"
            elif module.file.functions and location.startswith(f"{module.file.functions[0].text.rpartition(':')[0]}:"):
                names = [one.text for one in module.file.functions]
                return f"{module.name} has no function {location}" if names else None
        except (Broken, Unreadable):
            continue
    return None


def _made(wanted: Wanted, module: Module) -> list[Point]:
    """Breakpoints at a location in a module: none if it is elsewhere. Raises `Unavailable`."""
    try:
        places = list(_places(wanted.location, module))
        start, is_native = module.start, bool(module.native)
    except (Broken, Unreadable):
        return []
    if places and not is_native and is_remote():
        raise Unavailable(
            f"{places[0][1].text} is interpreted: to stop there takes a watchpoint, which this target does not offer "
            "(compiled natively it can have breakpoints)"
        )
    kind = NativePoint if is_native else BytecodePoint
    return [kind(start + offset, one.text, wanted) for offset, one in places]


def _places(location: str | LineLocation, module: Module) -> Iterator[tuple[int, Function]]:
    """Offsets in the code of a module, each with its function. Raises `Broken`."""
    file = module.file
    if not isinstance(location, LineLocation):
        yield from ((one.entry, one) for one in file.functions if one.text == location)
        return
    seen = set()
    for offset, name, line in file.lines:
        place = file.place(offset) if line == location.line and _is_in(name, location.file) else None
        if place is not None and place.function not in seen:
            seen.add(place.function)
            yield offset, place.function


def _is_in(file: str, wanted: str) -> bool:
    return file == wanted or file.endswith(f"/{wanted}") or PurePosixPath(file).name == wanted


def _on_stop(event: Any) -> None:
    if isinstance(event, gdb.BreakpointEvent):
        hit = [one for one in event.breakpoints if isinstance(one, (NativePoint, BytecodePoint))]
        if hit:
            errors.guarded(lambda: _announce(hit))


def _announce(hit: list[Point]) -> None:
    """Tell which function has been reached, with its arguments, as GDB may not know it."""
    vm = session.require()
    work = Running(vm).selected()
    name = hit[0].function
    position = work.position if work is not None else None
    place = position.place if position is not None else None
    where = f" at {place.file}:{place.line}" if place is not None and place.file is not None else ""
    gdb.write(f"{name}{where}\n")
    if work is not None and position is not None and place is not None and position.offset == place.function.entry:
        terms, size = term_printing.any_terms(vm), vm.memory.word_size
        arity = min(place.function.arity, X_REGISTERS)
        for number in range(arity):
            word = vm.memory.word(work.context.record.field_address("x") + number * size)
            gdb.write(stack.variable(stack.VariableRow(f"x{number}", word, terms.text(word))) + "\n")
    for one in hit:
        if one.is_temporary:
            one.delete()


def install() -> None:
    """Connect to GDB's events. To be called after `events.install`: the VM must be known of the stop."""
    gdb.events.stop.connect(_on_stop)
