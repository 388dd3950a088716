"""What macro operations do alike on several processors: the ways to code that functions share, and to C functions.

A processor's package says what these are made of. Where each argument of a C function has a register of its own, as on
all but 32-bit ARM, `InRegisters` has more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from jit.atomvm.macros import Argument, R
from jit.atomvm.shared_code import SharedCode
from jit.codegen.processor import Assembler, Label, MachineCode, Register
from jit.codegen.unwinding import Stretch

_R = TypeVar("_R", bound=Register, contravariant=True)


class _Finishing(Assembler[_R], Protocol[_R]):
    def finish(self) -> MachineCode:
        """The code, once all is appended."""
        ...


class _WithConstants(_Finishing[_R], Protocol[_R]):
    def constant(self, into: _R, value: int, /) -> None:
        """A register = a number."""
        ...

    def ret(self) -> None:
        """Return from a C function."""
        ...


class ModuleMacros(ABC, Generic[R]):
    """The code of one module. ``c_args``: where C functions have their first arguments."""

    a: _Finishing[R]
    c_args: Sequence[R]
    _shared: SharedCode

    @abstractmethod
    def constant(self, into: R, value: int) -> None:
        """A register = a number."""

    @abstractmethod
    def _call_shared(self, name: str, emit: Callable[[], None]) -> None:
        """Call code that functions share, from which is returned to here."""

    @abstractmethod
    def _bif(self, collects: bool, count: int) -> None:
        """Emit that for calls of BIFs with so many terms."""

    @abstractmethod
    def _given(self, first: int, *arguments: Argument) -> None:
        """Put arguments of a primitive that native code is left for where that has them: behind context and state, and
        so many others."""

    @abstractmethod
    def _leaving(self, primitive: str, count: int) -> Label:
        """Code that leaves native code for a primitive, to which so many arguments are given."""

    @abstractmethod
    def _tell_place(self, leaving: Label) -> None:
        """From code that is called, go on with such code, which is given the place of the call as the first."""

    def tail(self, primitive: str, *arguments: Argument) -> None:
        self._given(0, *arguments)
        self._leave_for(primitive, len(arguments))

    @abstractmethod
    def _leave_for(self, primitive: str, count: int) -> None:
        """Leave native code for a primitive."""

    def fail(self, primitive: str, *arguments: Argument, reason: int | None = None) -> None:
        constants = () if reason is None else (reason,)
        count = 1 + len(constants) + len(arguments)

        def emit() -> None:
            self._given(1, *constants)
            self._tell_place(self._leaving(primitive, count))

        self._given(1 + len(constants), *arguments)
        self._call_shared(" ".join(["fail", primitive, *map(str, constants)]), emit)

    def call_bif(self, index: int, fail: int, live: int | None, count: int) -> None:
        _, first, second, third, *_ = self.c_args
        self.constant(first, index)
        if live is not None:
            self.constant(second, live)
        self.constant(third, fail)
        self._call_shared(
            f"bif{count}" if live is None else f"gc_bif{count}", lambda: self._bif(live is not None, count)
        )

    def code(self) -> MachineCode:
        return self.a.finish()

    def stretches(self) -> Iterator[Stretch]:
        return self._shared.stretches()


class InRegisters(ModuleMacros[R]):
    """The same where six arguments of C functions are in ``c_args``, and what is done on is where it begins."""

    a: _WithConstants[R]

    @abstractmethod
    def _arguments(self, places: Sequence[R], arguments: Sequence[Argument]) -> None:
        """Put arguments where a C function has them."""

    @abstractmethod
    def _call(self, primitive: str) -> None:
        """Call a primitive, whose arguments are in place."""

    @abstractmethod
    def _compare(self, options: int) -> None:
        """Emit the comparison with these options."""

    @abstractmethod
    def _tail(self, primitive: str) -> None:
        """Emit what leaves native code for a primitive."""

    @abstractmethod
    def _pop(self) -> None:
        """Undo what an entry has pushed."""

    @abstractmethod
    def _return(self) -> None:
        """Emit the return from a function."""

    @abstractmethod
    def _allocate(self) -> None: ...

    @abstractmethod
    def _test_heap(self) -> None: ...

    @abstractmethod
    def _deallocate(self) -> None: ...

    def constant(self, into: R, value: int) -> None:
        self.a.constant(into, value)

    def call(self, primitive: str, *arguments: Argument) -> None:
        self._arguments(self.c_args, arguments)
        self._call(primitive)

    def compare(self, one: R, other: R, options: int) -> None:
        self._arguments(self.c_args[2:4], (one, other))
        self._call_shared(f"compare {options}", lambda: self._compare(options))

    def _given(self, first: int, *arguments: Argument) -> None:
        self._arguments(self.c_args[2 + first :], arguments)

    def _leaving(self, primitive: str, count: int) -> Label:
        return self._shared.label(f"tail {primitive}", lambda: self._tail(primitive))

    def _leave_for(self, primitive: str, count: int) -> None:
        self.a.jump(self._leaving(primitive, count))

    def _leave_label(self) -> Label:
        """Where native code is left."""
        return self._shared.label("leave", self._leave)

    def _leave(self) -> None:
        self._pop()
        self.a.ret()

    # Primitives are called with what these have in registers for them.

    def allocate(self, stack: int, heap: int, live: int) -> None:
        self._given(0, stack, heap, live)
        self._call_shared("allocate", self._allocate)

    def test_heap(self, words: int, live: int) -> None:
        self._given(0, words, live)
        self._call_shared("test_heap", self._test_heap)

    def deallocate(self, words: int) -> None:
        self._given(0, words)
        self._call_shared("deallocate", self._deallocate)

    def return_(self) -> None:
        self.a.jump(self._shared.label("return", self._return))
