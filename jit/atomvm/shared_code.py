"""Code that the functions of a module share, and the frames of all its code: alike on all processors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final

from jit.codegen.native import Fragment, source_of
from jit.codegen.processor import Assembler, Label
from jit.codegen.unwinding import Frame, Stretch

#: How the names of code begin that functions share.
_FRAGMENT: Final = "native::"


class SharedCode:
    """Of one module. Where nothing else is said, code begins in the frame *inside*."""

    def __init__(self, a: Assembler[Any], inside: Frame) -> None:
        self.fragments: list[Fragment] = []
        self._a, self._inside = a, inside
        self._asked: dict[str, tuple[Label, Callable[[], None], Frame]] = {}
        #: From an offset on, up to the next: the frame that code begins with.
        self._begins: list[tuple[int, Frame]] = [(0, inside)]

    def label(self, name: str, emit: Callable[[], None], frame: Frame | None = None) -> Label:
        """Where code is that is to be emitted behind all functions."""
        return self._asked.setdefault(name, (Label(), emit, frame or self._inside))[0]

    def emit(self) -> None:
        """Append what is asked for, also by what is appended here."""
        while waiting := [(name, row) for name, row in self._asked.items() if row[0].offset is None]:
            for name, (label, emit, frame) in waiting:
                with self.part(name, emit, frame):
                    self._a.bind(label)
                    emit()

    @contextmanager
    def part(self, name: str, maker: Callable[..., object], frame: Frame | None = None) -> Iterator[None]:
        """What is appended meanwhile is code of a name, which a function of the compiler makes."""
        begin = self._a.offset
        with self.framed(frame or self._inside):
            yield
        self.fragments.append(Fragment(_FRAGMENT + name, begin, self._a.offset, source_of(maker)))

    @contextmanager
    def framed(self, frame: Frame) -> Iterator[None]:
        """What is appended meanwhile begins in a frame of its own."""
        _, outside = self._begins[-1]
        self._begins.append((self._a.offset, frame))
        yield
        self._begins.append((self._a.offset, outside))

    def stretches(self) -> Iterator[Stretch]:
        """All code up to the end of the last part."""
        for (begin, frame), (end, _) in pairwise(self._begins):
            if begin < end:
                yield Stretch(begin, end, frame)
