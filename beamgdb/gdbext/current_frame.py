"""The Erlang frame that commands mean: the selected one, or for a frame of C or of a shared fragment the Erlang
function on whose behalf it runs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace

import gdb

from beamgdb.code.loaded import Place
from beamgdb.gdbext import native_variables, session, standing, term_printing
from beamgdb.gdbext.unwinder import erlang_frame, is_innermost, register_reader, unwinder_of
from beamgdb.late import dataclass
from beamgdb.node import Node
from beamgdb.unwinding import own_code
from beamgdb.unwinding.beamasm import CompiledFrame
from beamgdb.vm import calls
from beamgdb.vm.frame import ErlangFrame, HeldWord
from beamgdb.vm.model import Unavailable
from beamgdb.vm.processes import Process
from jit.otp.code import MAX_REG

MAX_C_FRAMES = 4096
"""C frames that are passed over in search of Erlang ones: a recursion in C that is deeper has destroyed the stack."""

FLOAT_REGISTERS = 16
"""Float registers that the compiler uses (`MAX_REG` are allocated)."""


@dataclass(frozen=True)
class Selected:
    """An Erlang frame of the program, with GDB's frame and the VM."""

    node: Node
    gdb_frame: gdb.Frame
    erlang: ErlangFrame

    def words(self) -> list[HeldWord]:
        """y registers, y0 first. Raises `Unavailable` where the frame's end is not known."""
        slot = self.erlang.return_slot
        if slot is None:
            raise Unavailable("the end of this frame is not known: its stack is corrupt or its code could not be read")
        reader = self.node.stack()
        frame = reader.frame(self.erlang.top, slot)
        if not frame.is_sound:
            raise Unavailable(f"this frame is damaged: {frame.slots} words up to the next return address")
        size = self.node.memory.word_size
        return [HeldWord(word, frame.address + size * n) for n, word in enumerate(reader.words(frame))]

    def x_register(self, number: int) -> int:
        """The word in x register `number`; raises `Unavailable`."""
        held = native_variables.word(self.gdb_frame, f"x{number}") if self._is_native else None
        if held is not None:
            return held
        unwinder = unwinder_of(session.require())
        assert unwinder is not None
        read = register_reader(self.gdb_frame)
        word = unwinder.x_register(self.erlang, number, read, is_innermost(self.gdb_frame))
        if word is None and self.erlang.x_registers is None:
            raise Unavailable(self._without_x_registers())
        if word is None:
            raise Unavailable(f"x register {number} is not available here: C code was called, and it was not saved")
        return word

    def f_register(self, number: int) -> float:
        """Float register `number`; raises `Unavailable`."""
        if self.erlang.x_registers is None:
            raise Unavailable(self._without_x_registers("float"))
        machine = self.node.machine
        if machine is not None and number < len(machine.float_registers):
            return _as_double(self.gdb_frame.read_register(machine.float_registers[number]))
        layout = self.node.layout
        start = self.erlang.x_registers - layout.offset("ErtsSchedulerRegisters", "x_reg_array.d")
        address = start + layout.offset("ErtsSchedulerRegisters", "f_reg_array.d") + 8 * number
        order = "<" if self.node.memory.byteorder == "little" else ">"
        (content,) = struct.unpack(order + "d", self.node.memory.read(address, 8))
        return float(content)

    @property
    def _is_native(self) -> bool:
        return self.node.code.native_at(self.erlang.place.code.start) is not None

    def _without_x_registers(self, kind: str = "x") -> str:
        name = term_printing.function(self.erlang.place.code.name)
        return f"{kind} registers are not available in {name}: it has called another function, which uses them"

    def nif_arguments(self) -> tuple[int, ...] | None:
        """Those of the NIF that this frame of a shared fragment has called, None where it has called none."""
        return own_code.nif_arguments(self.node, self.erlang, is_innermost(self.gdb_frame))

    def arguments(self) -> list[HeldWord | None]:
        """Arguments of the function as they were at its entry, None for those that are not known any more."""
        current = session.require()
        unwinder = unwinder_of(current)
        assert unwinder is not None
        erlang, newer = self.erlang, self.gdb_frame.newer()
        if self._is_native:
            names = (f"arg{number}" for number in range(1, 1 + (erlang.place.code.arity or 0)))
            return [native_variables.word(self.gdb_frame, name) for name in names]
        found = unwinder.arguments(erlang, register_reader(self.gdb_frame), is_innermost(self.gdb_frame))
        if newer is None or not is_innermost(newer):
            return found
        # The next instruction is one of a shared fragment, which may have overwritten x registers on its way.
        fragment = erlang_frame(newer)
        if fragment is None or not fragment.place.is_fragment or erlang.x_registers is None:
            return found
        kept = fragment.state.arguments if isinstance(fragment, CompiledFrame) and fragment.state else ()
        without = unwinder.arguments(_without_x(erlang), register_reader(self.gdb_frame), innermost=False)
        return [one if n < len(kept) and kept[n] else other for n, (one, other) in enumerate(zip(found, without))]


def _without_x(frame: ErlangFrame) -> ErlangFrame:
    return replace(frame, x_registers=None)


def outwards(frame: gdb.Frame | None) -> Iterator[gdb.Frame]:
    """`frame` and those outside of it, as far as GDB can tell."""
    for _ in range(MAX_C_FRAMES):
        if frame is None:
            return
        yield frame
        try:
            frame = frame.older()
        except gdb.error:
            return


def selected() -> Selected:
    """The Erlang frame that the selected frame belongs to; raises `Unavailable`."""
    standing.require_selected()
    try:
        frame: gdb.Frame | None = gdb.selected_frame()
    except gdb.error:
        frame = None
    found = first_erlang(frame)
    if found is None:
        raise Unavailable(why_none("the selected frame belongs to no Erlang function"))
    return found


def why_none(otherwise: str) -> str:
    """Why there is no Erlang frame."""
    node = session.require().node
    if node.is_interpreter and not node.has_layout:
        return f"frames of interpreted code are not known here: {node.no_layout}"
    return f"{otherwise} (try `beam-bt all`, or another thread)"


def nif_call(found: Selected) -> tuple[int | None, tuple[int, ...]] | None:
    """The NIF that runs for the Erlang function of a frame: where in the VM's own code, which has no frame on the
    Erlang stack, and with which arguments. In the interpreter it is that function itself, and there is no such place.
    None where no NIF runs."""
    newer = found.gdb_frame.newer()
    if newer is not None and found.node.is_interpreter and (process := found.erlang.process) is not None:
        call, known = process.current_call(), [word for word in found.arguments() if word is not None]
        is_all = call is not None and len(known) == call[2]
        is_it = call is not None and calls.mfa(found.node, *call) == found.erlang.place.code.name
        return (None, tuple(known)) if is_all and is_it else None
    fragment = erlang_frame(newer) if newer is not None else None
    if newer is None or fragment is None:
        return None
    arguments = Selected(found.node, newer, fragment).nif_arguments()
    return (fragment.pc, arguments) if arguments is not None else None


def first_erlang(frame: gdb.Frame | None) -> Selected | None:
    """The first frame of an Erlang function from `frame` on outwards."""
    return _first(frame, lambda place: not place.is_fragment and not place.is_internal)


def base(frame: gdb.Frame | None) -> Selected | None:
    """The frame of what the first function of a process returns to, from `frame` on outwards."""
    return _first(frame, lambda place: place.is_internal)


def _first(frame: gdb.Frame | None, is_meant: Callable[[Place], bool]) -> Selected | None:
    node = session.require().node
    for one in outwards(frame):
        erlang = erlang_frame(one)
        if erlang is not None and is_meant(erlang.place):
            return Selected(node, one, erlang)
    return None


def process(frame: gdb.Frame | None) -> Process | None:
    """The process that the thread of `frame` runs Erlang code of."""
    for one in outwards(frame):
        erlang = erlang_frame(one)
        if erlang is not None:
            return erlang.process
    return None


def x_register(number: int) -> int:
    """The word in x register `number` of the selected frame; raises `Unavailable`."""
    if not 0 <= number < MAX_REG:
        raise Unavailable(f"there is no x register {number}: they are x0 to x{MAX_REG - 1}")
    return selected().x_register(number)


def y_register(number: int) -> HeldWord:
    """The word in y register `number`; raises `Unavailable`."""
    words = selected().words()
    if not 0 <= number < len(words):
        has = f"y0 to y{len(words) - 1}" if words else "none"
        raise Unavailable(f"there is no y register {number} in this frame: it has {has}")
    return words[number]


def argument(number: int) -> HeldWord | None:
    """Argument `number` of the selected frame's function, None where it is not known any more; raises `Unavailable`."""
    found = selected()
    arguments = found.arguments()
    if not 0 <= number < len(arguments):
        name = term_printing.function(found.erlang.place.code.name)
        raise Unavailable(f"there is no argument {number} of {name}")
    return arguments[number]


def f_register(number: int) -> float:
    """Float register `number`; raises `Unavailable`."""
    if not 0 <= number < FLOAT_REGISTERS:
        raise Unavailable(f"there is no float register {number}: they are f0 to f{FLOAT_REGISTERS - 1}")
    return selected().f_register(number)


def _as_double(value: gdb.Value) -> float:
    """A vector register's lowest double: GDB shows them as unions of all that they may hold."""
    kind = value.type.strip_typedefs()
    return float(value["f"] if kind.code == gdb.TYPE_CODE_UNION else value)
