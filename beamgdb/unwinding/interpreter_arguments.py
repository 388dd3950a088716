"""Arguments of interpreted functions, as they were at the entry, wherever they still are."""

from __future__ import annotations

from functools import cached_property

from beamgdb.code.module import Range
from beamgdb.interpreter import flow, instructions
from beamgdb.interpreter.bytecode import OperandKind
from beamgdb.interpreter.flow import UNDECIDED, Flow, KnownState, TermPlace
from beamgdb.interpreter.frame_registers import THUMB
from beamgdb.interpreter.operations import Unsupported
from beamgdb.interpreter.process_main import ProcessMain
from beamgdb.machine_code.reading import ReadRegister
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.node import Node
from beamgdb.vm.frame import ErlangFrame, HeldWord

FUNCTION_CLAUSE = "i_func_info_IaaI"
"""The operation in front of a function: it raises function_clause, with the arguments in x registers."""


class Arguments:
    """Finds arguments in frames of one VM. Kept as long as its code is loaded."""

    def __init__(self, node: Node, main: ProcessMain) -> None:
        self._node = node
        self._main = main
        self._flows: dict[int, Flow] = {}

    def of(self, frame: ErlangFrame, read: ReadRegister, main_pc: int | None) -> list[HeldWord | None]:
        """The words of a frame's arguments, None for those that are nowhere any more.

        `read` are the registers of the frame, and `main_pc` is where `process_main` goes on.
        """
        found: list[HeldWord | None] = [None] * (frame.place.code.arity or 0)
        state = self._state(frame, read, main_pc)
        if state is None or not self._fits(state, frame):
            return found
        for place, argument in state.places.items():
            at = self._address(place, frame)
            if at is not None:
                found[argument] = HeldWord(self._node.memory.word(at), at)
        return found

    def _state(self, frame: ErlangFrame, read: ReadRegister, main_pc: int | None) -> KnownState | None:
        """What is known where the frame is."""
        code = frame.place.code
        known = self._flow(code)
        if known is None or frame.place.is_internal:
            return None
        if frame.x_registers is None:
            return known.during_call(frame.pc)
        # The pc of the current function is a word behind the instruction in progress: see `interpreter`.
        address = frame.pc - self._node.memory.word_size
        if main_pc is not None and self._is_before(address, code, main_pc):
            return known.before(address)
        arch = self._node.identity.arch
        settled = main_pc is not None and arch == "arm32" and _is_after_call(self._node.memory, main_pc, read)
        return known.during(address, settled)

    def _is_before(self, address: int, code: Range, main_pc: int) -> bool:
        """Whether `process_main` is at the beginning of the handler of the instruction, or of that in front of the
        function."""
        if address == code.start and self._handlers.get(main_pc) == FUNCTION_CLAUSE:
            return True
        return main_pc in self._handlers and self._node.memory.word(address) == main_pc

    @cached_property
    def _handlers(self) -> dict[int, str]:
        """Names of operations by where their handlers begin."""
        return {operation.handler: operation.name for operation in self._main.operations}

    def _flow(self, code: Range) -> Flow | None:
        if code.start not in self._flows:
            start = self._node.code.bytecode_start(code)
            try:
                parts = instructions.of_function(self._node.memory, self._main.operations, start, code.stop)
            except (Unsupported, Unreadable):
                return None
            self._flows[code.start] = flow.analyse(parts, start, code.arity or 0, self._node.catch_handler)
        return self._flows[code.start]

    def _fits(self, state: KnownState, frame: ErlangFrame) -> bool:
        """Whether the Erlang stack has the frame that the code has made. It does not while an instruction makes or
        removes one."""
        if state.frame == UNDECIDED:
            return True
        slots = (state.frame or 0) * self._node.memory.word_size
        return frame.return_slot is not None and frame.return_slot - frame.top == slots

    def _address(self, place: TermPlace, frame: ErlangFrame) -> int | None:
        word = self._node.memory.word_size
        if place.kind is OperandKind.Y and frame.return_slot is not None:
            return frame.return_slot - place.number * word
        if place.kind is OperandKind.X and frame.x_registers is not None:
            return frame.x_registers + place.number * word
        return None


def _is_after_call(memory: CachedMemory, pc: int, read: ReadRegister) -> bool:
    """Whether the machine instruction before `pc` is a call: then what was written before is in memory."""
    try:
        # Not before it is needed: the disassembler takes time to load.
        from beamgdb.machine_code import arm32
    except ImportError:
        return False
    status = read("cpsr")
    thumb = status is not None and bool(status & THUMB)
    for size in (4, 2) if thumb else (4,):
        try:
            found = arm32.decode(memory.read(pc - size, size), pc - size, thumb)
        except Unreadable:
            continue
        if found.size == size and found.control is arm32.Transfer.CALL:
            return True
    return False
