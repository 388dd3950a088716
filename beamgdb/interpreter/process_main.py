"""The C function `process_main` of one build: where it lies, and where it keeps the state of Erlang code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beamgdb.interpreter import build_cache, operations, roles
from beamgdb.interpreter.build_cache import Found
from beamgdb.interpreter.frame_registers import FRAME_REGISTERS
from beamgdb.interpreter.operations import Operation, Unsupported
from beamgdb.interpreter.points import CURRENT, Finder, Point, frame_size
from beamgdb.interpreter.roles import Roles
from beamgdb.interpreter.symbolic.values import is_named, split_place
from beamgdb.late import dataclass
from beamgdb.machine_code.reading import ReadRegister
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.records.statics import Symbol
from jit.otp.layouts.layout import Layout

if TYPE_CHECKING:
    from beamgdb.interpreter.symbolic.paths import Follower

BEHIND_HANDLERS = 4096
"""Bytes behind the last handler that still belong to `process_main`, where its size is not known."""

RETURN_SIZE = {"x86_64": 8, "aarch64": 0}
"""Bytes that a call puts onto the stack."""

FOLLOWED = ("instruction", "stack")
"""Roles that change from point to point."""

MAX_WORDS = 300
"""Words of an instruction, with the elements of a tuple or map that it may build, that are looked through at most."""


@dataclass(frozen=True)
class Build:
    """What is known of the program's file: its build id, the size of `process_main` in bytes, None if unknown, and
    whether its instructions are Thumb ones; and the file where its debug information would be."""

    build_id: str | None = None
    process_main_size: int | None = None
    is_thumb: bool = False
    debug_file: Path | None = None


class ProcessMain:
    """`process_main` of the program that is debugged. Everything is found on first use, and kept."""

    def __init__(
        self,
        memory: CachedMemory,
        layout: Layout,
        symbol: Symbol,
        arch: str,
        build: Build,
        size_of: Callable[[str], int | None] | None = None,
    ) -> None:
        """`size_of`: bytes of a function without a symbol, as far as that is known."""
        self._memory = memory
        self._layout = layout
        self._symbol = symbol
        self._arch = arch
        self._build = build
        self._size_of = size_of
        self.origin = ""
        """How `roles` were found."""

    @cached_property
    def start(self) -> int:
        """Address of its first instruction. Raises `Unsupported`."""
        address = self._symbol("process_main")
        if address is None:
            raise Unsupported("this beam.smp exports no symbol process_main")
        return address & ~1 if self._arch == "arm32" else address

    @property
    def is_thumb(self) -> bool:
        """Whether its instructions are Thumb ones."""
        return self._build.is_thumb

    @cached_property
    def stop(self) -> int:
        """Address after its last instruction."""
        start, size = self.start, self._build.process_main_size
        if size is None and self._size_of is not None:
            size = self._size_of("process_main")
        if size is not None:
            return start + size
        return max(operation.handler for operation in self.operations) + BEHIND_HANDLERS

    def __contains__(self, pc: int) -> bool:
        return self.start <= pc < self.stop

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All operations, by number. Raises `Unsupported`, `Unreadable`."""
        return operations.read(self._memory, self._layout, self._symbol)

    @cached_property
    def _found(self) -> Found:
        """What its code tells. Raises `Unsupported`, `Unreadable`."""
        kept = build_cache.load(self._build.build_id)
        if kept is not None:
            self.origin = "found earlier in this build"
            return kept
        places = self._recovered()
        finder = Finder(places, self._layout, self._follower.architecture.ARGUMENTS)
        # On 32-bit ARM debug information is seldom there, and the unwinder of C frames has frame addresses of its own.
        size = frame_size(self._follower, self.start, RETURN_SIZE[self._arch]) if self._arch in RETURN_SIZE else None
        found = Found(places, finder.find(self.operations, self._follower, self.start), size)
        build_cache.save(self._build.build_id, found)
        return found

    def _recovered(self) -> Roles:
        at_id, word = self._layout.offset("Process", "common.id"), self._memory.word_size
        self.origin = "found in the handlers of its operations"
        try:
            return roles.recover(self.operations, self._follower, word, at_id)
        except Unsupported:
            described = self._described()
            if not described:
                raise
        self.origin += ", the rest in debug information"
        return roles.recover(self.operations, self._follower, word, at_id, described)

    def cfa(self, read: ReadRegister) -> int | None:
        """The canonical frame address of one of its frames (DWARF 5, 6.4), None where it is not known. Debug
        information describes variables by it."""
        machine, size = FRAME_REGISTERS.get(self._arch), self._found.frame_size
        sp = read(machine.sp) if machine else None
        return sp + size if sp is not None and size is not None else None

    def _described(self) -> dict[str, str]:
        """What debug information tells of the roles, as far as it can be used."""
        if self._build.debug_file is None:
            return {}
        # Only now: what reads ELF files takes time to load, and debug information is seldom needed.
        try:
            from beamgdb.interpreter import dwarf_roles
        except ImportError:
            return {}
        handlers = {operation.handler - self.start for operation in self.operations}
        told = dwarf_roles.read(self._build.debug_file, self._arch, handlers)
        # To follow the instruction and the stack pointer through a handler takes places that instructions name.
        return {role: place for role, place in told.items() if role not in FOLLOWED or is_named(place)}

    @property
    def roles(self) -> Roles:
        """Where it keeps the state of Erlang code. Raises `Unsupported`, `Unreadable`."""
        return self._found.roles

    @cached_property
    def _follower(self) -> Follower[Any]:
        try:
            from beamgdb.interpreter.symbolic.paths import Follower

            if self._arch == "arm32":
                from beamgdb.interpreter.symbolic import arm32

                return Follower(self._memory.read, arm32.Arm32(self._build.is_thumb))
            if self._arch == "x86_64":
                from beamgdb.interpreter.symbolic import x86_64

                return Follower(self._memory.read, x86_64)
            if self._arch == "aarch64":
                from beamgdb.interpreter.symbolic import aarch64

                return Follower(self._memory.read, aarch64)
        except ImportError as error:
            raise Unsupported(f"the state of the interpreter is not known: {error}") from None
        raise Unsupported(f"the state of the interpreter is not known on {self._arch}: its handlers cannot be read")

    def process(self, read: ReadRegister) -> int | None:
        """c_p in a frame of `process_main`: the address of the process that it runs, or has run last."""
        return self._content(self.roles.process, read)

    def x_registers(self, read: ReadRegister) -> int | None:
        """`reg` in a frame of `process_main`: the address of x0."""
        return self._content(self.roles.x_registers, read)

    @cached_property
    def _handlers(self) -> frozenset[int]:
        """Words that begin an instruction."""
        return frozenset(operation.handler for operation in self.operations)

    def is_instruction(self, address: int) -> bool:
        """Whether an instruction begins there."""
        if address % self._memory.word_size:
            return False
        try:
            word = self._memory.word(address)
        except Unreadable:
            return False
        if self._memory.word_size == 4:
            return word & ~1 in self._handlers
        # Where handlers have small addresses, the upper half may hold operands (`BeamCodeAddr`, erl_vm.h).
        return word in self._handlers or word & 0xFFFFFFFF in self._handlers

    def instruction(self, read: ReadRegister, pc: int, innermost: bool) -> int | None:
        """Address of the instruction in progress, or of the next one when the handler is almost done. None where it is
        not known. `innermost`: the frame's pc is its next machine instruction; else it has called a C function."""
        found = list(self._instructions(read, pc, innermost))
        exact = next((one for one in found if self.is_instruction(one)), None)
        if exact is not None:
            return exact
        # Not all ways to this point were followed. Handlers move on within the instruction, word by word.
        word = self._memory.word_size
        before = (one - word * words for one in found for words in range(1, MAX_WORDS))
        return next((one for one in before if self.is_instruction(one)), None)

    def _instructions(self, read: ReadRegister, pc: int, innermost: bool) -> Iterator[int]:
        for place, offset in self._point(pc, innermost).instructions:
            if place == CURRENT:
                process = self.process(read)
                content = self._memory.word(process + self._current_at) if process is not None else None
            else:
                content = self._content(place, read)
            if content is not None:
                yield content - offset

    def stack(self, read: ReadRegister, pc: int, innermost: bool) -> int | None:
        """E, the Erlang stack pointer. None where it is not in its place: then it is in `Process.stop`, where it is
        stored before each call that may move the stack."""
        place = self._point(pc, innermost).stack
        return self._content(place, read) if place is not None else None

    def _content(self, place: str, read: ReadRegister) -> int | None:
        register, distance = split_place(place)
        if distance is None:
            return read(place)
        machine = FRAME_REGISTERS.get(self._arch)
        base = read(machine.sp if machine and register == "sp" else register)
        try:
            return None if base is None else self._memory.word(base + distance)
        except Unreadable:
            return None

    @cached_property
    def _current_at(self) -> int:
        return self._layout.offset("Process", "current")

    def _point(self, pc: int, innermost: bool) -> Point:
        """What is known of a point; where no handler comes, the roles."""
        found = self._found.points.get((pc - self.start, not innermost))
        return found or Point(((self.roles.instruction, 0),), self.roles.stack)
