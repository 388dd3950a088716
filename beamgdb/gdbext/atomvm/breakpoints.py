"""Breakpoints on Erlang functions and lines in AtomVM.

In native code one is a breakpoint of GDB. Of bytecode nothing is executed but read: there it is a watchpoint on the
first byte of an operation, which the interpreter reads to run it. It needs the processor's help, which has four at
most. A remote target may not offer that, as qemu does not to a program: there it is a breakpoint of GDB where the
interpreter takes up an operation, any one, with the condition that it is this. (The file of a module is mapped into
memory, shared and not writable: a trap cannot be put there.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

import gdb

from beamgdb.atomvm.modules import Broken, Function, Module
from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import c_expressions, errors, front_end, gdb_text, term_printing
from beamgdb.gdbext import session as gdb_session
from beamgdb.gdbext.atomvm import session
from beamgdb.gdbext.atomvm.registers import X_REGISTERS
from beamgdb.gdbext.atomvm.running import LOOPS, Running, variable
from beamgdb.gdbext.c_expressions import in_c
from beamgdb.gdbext.connection import is_core, is_remote
from beamgdb.gdbext.extension import extension
from beamgdb.memory import Unreadable
from beamgdb.views import stack
from beamgdb.views.breakpoints import BreakpointPlace, BreakpointRow
from beamgdb.views.location import LineLocation
from beamgdb.vm.model import Unavailable

INSERT: Final = "globalcontext_insert_module"
"""Called with each module that has been loaded, before it can run (globalcontext.c)."""

_TAKEN: Final = (
    "GDB looks at each operation that is interpreted, which is slow; under qemu have one scheduler, by "
    "erlang:system_flag(schedulers_online, 1): its stub hangs where two threads come to a breakpoint at once"
)

_LABEL: Final = "loop"
_BEHIND_LABEL: Final = 3
"""Lines behind the label in which the first one with code is, that which takes up an operation."""


class Wanted(NamedTuple):
    """Where a breakpoint is wanted: a function as `module:function/arity`, or a line; `condition` is an expression of
    GDB, empty without one."""

    location: str | LineLocation
    condition: str
    is_temporary: bool


class _Point(gdb.Breakpoint):
    """A breakpoint of any kind, and what it is for."""

    address: int
    function: str
    wanted: Wanted

    def is_hit(self) -> bool:
        """Whether it is what has stopped the target, of all that are at the place where this has stopped."""
        return self.hit_count > 0

    def _test(self, condition: str) -> None:
        """Have GDB stop only where this is true. Raises `gdb.error` where it is none, and leaves no breakpoint then."""
        try:
            self.condition = condition
        except gdb.error:
            self.delete()
            raise


class NativePoint(_Point):
    """One on an instruction of native code."""

    def __init__(self, address: int, function: str, wanted: Wanted) -> None:
        with in_c():
            super().__init__(f"*{address:#x}")
        self.address, self.function, self.wanted = address, function, wanted
        if wanted.condition:
            self._test(wanted.condition)


class TakenPoint(_Point):
    """One on an operation that is interpreted, where the interpreter takes it up. GDB itself tests the condition: each
    operation that the program interprets comes there."""

    def __init__(self, address: int, function: str, wanted: Wanted) -> None:
        with in_c():
            super().__init__(f"*{_taking():#x}")
            is_it = f"(unsigned long) pc == {address:#x}"
            self._test(f"{is_it} && ({wanted.condition})" if wanted.condition else is_it)
        self.address, self.function, self.wanted = address, function, wanted

    def is_hit(self) -> bool:
        return super().is_hit() and variable(gdb.newest_frame(), "pc") == self.address


class WatchedPoint(_Point):
    """One on an operation that is interpreted, which the processor watches."""

    def __init__(self, address: int, function: str, wanted: Wanted) -> None:
        with in_c():
            super().__init__(f"*(unsigned char *) {address:#x}", gdb.BP_WATCHPOINT, gdb.WP_ACCESS)
        self.address, self.function, self.wanted = address, function, wanted

    def stop(self) -> bool:
        """Whether the interpreter has read it: others do too, as when a module is loaded."""
        frame = gdb.newest_frame()
        if gdb_text.frame_name(frame) not in LOOPS:
            return False
        # (The variable may have been moved on already or not.)
        if variable(frame, "pc") not in (0, self.address, self.address + 1):
            return False
        try:
            return not self.wanted.condition or bool(c_expressions.evaluated(self.wanted.condition))
        except gdb.error as error:
            gdb.write(f"beamgdb: condition of breakpoint {self.number}: {errors.one_line(error)}\n", gdb.STDERR)
            return True


def _taking() -> int:
    """Where the interpreter takes up an operation: behind its label `loop` (opcodesswitch.h). Raises `Unavailable`."""
    for name in LOOPS:
        address = gdb_session.address_of(name)
        block = gdb.block_for_pc(address) if address is not None else None
        for symbol in block or ():
            if symbol.name == _LABEL and block is not None:
                table = symbol.symtab.linetable()
                lines = range(symbol.line, symbol.line + _BEHIND_LABEL)
                found = {
                    row.pc for line in lines for row in table.line(line) or () if block.start <= row.pc < block.end
                }
                if found:
                    return min(found)
    raise Unavailable(
        "this target offers no watchpoints, and debug information does not tell where the interpreter takes up "
        "operations: bytecode cannot have breakpoints here (compiled natively it can)"
    )


def _offers_watchpoints(address: int) -> bool:
    """Whether the target watches a byte for GDB. A remote one is asked: GDB itself finds out when it resumes it."""
    if not is_remote():
        return True
    said = front_end.taken(f"maintenance packet Z4,{address:x},1")
    if '"OK"' not in said:
        return False
    front_end.taken(f"maintenance packet z4,{address:x},1")
    return True


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


def rows() -> Iterator[BreakpointRow]:
    """All that were set: first those that there are, then those that wait for a module, which have the number 0. Raises
    `Unavailable`."""
    vm = _begun() if gdb_session.has_process() else None
    for one in gdb.breakpoints():
        if isinstance(one, _Point):
            module = vm.modules.of_code(one.address) if vm is not None else None
            place = module.place(one.address - module.start) if module is not None else None
            file, line = (place.file, place.line) if place is not None else (None, None)
            places = (BreakpointPlace(one.address, one.function, file, line),)
            told = one.enabled, one.hit_count, str(one.wanted.location), places, None, one.wanted.condition or None
            yield BreakpointRow(one.number, one.wanted.is_temporary, *told, one.ignore_count)
    for wanted in extension().part(_Requests).waiting:
        condition = wanted.condition or None
        yield BreakpointRow(0, wanted.is_temporary, True, 0, str(wanted.location), (), None, condition, 0)


def _begun() -> AtomVm | None:
    """The VM, None if there is none yet. Raises `Unavailable`."""
    try:
        return session.require()
    except session.NotBegun:
        return None


def _described(point: _Point) -> str:
    kind = "Temporary breakpoint" if point.wanted.is_temporary else "Breakpoint"
    note = f"\nNote: {_TAKEN}." if isinstance(point, TakenPoint) else ""
    return f"{kind} {point.number} in {point.function}.{note}"


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


def _made(wanted: Wanted, module: Module) -> list[_Point]:
    """Breakpoints at a location in a module: none if it is elsewhere. Raises `Unavailable`."""
    try:
        places = list(_places(wanted.location, module))
        start, is_native = module.start, bool(module.native)
    except (Broken, Unreadable):
        return []
    if not places:
        return []
    make: Callable[[int, str, Wanted], _Point]
    make = NativePoint if is_native else WatchedPoint if _offers_watchpoints(start) else TakenPoint
    return [make(start + offset, one.text, wanted) for offset, one in places]


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
        hit = [one for one in event.breakpoints if isinstance(one, _Point) and one.is_hit()]
        if hit:
            errors.guarded(lambda: _announce(hit))


def _announce(hit: list[_Point]) -> None:
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
        if one.wanted.is_temporary:
            one.delete()


def install() -> None:
    """Connect to GDB's events. To be called after `events.install`: the VM must be known of the stop."""
    gdb.events.stop.connect(_on_stop)
