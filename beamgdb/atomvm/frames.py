"""Erlang stacks of AtomVM's processes (context.h, module.h).

The stack grows down from the end of the heap to `Context.e`. A frame is its y registers, then the return address; that
of a function which has no frame, or has not made it yet, is in `Context.cp`. A return address has the index of a module
above its 24 lowest bits, and the offset in its code, times four, in these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.atomvm.contexts import Context
from beamgdb.atomvm.modules import ENTRY, Broken, Module, ModuleTable, Place
from beamgdb.atomvm.terms import PRIMARY, RETURN
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable

MAX_STACK: Final = 1 << 22
"""Words of a stack that are looked at."""

PIECE: Final = 256
"""Words that are read together."""


@dataclass(frozen=True)
class Position:
    """Where a process is: at an offset in the code of a module; `is_return`: that is where a call will return to."""

    module: Module
    offset: int
    is_return: bool = False

    @property
    def place(self) -> Place | None:
        """Function and line, None where they are not known. A call may be the last thing in a function."""
        return self.module.place(self.offset - self.is_return)

    @property
    def address(self) -> int:
        return self.module.start + self.offset

    @property
    def text(self) -> str:
        """Where it is; for a return address the place after the call."""
        place = self.place
        if place is not None:
            where = f" at {place.file}:{place.line}" if place.file is not None else ""
            return f"{place.function.text}+{self.offset - place.function.start}{where}"
        try:
            return f"{self.module.name}+{self.offset}"
        except (Broken, Unreadable):
            return f"module {self.module.index}+{self.offset}"


@dataclass(frozen=True)
class Frame:
    """A frame of an Erlang stack: y register n is the word at `address` plus n words, of `count`. `position` is None
    where it is not known where the process is."""

    position: Position | None
    address: int
    count: int


class Stacks:
    """Stacks of a VM's processes."""

    def __init__(self, modules: ModuleTable) -> None:
        self._modules = modules

    def returning(self, word: int) -> Position | None:
        """Where a return address on a stack leads, None if there is no such module."""
        module = self._modules.by_index(word >> 24)
        return Position(module, (word & 0xFFFFFF) >> 2, is_return=True) if module is not None else None

    def saved(self, context: Context) -> Position | None:
        """Where a process will go on that does not run now. Raises `Unreadable`."""
        record = context.record
        module = self._modules.by_address(record["saved_module"])
        if module is None or context.is_port:
            return None
        if not module.native:
            return Position(module, record["saved_ip"] - module.bytecode)
        return self.native(module, record["saved_function_ptr"] & ~1)

    def native(self, module: Module, address: int) -> Position | None:
        """The position of an address in the native code of a module; an entry of its table of labels stands for the
        label. None outside of it."""
        offset = address - module.native
        try:
            file = module.file
            if not 0 <= offset < len(file.native_code):
                return None
            size = ENTRY[file.arch]
            if offset < size * file.label_count:
                offset = file.label_offset(offset // size) or offset
        except (Broken, Unreadable):
            pass
        return Position(module, offset)

    def frames(self, context: Context, position: Position | None) -> Iterator[Frame]:
        """The frames of a process that is at a position, innermost first. Raises `Unreadable` where the stack is
        damaged."""
        record = context.record
        size, at, end = record.memory.word_size, record["e"], context.stack_base
        if not 0 <= end - at <= MAX_STACK * size:
            raise Unreadable(at, max(end - at, size))
        caller = self.returning(record["cp"])
        cp = record["cp"]
        if caller is not None and not self._is_first(caller) and not self._has_frame(position, caller, at, end, cp):
            if position is not None:
                yield Frame(position, at, 0)
            position = caller
        while True:
            count, word = self._up_to_return(context, at, end)
            if position is not None or count:
                yield Frame(position, at, count)
            at += (count + 1) * size
            position = self.returning(word) if word is not None else None
            if position is None or self._is_first(position):
                return

    def _up_to_return(self, context: Context, at: int, end: int) -> tuple[int, int | None]:
        """How many words there are up to the next return address, and that; None where the stack ends first."""
        memory, size, count = context.record.memory, context.record.memory.word_size, 0
        while at < end:
            for word in memory.words(at, min(PIECE, (end - at) // size)):
                if word & PRIMARY == RETURN and word:
                    return count, word
                count += 1
            at += PIECE * size
        return count, None

    def _is_first(self, position: Position) -> bool:
        """Whether a return address is that of the first function of a process."""
        return position.offset == position.module.end_offset

    def _has_frame(self, position: Position | None, caller: Position, at: int, end: int, cp: int) -> bool:
        """Whether the function at a position has its frame on the stack, so that `cp` is of no use any more: it leads
        to where the last call returned."""
        if position is None:
            return True
        place = position.place
        if place is None:
            return True
        try:
            known = position.module.file.has_frame(position.offset)
        except (Broken, Unreadable):
            known = None
        if known is not None:
            return known and not self._is_removed(position, at, cp)
        if position.offset == place.function.entry:
            return False
        other = caller.place
        if other is not None and other.function == place.function:
            # Native code does not tell. A function that has made a frame and calls comes back to behind the call; one
            # that calls itself, and has made none yet, is before it.
            return caller.offset <= position.offset
        # What has made a frame, and has called nobody yet, has the same on the stack.
        return self._top(position.module, at, end) == cp

    def _is_removed(self, position: Position, at: int, cp: int) -> bool:
        """Whether the operation at a position has just taken the frame off the stack, as before it calls a NIF."""
        memory = position.module.record.memory
        return position.module.file.removes_frame(position.offset) and memory.word(at - memory.word_size) == cp

    def _top(self, module: Module, at: int, end: int) -> int | None:
        memory = module.record.memory
        for word in memory.words(at, min(PIECE, (end - at) // memory.word_size)):
            if word & PRIMARY == RETURN and word:
                return word
        return None
