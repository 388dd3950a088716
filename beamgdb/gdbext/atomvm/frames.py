"""How `bt` goes through native code of AtomVM, and shows Erlang frames between those of C.

The C function that runs Erlang code has one frame, whatever the depth of the Erlang stack: before it, `bt` shows the
Erlang frames, which GDB's `up` and `frame` do not know. Native code with rules for its frames, as ours compiled with
`--dwarf`, has frames of GDB: those stand instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import gdb
from gdb.FrameDecorator import FrameDecorator
from gdb.unwinder import Unwinder as GdbUnwinder

from beamgdb.atomvm import native_frames
from beamgdb.atomvm.modules import Broken, Module
from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext import c_expressions, older_gdb, target_memory, term_printing
from beamgdb.gdbext.atomvm import session
from beamgdb.gdbext.atomvm.running import LOOPS, Running, in_loop
from beamgdb.gdbext.c_frames import FrameId
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.frames import FrameVariable
from beamgdb.gdbext.gdb_text import frame_name
from beamgdb.gdbext.printers import encodable
from beamgdb.memory import Unreadable
from beamgdb.views.atomvm.stack import frame_row
from beamgdb.views.stack import FrameRow
from beamgdb.vm.model import Unavailable

SHARED: Final = "native::"
"""How our compiler names code that functions share."""


class _ErlangFrame(FrameDecorator):
    """An Erlang frame, in front of the C frame of what runs it, or in the place of that of native code."""

    def __init__(self, base: Any, row: FrameRow) -> None:
        super().__init__(base)
        self._row = row

    def function(self) -> str:
        """The function."""
        return encodable(self._row.function or "<unknown code>", older_gdb.host_charset())

    def address(self) -> int:
        """Where in its code."""
        return self._row.pc

    def filename(self) -> str | None:
        """The file."""
        return self._row.file

    def line(self) -> int | None:
        """The line."""
        return self._row.line

    def frame_args(self) -> None:
        """None are known."""

    def frame_locals(self) -> Iterator[FrameVariable]:
        """The y registers."""
        words = ((one.name, one.word) for one in self._row.variables)
        return iter([FrameVariable(name, term_printing.value(word)) for name, word in words if word is not None])

    def elided(self) -> None:
        """None."""


class AtomFrameFilter:
    """The frame filter: of use only where an AtomVM is debugged."""

    name = "beamgdb-atomvm"
    priority = 99

    def __init__(self) -> None:
        self._wanted = True

    @property
    def enabled(self) -> bool:
        """Whether there is an AtomVM."""
        if not self._wanted or older_gdb.dies_of_frame_filters():
            return False
        try:
            return session.find() is not None
        except (Unavailable, Unreadable, gdb.error):
            return False

    @enabled.setter
    def enabled(self, wanted: bool) -> None:
        self._wanted = wanted

    def filter(self, iterator: Iterator[Any]) -> Iterator[Any]:
        """Decorated frames."""
        try:
            rows = self._rows()
        except (Unreadable, Unavailable, KeyError, gdb.error):
            rows = []
        vm = session.require()
        natives, left = 0, rows
        inner: Any = None  # the frame before, to which what GDB does not count belongs
        for decorator in iterator:
            frame = decorator.inferior_frame()
            module = _native(vm, frame) if natives < 2 else None
            if module is not None:
                natives += 1
                told = _tells(module, frame.pc())
                # What functions share stands for none of them; where GDB goes on to Erlang callers it knows them all.
                is_function = not told or not frame_name(frame).startswith(SHARED)
                left = [] if told and natives > 1 else rows[is_function:]
                shown = rows and natives == 1 and not told
                inner = _ErlangFrame(decorator, rows[0]) if shown else decorator
            else:
                if frame_name(frame) in LOOPS:
                    for row in left:
                        yield _ErlangFrame(inner or decorator, row)
                    left = []
                inner = decorator
            yield inner

    def _rows(self) -> list[FrameRow]:
        """The Erlang frames of what the selected thread runs, innermost first."""
        vm = session.require()
        running, terms = Running(vm), term_printing.any_terms(vm)
        work = running.selected()
        if work is None:
            return []
        return [frame_row(vm, terms, number, one) for number, one in enumerate(running.frames(work.context))]


def _native(vm: AtomVm, frame: gdb.Frame) -> Module | None:
    try:
        module = vm.modules.of_code(frame.pc())
        return module if module is not None and module.native else None
    except (Unreadable, gdb.error):
        return None


def _tells(module: Module, pc: int) -> bool:
    """Whether GDB has been told of native code, with rules for its frames."""
    try:
        return module.file.tells_frames and gdb.block_for_pc(pc) is not None
    except (Broken, Unreadable):
        return False


class AtomUnwinder(GdbUnwinder):
    """Goes from native code without rules for its frames to the C function that has called it."""

    def __init__(self) -> None:
        super().__init__("beamgdb-atomvm")

    def __call__(self, pending_frame: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        current = session.known()
        if current is None:
            return None
        return target_memory.unwound(lambda: self._unwound(current, pending_frame))

    def _unwound(self, vm: AtomVm, pending_frame: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        if extension().first_frames.is_first(pending_frame):
            vm.forget()
        word = c_expressions.word()
        try:
            pc = int(pending_frame.read_register("pc").cast(word))
            # GDB asks at each stop, as for a breakpoint whose condition is not true: soon, without reading memory.
            if in_loop(pc):
                return None
            stack = int(pending_frame.read_register("sp").cast(word))
            module = vm.modules.of_code(pc)
            if module is None or not module.native or _tells(module, pc):
                return None
            found = native_frames.unwind(vm.memory, module, pc, stack, in_loop)
        except (Unreadable, Broken, KeyError, gdb.error):
            return None
        if found is None:
            return None
        info = pending_frame.create_unwind_info(
            FrameId(gdb.Value(found.id_stack).cast(word), gdb.Value(module.native).cast(word))
        )
        for name, content in found.registers.items():
            info.add_saved_register(name, gdb.Value(content).cast(word))
        return info


def install() -> None:
    """Register both for all programs; they answer only where there is an AtomVM."""
    gdb.frame_filters[AtomFrameFilter.name] = AtomFrameFilter()
    gdb.unwinder.register_unwinder(None, AtomUnwinder(), replace=True)
