"""The native code of a module under construction: the table of labels, functions, and what they share."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from jit.atomvm.emission import Emission, Shared
from jit.atomvm.formats import Target
from jit.atomvm.macros import Macros
from jit.beam.module import Module
from jit.beam.operands import BeamLabel
from jit.beam.operations import Function
from jit.codegen.cache import Cache, Keeps
from jit.codegen.emission import Analysis
from jit.codegen.native import Native, NativeFunction
from jit.codegen.processor import Label

#: Operations whose labels the VM enters, beside those of functions.
_ENTERED: Final = ("try", "catch", "wait", "wait_timeout")
_MOST: Final = 0xFFFF


@dataclass(frozen=True, kw_only=True)
class AtomNative(Native[Emission]):
    """``macros`` is what has made the code of a module, ``body`` where its functions begin and end."""

    macros: Macros[Any]
    target: Target
    body: tuple[int, int]


class AtomModule:
    """See ``ModuleEmission`` in jit/codegen/runtime.py."""

    def __init__(self, module: Module, macros: Macros[Any], target: Target, functions: Sequence[Function]) -> None:
        locations = module.lines.locations if module.lines else []
        self.shared = Shared(
            module,
            macros,
            target,
            atoms={name: index for index, name in enumerate(module.atoms, 1)},
            imports={row: index for index, row in enumerate(module.imports)},
            lambdas={row: index for index, row in enumerate(module.lambdas)},
            locations={location: index for index, location in reversed(list(enumerate(locations)))},
        )
        self._entered = sorted({label for function in functions for label in _entered(function)})
        self._ways = {function.entry: Label() for function in functions}
        macros.begin(module.code.label_count, {label: self.shared.place(label) for label in self._entered}, self._ways)
        self._begin = macros.a.offset

    def emission(self, analysis: Analysis, keeps: Sequence[Keeps]) -> Emission:
        """What emitters work on. No x register is in a CPU register between operations."""
        cache: Cache[Any] = Cache((), analysis.operations, analysis.effects, analysis.live, keeps)
        return Emission(analysis=analysis, cache=cache, shared=self.shared)

    def enter(self, e: Emission) -> int:
        """The VM comes in before the body."""
        entry = e.function.entry
        body = self.shared.place(entry)
        self.shared.macros.function(entry, self._ways[entry], body)
        assert body.offset is not None
        names = [(operation.name, *operation.operands[:1]) for operation in e.operations]
        e.tell_line(names.index(("label", entry)), body.offset)
        return body.offset

    def finish(
        self,
        functions: list[NativeFunction[Emission]],
        interpreted: dict[tuple[str, int], str],
        broken: frozenset[tuple[str, int]],
    ) -> AtomNative:
        """Append what functions share, and the tables of labels and lines."""
        macros = self.shared.macros
        end = macros.a.offset
        for place in (*self.shared.places.values(), *self._ways.values()):
            if place.offset is None:  # of a function without native code: this code will not be run
                macros.a.bind(place)
        fragments = macros.finish(self._tables)
        return AtomNative(
            module=self.shared.module,
            code=macros.code(),
            functions=[replace(one, start=one.body) for one in functions],  # ways in are fragments
            fragments=fragments,
            interpreted=interpreted,
            broken=broken,
            macros=macros,
            target=self.shared.target,
            body=(self._begin, end),
        )

    def _tables(self) -> bytes:
        """Labels and lines by their offsets: what the VM asks for stack traces.

        Of labels those that it enters will do: it asks in which function a place is, and where handlers are."""
        labels = [(self.shared.place(number).offset, number) for number in self._entered]
        lines = {offset: index for index, offset in self.shared.lines}
        return b"".join(_table(sorted(rows)) for rows in (labels, lines.items()))


def _table(rows: Sequence[tuple[Any, int]]) -> bytes:
    return struct.pack(">H", len(rows)) + b"".join(struct.pack(">HI", number, offset) for offset, number in rows)


def _entered(function: Function) -> Iterator[int]:
    yield function.entry
    for operation in function.operations:
        if operation.name in _ENTERED:
            yield from (one.number for one in operation.operands if isinstance(one, BeamLabel))
