"""What macro operations do alike on several processors: the ways to code that functions share, and to C functions.

A processor's package says what these are made of. Where each argument of a C function has a register of its own, as on
all but 32-bit ARM, `InRegisters` has more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Generic, Protocol, TypeVar

from jit.atomvm import formats
from jit.atomvm.macros import Argument, R
from jit.atomvm.shared_code import SharedCode
from jit.codegen.processor import Assembler, Label, MachineCode, Register
from jit.codegen.unwinding import Frame, Stretch

#: Bits of an arity where an index stands above it.
_ARITY_BITS: Final = 8
_ARITY: Final = (1 << _ARITY_BITS) - 1
#: Bits of a number of x registers, likewise.
_LIVE_BITS: Final = 5

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
    args: Sequence[R]
    stack: R | None = None
    c_args: Sequence[R]
    #: How code begins that functions call.
    called: Frame
    _shared: SharedCode

    @abstractmethod
    def constant(self, into: R, value: int) -> None:
        """A register = a number."""

    @abstractmethod
    def _call_code(self, code: Label) -> None:
        """Call code of the module, from which is returned to here."""

    def _call_shared(self, name: str, emit: Callable[[], None]) -> None:
        """Call code that functions share, from which is returned to here."""
        self._call_code(self._shared_code(name, emit))

    def _shared_code(self, name: str, emit: Callable[[], None]) -> Label:
        """Code that functions share and call."""
        return self._shared.label(name, emit, self.called)

    def shared(self, name: str, emit: Callable[[], None]) -> None:
        def called() -> None:
            emit()
            self._back()

        self._call_shared(name, called)

    def load_of(self, into: R, term: R, tag: int, word: int) -> None:
        self.subtract(into, term, tag)
        self.load(into, into, word)

    @abstractmethod
    def subtract(self, into: R, one: R, other: R | int) -> None:
        """A difference."""

    @abstractmethod
    def load(self, into: R, base: R, word: int) -> None:
        """A register = a word of memory."""

    @abstractmethod
    def _bif(self, collects: bool, count: int) -> None:
        """In code that is called, call a BIF with so many terms."""

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

    def call_bif(self, index: int, live: int | None, count: int, *, may_fail: bool) -> None:
        _, first, second, third, *_ = self.c_args
        collects = live is not None

        def emit() -> None:
            if collects:
                self.and_(second, first, (1 << _LIVE_BITS) - 1)
                self.shift_right(first, first, _LIVE_BITS)
            self.constant(third, int(may_fail))
            self._bif(collects, count)
            if may_fail:
                self._back()
            else:
                self._back_unless_false()

        self.constant(first, index if live is None else index << _LIVE_BITS | live)
        name = f"{'gc_' if collects else ''}bif{count}"
        self._call_shared(f"{name} that may fail" if may_fail else name, emit)

    @abstractmethod
    def _compare(self, options: int) -> None:
        """In code that is called, compare two terms, which are given as to a primitive: what ``term_compare`` says."""

    def compare(self, one: R, other: R, options: int) -> None:
        def emit() -> None:
            result, middle, *_ = self.args
            self._compare(options)
            self._back_unless_false(
                lambda: (self.xor(result, result, formats.ORDERING), self.constant(middle, formats.MIDDLE))
            )

        self._given(0, one, other)
        self._call_shared(f"compare {options}", emit)

    def _back_unless_false(self, finish: Callable[[], object] = lambda: None) -> None:
        """From code that is called, go back; but if a C function has given false, raise the error of the call."""
        self._go_on_unless_false(lambda: (finish(), self._back()))

    def _go_on_unless_false(self, go_on: Callable[[], object]) -> None:
        """The same but that something else goes on."""
        failed = Label()
        self.branch_if_false(self.args[0], failed)
        go_on()
        self.a.bind(failed)
        self._tell_place(self._leaving("handle_error", 1))

    @abstractmethod
    def _back(self) -> None:
        """From code that is called, go back."""

    @abstractmethod
    def branch_if_false(self, result: R, target: Label) -> None:
        """To *target* if a C function has given false."""

    @abstractmethod
    def xor(self, into: R, one: R, other: R | int) -> None:
        """Bits that only one of them has."""

    @abstractmethod
    def _return_here(self) -> None:
        """From code that is called: the running function is to return to behind the call."""

    def go_out(self, primitive: str, *arguments: Argument) -> None:
        def emit() -> None:
            self._return_here()
            self._tell_place(self._leaving(primitive, 1 + len(arguments)))

        self._given(1, *arguments)
        with self._together():
            self._call_shared(f"go out {primitive}", emit)
            self.entry()

    def call_ext(self, import_: int, arity: int, words: int) -> None:
        comes_back = words == formats.CALL

        def emit() -> None:
            if comes_back:
                self._return_here()
            both, index = self._given_registers(1, 2)
            self.shift_right(index, both, _ARITY_BITS)
            self.and_(both, both, _ARITY)
            self._given(3, words)
            self._tell_place(self._leaving("call_ext", 4))

        self._given(1, import_ << _ARITY_BITS | arity)
        with self._together():
            self._call_shared(f"call_ext {words}", emit)
            if comes_back:
                self.entry()

    def raise_function_clause(self, function: int, arity: int) -> None:
        def emit() -> None:
            both, count = self._given_registers(1, 2)
            self.and_(count, both, _ARITY)
            self.shift_right(both, both, _ARITY_BITS)
            self._tell_place(self._leaving("raise_error_mfa", 3))

        self._given(1, function << _ARITY_BITS | arity)
        self._call_shared("fail raise_error_mfa", emit)

    @abstractmethod
    def _return(self) -> None:
        """Emit the return from a function."""

    @abstractmethod
    def _allocate(self) -> None:
        """In code that is called, make a frame as it is told to be."""

    @abstractmethod
    def _allocate_given(self, stack: int, heap: int, live: int) -> None:
        """Tell that code what frame."""

    @abstractmethod
    def _test_heap(self) -> None:
        """In code that is called, see that there are as many words as it is told."""

    @abstractmethod
    def _test_heap_given(self, words: int, live: int) -> None:
        """Tell that code how many."""

    @abstractmethod
    def _deallocate(self, go_on: Callable[[], None]) -> None:
        """In code that is called, give up a frame, and *go on*."""

    @abstractmethod
    def _deallocate_given(self, words: int) -> None:
        """Tell that code what frame."""

    @abstractmethod
    def _drop_call(self, go_on: Label) -> None:
        """From code that is called, go on elsewhere as if it had not been called."""

    def allocate(self, stack: int, heap: int, live: int) -> None:
        name = f"allocate {stack} {heap} {live}"
        self._call_with(name, lambda: self._allocate_given(stack, heap, live), self._allocate)

    def test_heap(self, words: int, live: int) -> None:
        self._call_with(f"test_heap {words} {live}", lambda: self._test_heap_given(words, live), self._test_heap)

    def deallocate(self, words: int, *, returns: bool) -> None:
        def back() -> None:
            self._deallocate(self._back)

        def return_() -> None:
            self._deallocate(lambda: self._drop_call(self._shared.label("return", self._return)))

        name, emit = ("return", return_) if returns else ("deallocate", back)
        self._call_with(f"{name} {words}", lambda: self._deallocate_given(words), emit)

    def _call_with(self, name: str, given: Callable[[], None], emit: Callable[[], None]) -> None:
        """Call code that *emit* appends, by other code, which tells it something, and whose name says that too."""

        def tell() -> None:
            given()
            self.a.jump(self._shared_code(name.split()[0] + " with", emit))

        self._call_shared(name, tell)

    def return_(self) -> None:
        self.a.jump(self._shared.label("return", self._return))

    @abstractmethod
    def _given_registers(self, *positions: int) -> Sequence[R]:
        """Where a primitive that native code is left for has arguments, counted from those behind context and state."""

    @abstractmethod
    def entry(self) -> None:
        """A place where the VM comes in: the label of an entry is to be bound before it."""

    @abstractmethod
    def and_(self, into: R, one: R, other: R | int) -> None:
        """Bits that both have."""

    @abstractmethod
    def shift_right(self, into: R, one: R, by: int, *, sign: bool = False) -> None:
        """Bits moved down, with zeros or the sign coming in."""

    @abstractmethod
    def _way_in(self, way: Label) -> None:
        """An entry, which the table of labels leads to if *way* is in it."""

    @abstractmethod
    def _count_reduction(self, exhausted: Label) -> None:
        """To *exhausted* if no reductions are left."""

    @abstractmethod
    def _yield(self) -> None:
        """From code that is called: let the VM do something else, and come in behind the call later."""

    def _together(self) -> AbstractContextManager[object]:
        """Nothing comes between the instructions that are appended meanwhile, which are few."""
        return nullcontext()

    def function(self, way: Label, body: Label) -> None:
        exhausted = Label()
        with self._together():
            self.a.bind(exhausted)
            self._call_shared("yield", self._yield)
            self._way_in(way)
            self.a.bind(body)
            self._count_reduction(exhausted)

    def code(self) -> MachineCode:
        return self.a.finish()

    def stretches(self) -> Iterator[Stretch]:
        return self._shared.stretches()


class InRegisters(ModuleMacros[R]):
    """The same where six arguments of C functions are in ``c_args``, and what is done on is where it begins."""

    a: _WithConstants[R]
    #: Bytes that ``keep`` has on the C stack.
    _kept: int = 0

    @abstractmethod
    def _arguments(self, places: Sequence[R], arguments: Sequence[Argument]) -> None:
        """Put arguments where a C function has them."""

    @abstractmethod
    def _call(self, primitive: str, below: int = 0) -> None:
        """Call a primitive, whose arguments are in place; so many bytes are on the C stack beside an entry's."""

    def _moved(self, primitive: str) -> None:
        """A primitive has been called: the stack may be elsewhere."""

    @abstractmethod
    def _tail(self, primitive: str) -> None:
        """Emit what leaves native code for a primitive."""

    @abstractmethod
    def _pop(self) -> None:
        """Undo what an entry has pushed."""

    def constant(self, into: R, value: int) -> None:
        self.a.constant(into, value)

    def call(self, primitive: str, *arguments: Argument) -> None:
        self._arguments(self.c_args, arguments)
        self._call(primitive, self._kept)
        self._moved(primitive)

    def _given(self, first: int, *arguments: Argument) -> None:
        self._arguments(self.c_args[2 + first :], arguments)

    def _given_registers(self, *positions: int) -> Sequence[R]:
        return [self.c_args[2 + position] for position in positions]

    def _leaving(self, primitive: str, count: int) -> Label:
        return self._shared.label(f"tail {primitive}", lambda: self._tail(primitive))

    def _leave_for(self, primitive: str, count: int) -> None:
        self.a.jump(self._leaving(primitive, count))

    def _leave_label(self) -> Label:
        """Where native code is left."""
        return self._shared.label("leave", self._leave)

    def _back(self) -> None:
        self.a.ret()

    def _leave(self) -> None:
        self._pop()
        self.a.ret()

    # Primitives are called with what these have in registers for them.

    def _allocate_given(self, stack: int, heap: int, live: int) -> None:
        self._given(0, stack, heap, live)

    def _test_heap_given(self, words: int, live: int) -> None:
        self._given(0, words, live)

    def _deallocate_given(self, words: int) -> None:
        self._given(0, words)
