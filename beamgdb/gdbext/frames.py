"""How `bt` shows Erlang frames: arguments as terms where they are known, y registers as locals, and for frames of the
VM's own code what it does and for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import gdb
from gdb.FrameDecorator import FrameDecorator

from beamgdb.gdbext import (
    c_functions,
    dirty_frames,
    errors,
    gdb_text,
    native_variables,
    older_gdb,
    session,
    term_printing,
)
from beamgdb.gdbext.current_frame import Selected
from beamgdb.gdbext.printers import encodable
from beamgdb.gdbext.target_memory import TargetEnded
from beamgdb.gdbext.unwinder import erlang_frame, is_repeated
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.unwinding import own_code
from beamgdb.vm import backtrace, calls
from beamgdb.vm.frame import ErlangFrame, HeldWord
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process

_Answer = TypeVar("_Answer")


class _Name(str):
    """A variable's name, which GDB takes for a symbol; and so does its debug adapter, which wants `print_name`."""

    @property
    def print_name(self) -> str:
        return str(self)


@dataclass(frozen=True)
class FrameVariable:
    """A frame's variable, as a frame decorator gives it."""

    name: str
    content: gdb.Value | str

    def symbol(self) -> _Name:
        return _Name(self.name)

    def value(self) -> gdb.Value | str:
        return self.content


class _Decorator(FrameDecorator):
    """Decorates any frame. By what GDB asks for, and in which order, it is known for whom (py-framefilter.c): `bt`
    wants the function, its arguments, then the file; GDB/MI a list of frames without arguments, or variables alone."""

    def __init__(self, base: FrameDecorator) -> None:
        super().__init__(base)
        self._is_described = False
        """Whether it is shown as a frame of the stack, and not its variables alone."""
        self._with_arguments = False

    def function(self) -> Any:
        """The function's name, or its address."""
        self._is_described = True
        return gdb_text.text(super().function)

    def filename(self) -> str | None:
        """The file's name; for editors with its folder, for they open it, and GDB tells no full name besides."""
        name = gdb_text.text(super().filename) or None
        if not self._with_arguments:
            symtab = self.inferior_frame().find_sal().symtab
            return gdb_text.text(symtab.fullname) if symtab else name
        return name

    def frame_args(self) -> Any:
        """The arguments."""
        self._with_arguments = True
        return self._readable(super().frame_args())

    def frame_locals(self) -> Any:
        """The other variables."""
        return self._readable(super().frame_locals())

    def _readable(self, variables: Iterable[Any] | None) -> Iterator[Any] | None:
        """GDB ends a line of `bt` in its middle, with a Python exception, where a variable's memory cannot be read."""
        if variables is None:
            return None
        return iter([self._or_not_available(variable) for variable in variables])

    def _or_not_available(self, variable: Any) -> Any:
        symbol = variable.symbol()
        if isinstance(symbol, gdb.Symbol):
            try:
                # GDB 18 gives locals their values, not yet read; what has none it reads itself.
                value = variable.value()
                (symbol.value(self.inferior_frame()) if value is None else value).fetch_lazy()
            except gdb.MemoryError:
                return FrameVariable(symbol.print_name, term_printing.not_available())
            except gdb.error:
                pass  # GDB itself says what it is.
        return variable


class ErlangFrameDecorator(_Decorator):
    """Decorates a frame of Erlang code."""

    def __init__(self, base: FrameDecorator, node: Node, frame: ErlangFrame) -> None:
        super().__init__(base)
        self._node = node
        self._frame = frame
        self._selected = Selected(node, self.inferior_frame(), frame)

    def function(self) -> str:
        """The function's name, and for code of the VM what it runs."""
        self._is_described = True
        name = term_printing.function(self._frame.place.code.name)
        try:
            note = own_code.note(self._node, self._frame, term_printing.function, registered_as=term_printing.module)
        except (Unreadable, Unavailable, KeyError):
            note = None
        return encodable(f"{name} [{note}]" if note else name, older_gdb.host_charset())

    def frame_args(self) -> Iterator[FrameVariable] | None:
        """Arguments as terms. Where variables alone are listed, they are named by what an editor can evaluate, and
        which belongs to this frame then: x0 may have been overwritten since."""
        self._with_arguments = True
        if self._frame.place.is_internal:
            return None
        arguments: Sequence[int | None] | None
        try:
            if self._frame.place.is_fragment:
                arguments = self._selected.nif_arguments()
            else:
                arguments = self._selected.arguments()
        except (Unreadable, Unavailable, KeyError, gdb.error):
            arguments = [None] * (self._frame.place.code.arity or 0)
        if arguments is None:
            return None
        name = "x{}" if self._is_described else "$_arg({},$pc)"
        return iter([FrameVariable(name.format(number), _content(word)) for number, word in enumerate(arguments)])

    def frame_locals(self) -> Iterator[FrameVariable] | None:
        """y registers, named likewise: there are variables of these names, but not for all that a frame may have."""
        if self._frame.place.is_fragment:
            return None
        try:
            words = self._selected.words()
        except (Unreadable, Unavailable, KeyError):
            return None
        return iter([FrameVariable(self._name(n, word), _content(word)) for n, word in enumerate(words)])

    def _name(self, number: int, word: HeldWord) -> str:
        name = f"y{number}"
        if self._is_described:
            return name
        known = native_variables.word(self.inferior_frame(), name)
        return name if known is not None and known.address == word.address else f"$_yreg({number},$pc)"


def _content(word: int | None) -> gdb.Value | str:
    if word is None:
        return term_printing.not_available()
    return term_printing.variable(word) if isinstance(word, HeldWord) else term_printing.value(word)


class _NamedFrameDecorator(_Decorator):
    """A frame of a C function to which GDB gives no name, or one of another."""

    def __init__(self, base: FrameDecorator, name: str) -> None:
        super().__init__(base)
        self._name = name

    def function(self) -> str:
        """The function's name. Once a frame filter is there, GDB leaves out its usual question marks."""
        super().function()
        return self._name or "??"


class _DirtyFrameDecorator(_NamedFrameDecorator):
    """The frame of C that has called a NIF or BIF for a process, on a dirty scheduler."""

    def __init__(self, base: FrameDecorator, node: Node, process: Process) -> None:
        call = _known(process.current_call)
        note = f" [{term_printing.function(calls.mfa(node, *call))}]" if call is not None else ""
        super().__init__(base, encodable(dirty_frames.MAIN + note, older_gdb.host_charset()))
        self._process = process

    def frame_args(self) -> Iterator[FrameVariable]:
        """Those of the NIF or BIF."""
        self._with_arguments = True
        words = _known(lambda: backtrace.saved_arguments(self._process)) or ()
        return iter([FrameVariable(f"x{number}", term_printing.value(word)) for number, word in enumerate(words)])


def _known(question: Callable[[], _Answer | None]) -> _Answer | None:
    try:
        return question()
    except (Unreadable, Unavailable, KeyError, gdb.error):
        return None


class ErlangFrameFilter:
    """The frame filter, for all programs: frames that are not of Erlang code look as ever."""

    name = "beamgdb"
    priority = 100

    def __init__(self) -> None:
        self._wanted = True

    @property
    def enabled(self) -> bool:
        """Off without a VM: as soon as there is one filter, GDB shows all frames a little differently. Where that would
        be its end, its own `bt` has at least the names and lines of Erlang's functions."""
        if older_gdb.dies_of_frame_filters():
            return False
        if session.relocate():
            gdb.write(
                "beamgdb: moved the program to where the core file says it was; repeat the command for Erlang frames\n",
                gdb.STDERR,
            )
            return False
        return self._wanted and session.find() is not None

    @enabled.setter
    def enabled(self, wanted: bool) -> None:
        self._wanted = wanted

    def filter(self, iterator: Iterator[Any]) -> Iterator[Any]:
        """Decorated frames, lazily: GDB asks for as many as it prints."""
        try:
            node = session.require().node
        except TargetEnded as error:
            # GDB has that in the name of Python, and shows its own frames then.
            gdb.write(f"beamgdb: {errors.one_line(error)}\n", gdb.STDERR)
            return map(_Decorator, iterator)
        return filter(None, (self._decorated(node, frame) for frame in _until_unknown(iterator)))

    def _decorated(self, node: Node, decorator: FrameDecorator) -> FrameDecorator | None:
        frame = decorator.inferior_frame()
        if older_gdb.level(frame) > 0 and frame.pc() == 0:
            # The unwinder's way to say that nothing is known of what is outside.
            return None
        try:
            erlang = erlang_frame(frame)
        except (Unreadable, Unavailable, KeyError, gdb.error) as error:
            errors.trace(error)
            gdb.write(f"beamgdb: {errors.one_line(error)}\n", gdb.STDERR)
            erlang = None
        if erlang is not None:
            return ErlangFrameDecorator(decorator, node, erlang)
        if is_repeated(frame):
            return None
        name = c_functions.name(node, frame)
        if name == dirty_frames.MAIN:
            process = _known(lambda: dirty_frames.process_of_thread(node, int(frame.read_register("sp"))))
            if process is not None:
                return _DirtyFrameDecorator(decorator, node, process)
        is_known = name and name == gdb_text.frame_name(frame)
        return _Decorator(decorator) if is_known else _NamedFrameDecorator(decorator, name)


def _until_unknown(iterator: Iterator[FrameDecorator]) -> Iterator[FrameDecorator]:
    """Frames up to one outside of which nothing can be told; GDB's own `bt` ends there without a word.

    `process_main` saves no registers, and its caller may need them to be unwound. GDB's iterator asks for the frame
    outside before it gives one, and loses it when that fails.
    """
    frame, kind = None, FrameDecorator
    try:
        for decorator in iterator:
            yield decorator
            frame, kind = decorator.inferior_frame(), type(decorator)
        return
    except gdb.error:
        pass
    try:
        while frame is not None and (frame := frame.older()) is not None:
            yield kind(frame)
    except gdb.error:
        return


def install() -> None:
    """Register the filter."""
    gdb.frame_filters[ErlangFrameFilter.name] = ErlangFrameFilter()
