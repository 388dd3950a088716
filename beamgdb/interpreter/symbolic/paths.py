"""Follows machine code from an address, along all ways that control may take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator
from typing import Generic, Protocol, TypeVar

from beamgdb.interpreter.symbolic.steps import Call, Fork, Goto, Leave, Next, Onward
from beamgdb.interpreter.symbolic.values import UNKNOWN, SymbolicState, Value
from beamgdb.late import dataclass

MAX_PATHS = 32
MAX_INSTRUCTIONS = 400
"""Instructions that are followed from one address, on all paths."""

MAX_WALK = 4000
"""Instructions that are walked over from one address."""

MAX_STRAIGHT = 8
"""Unconditional jumps that are followed on a way that does not fork."""

MAX_VISITS = 2
"""Ways that are followed from one place."""

_CHUNK = 128
"""Bytes that are decoded at a time. Code is straight for a few instructions only."""

_LAST = 32
"""So many bytes before the end of a chunk a new one is begun: no instruction is longer."""

Read = Callable[[int, int], bytes]
"""Memory: address and size. Raises `Unreadable`."""


class Placed(Protocol):
    """An instruction that has been read."""

    @property
    def address(self) -> int: ...

    @property
    def size(self) -> int: ...


Instruction = TypeVar("Instruction", bound=Placed)


class SymbolicArchitecture(Protocol[Instruction]):
    """The instructions of an architecture."""

    @property
    def SP(self) -> str: ...  # noqa: N802

    @property
    def ARGUMENTS(self) -> tuple[str, ...]:  # noqa: N802
        """Registers that a called C function does not keep."""

    def instructions(self, code: bytes, address: int) -> Iterator[Instruction]:
        """The instructions of code at an address, to its end or to what is none."""

    def step(self, instruction: Instruction, state: SymbolicState) -> Onward:
        """Apply an instruction to the state; what comes next."""


@dataclass(frozen=True)
class Path:
    """One way through code: the state at its end, and the address that it then jumps to, if that is computed."""

    state: SymbolicState
    target: Value | None


class Follower(Generic[Instruction]):
    """Follows code of one kind."""

    def __init__(self, read: Read, architecture: SymbolicArchitecture[Instruction]) -> None:
        self._read = read
        self.architecture = architecture
        self._decoded: dict[int, Instruction] = {}

    def straight(self, address: int) -> tuple[int, Path] | None:
        """The only way from the address to a computed jump, and where that is. None where there are others, or a call
        of a function."""
        state, at = SymbolicState(self.architecture.SP), address
        for _ in range(MAX_STRAIGHT):
            for instruction, step in self._run(at, state):
                if isinstance(step, Leave):
                    return instruction.address, Path(state, step.target)
                if not isinstance(step, Next):
                    break
            else:
                return None
            if not isinstance(step, Goto):
                return None
            at = step.address
        return None

    def paths(self, address: int, begin: SymbolicState | None = None) -> Iterator[Path]:
        """All ways from the address to a computed jump. Ways that call a function are not among them. `begin`: what is
        known there."""
        left = MAX_INSTRUCTIONS
        todo = [(address, begin or SymbolicState(self.architecture.SP))]
        for _ in range(MAX_PATHS):
            if not todo or left <= 0:
                return
            at, state = todo.pop()
            for _instruction, step in self._run(at, state):
                left -= 1
                if isinstance(step, Fork):
                    todo.append((step.address, state.copy()))
                elif isinstance(step, Goto):
                    todo.append((step.address, state))
                elif isinstance(step, Leave):
                    yield Path(state, step.target)
                if not isinstance(step, (Next, Fork)) or left <= 0:
                    break

    def walk(
        self, address: int, visits: Counter[int], ends: Container[int], begin: SymbolicState | None = None
    ) -> Iterator[tuple[int, bool, SymbolicState]]:
        """Every point on the ways from the address to those that are `ends`: its address, and the state there. Once for
        an instruction about to run; and once more (True) for where a call goes on, with the state during the call.

        `visits` counts at each beginning of a way how often it has been taken, from this and other addresses: what is
        well known already is not followed again. `begin`: what is known at the address.
        """
        left = MAX_WALK
        todo = [(address, begin or SymbolicState(self.architecture.SP))]
        while todo and left > 0:
            at, state = todo.pop()
            visits[at] += 1
            if visits[at] > MAX_VISITS or (at in ends and at != address):
                continue
            here = at
            yield here, False, state
            for instruction, step in self._run(at, state):
                left -= 1
                here = instruction.address + instruction.size
                if isinstance(step, Fork):
                    todo.append((step.address, state.copy()))
                elif isinstance(step, Goto):
                    todo.append((step.address, state))
                if not isinstance(step, (Next, Fork, Call)) or left <= 0:
                    break
                if isinstance(step, Call):
                    yield here, True, state
                    for register in self.architecture.ARGUMENTS:
                        state[register] = UNKNOWN
                if here in ends:
                    break
                yield here, False, state

    def _run(self, address: int, state: SymbolicState) -> Iterator[tuple[Instruction, Onward]]:
        """Instructions from the address on, applied to the state. Straight on, whatever the step says."""
        while (instruction := self._at(address)) is not None:
            address += instruction.size
            yield instruction, self.architecture.step(instruction, state)

    def _at(self, address: int) -> Instruction | None:
        """The instruction at the address, None where there is none."""
        if address not in self._decoded:
            stop = address + _CHUNK - _LAST
            for instruction in self.architecture.instructions(self._read(address, _CHUNK), address):
                if instruction.address >= stop:
                    break
                self._decoded.setdefault(instruction.address, instruction)
        return self._decoded.get(address)
