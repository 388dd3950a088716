"""Stops the interpreter at given instructions, whoever runs them.

Bytecode is data, in which a debugger cannot put its own traps. An instruction begins with the address of its handler, a
place in `process_main`. That is replaced by another such place: the handler of an operation that is never executed
(`label_L`, which the loader removes; running it ends the VM with "meta op"; emu/beam_emu.c). There GDB has a breakpoint
of its own; when it is hit, I tells which instruction was meant, and the program counter is set to its true handler. So
nothing is single-stepped, and the VM neither waits nor sees anything, but at these instructions.

The words are replaced when the target is resumed, and put back whenever it stops: to everyone who looks at a stopped
target, and when GDB leaves it, its code is as it was. What stays is what a handler may have fetched in advance: the
address of the handler of the instruction after it. It is looked for on the stacks when GDB leaves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import gdb

from beamgdb.gdbext import ctrl_c
from beamgdb.gdbext.c_expressions import set_register
from beamgdb.gdbext.extension import extension
from beamgdb.gdbext.target_memory import InferiorMemory
from beamgdb.gdbext.unwinder import is_innermost, register_reader
from beamgdb.interpreter.operations import Unsupported
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable
from beamgdb.node import Node
from beamgdb.vm.model import Unavailable

NEVER_RUN = "label_L"
"""An operation that has a handler, but is in no code."""

TRACED = "i_generic_breakpoint"
"""The operation that call tracing puts in the place of a function's first one (beam_bp.c)."""

MAX_TRACES = 16
"""Records of tracing for one function at most: one for each trace session."""

AHEAD = 32
"""Words that an instruction has at most, but for ones with tables."""

STACK = 16 << 10
"""Bytes of a thread's stack, from its top, that are searched for what was fetched in advance."""


@dataclass(frozen=True)
class Arrival:
    """A thread, by GDB's number, is about to execute the instruction at `address`, which has a trap."""

    address: int
    thread: int


@dataclass(frozen=True)
class _Word:
    """A word that was replaced: what it was, and the function's own operation if that one was of tracing."""

    original: int
    untraced: int | None


class Traps:
    """Traps in the bytecode of one VM."""

    def __init__(self, node: Node, target: InferiorMemory) -> None:
        """`target`: what the memory of `node` is read through. Raises `Unavailable` for a VM that does not interpret
        code, or whose operations are not known."""
        self._node = node
        self._target = target
        try:
            handlers = {operation.name: operation.handler for operation in node.process_main.operations}
            roles = node.process_main.roles
        except Unsupported as error:
            raise Unavailable(f"no Erlang breakpoints in this interpreter: {error}") from None
        if NEVER_RUN not in handlers:
            raise Unavailable(f"no Erlang breakpoints in this interpreter: it has no operation {NEVER_RUN}")
        self.place = handlers[NEVER_RUN]
        """Address in `process_main` to which trapped instructions go."""
        self._instruction = roles.instruction
        self._traced = handlers.get(TRACED)
        self._handlers = frozenset(handlers.values())
        self._size = node.memory.word_size
        # On 64 bits, where handlers have small addresses, the upper half holds operands (`BeamCodeAddr`, beam_code.h).
        half = self._size == 8 and max(self._handlers) >> 32 == 0
        self._mask = 0xFFFFFFFF if half else node.memory.address_mask
        self._words: dict[int, _Word] = {}
        self._ever: dict[int, int] = {}

    def set(self, addresses: Iterable[int]) -> None:
        """Put traps at instructions. Addresses at which there is none are left out."""
        missing = [address for address in addresses if address not in self._words]
        with _writable(bool(missing)):
            for address in missing:
                with contextlib.suppress(gdb.error, Unreadable):
                    self._replace(address)

    def clear(self) -> list[str]:
        """Put back what was there. Returns what the user is to be told of, by lines."""
        said: list[str] = []
        with _writable(bool(self._words)):
            for address, word in self._words.items():
                self._target.show(address)
                # The memory may be gone, as the module is.
                with contextlib.suppress(gdb.error, Unreadable):
                    said += self._put_back(address, word)
            self._words.clear()
        return said

    def arrival(self) -> Arrival | None:
        """Where the selected thread is, if it has come to a trap; it is sent on to what it was about to do."""
        thread, frame = gdb.selected_thread(), gdb.newest_frame()
        if thread is None or frame.pc() != self.place:
            return None
        address = register_reader(frame)(self._instruction)
        if address is None:
            return None
        known = self._words.get(address)
        handler = self._handler(known.original if known else self._read(address))
        if handler == self.place or handler not in self._handlers:
            raise gdb.GdbError(f"thread {thread.num} cannot go on: the instruction at {address:#x} is not known")
        set_register("pc", handler)
        return Arrival(address, thread.num)

    def abandon(self) -> None:
        """GDB leaves the target, which is stopped: make words and threads as if it had never been there."""
        with ctrl_c.held():
            self.clear()
            for _ in each_thread() if self._ever else ():
                with contextlib.suppress(gdb.error, Unreadable, Unsupported):
                    if self.arrival() is None:
                        self._replace_fetched()
            self._ever.clear()

    # -- words ---------------------------------------------------------------------------------------------------------

    def _replace(self, address: int) -> None:
        word = self._read(address)
        if not self._is_instruction(word):
            return
        kept = self._kept_by_tracing(address) if self._handler(word) == self._traced else []
        self._words[address] = _Word(word, self._read(kept[0]) if kept else None)
        self._ever[address] = word
        self._target.hide(address, word.to_bytes(self._size, self._node.memory.byteorder))
        self._write(address, self._trap(word))

    def _put_back(self, address: int, word: _Word) -> list[str]:
        now, trap = self._read(address), self._trap(word.original)
        if now == trap:
            ended = word.untraced is not None and not self._kept_by_tracing(address)
            self._write(address, word.untraced if ended and word.untraced is not None else word.original)
            return []
        if self._handler(now) == self._traced:
            # Tracing has begun, and keeps what it found here.
            for record in self._kept_by_tracing(address):
                if self._read(record) == trap:
                    self._write(record, word.original)
            return []
        if now == word.original or not self._is_instruction(now):
            return []
        name = self._node.describe(address) or f"{address:#x}"
        return [f"the VM has put another instruction at {name} meanwhile; it was left as it is"]

    def _kept_by_tracing(self, address: int) -> list[int]:
        """Where call tracing keeps the first operation of the function at `address` (`GenericBp`, beam_bp.h): a place
        for each trace session, none if it does not trace this function."""
        place, layout = self._node.code.find(address), self._node.layout
        if place is None or place.code.start != address:
            return []
        info = self._node.record("ErtsCodeInfo", address - layout.size("ErtsCodeInfo"))
        found: list[int] = []
        at = self._read(info.field_address("gen_bp"))
        while at and len(found) < MAX_TRACES:
            record = self._node.record("GenericBp", at)
            found.append(record.field_address("orig_instr"))
            at = self._read(record.field_address("next")) if layout.has("GenericBp", "next") else 0
        return found

    def _trap(self, word: int) -> int:
        return self.place | word & ~self._mask & self._node.memory.address_mask

    def _handler(self, word: int) -> int:
        return word & self._mask

    def _is_instruction(self, word: int) -> bool:
        return self._handler(word) in self._handlers and self._handler(word) != self.place

    def _read(self, address: int) -> int:
        data = bytes(gdb.selected_inferior().read_memory(address, self._size))
        return int.from_bytes(data, self._node.memory.byteorder)

    def _write(self, address: int, word: int) -> None:
        gdb.selected_inferior().write_memory(address, word.to_bytes(self._size, self._node.memory.byteorder))

    # -- what was fetched in advance -----------------------------------------------------------------------------------

    def _replace_fetched(self) -> None:
        """Look for the trap in the selected thread's registers and on its stack, and put there what it stands for."""
        frame = gdb.newest_frame()
        read = register_reader(frame)
        instruction, sp = self._instruction_in_progress(frame), read("sp")
        after = [at for at in self._ever if instruction is not None and 0 <= at - instruction <= AHEAD * self._size]
        if not after or sp is None:
            return
        handler = self._handler(self._ever[min(after)])
        for register in frame.architecture().registers("general"):
            if read(register.name) == self.place:
                set_register(register.name, handler)
        for slot in range(sp, sp + STACK, self._size):
            if self._read(slot) == self.place:
                self._write(slot, handler)

    def _instruction_in_progress(self, frame: gdb.Frame | None) -> int | None:
        main = self._node.process_main
        while frame is not None:
            if frame.pc() in main:
                read = register_reader(frame)
                return main.instruction(read, frame.pc(), is_innermost(frame))
            frame = frame.older()
        return None


@contextlib.contextmanager
def _writable(wanted: bool) -> Iterator[None]:
    """Allow to write bytecode, and have Ctrl-C wait until all is written."""
    with ctrl_c.held(), extension().read_only.suspended() if wanted else contextlib.nullcontext():
        yield


def each_thread() -> Iterator[gdb.InferiorThread]:
    """Every thread, selected in turn."""
    before = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            with contextlib.suppress(gdb.error):
                thread.switch()
                yield thread
    finally:
        if before is not None and before.is_valid():
            before.switch()
