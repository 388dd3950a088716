"""The native code of a module under construction: how its functions are entered, and what they share."""

from __future__ import annotations

from collections.abc import Sequence

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import MI
from jit.arm32.cpus import Cpu
from jit.arm32.registers import R12
from jit.beam.module import Module
from jit.beam.operands import NOWHERE
from jit.beam.operations import Function
from jit.codegen.cache import Cache, Keeps
from jit.codegen.emission import Analysis
from jit.codegen.native import NativeFunction
from jit.codegen.processor import Label
from jit.erts.arm32 import symbols
from jit.erts.arm32.conventions import CACHE, FCALLS, MOST_LIVE, WORD
from jit.erts.arm32.emission import Continuation, Emission, Shared
from jit.erts.arm32.fragments import Fragments
from jit.erts.arm32.native import MixedNative
from jit.erts.layout import NativeLayout


class StockModule:
    """See ``ModuleEmission`` in jit/codegen/runtime.py."""

    def __init__(
        self, module: Module, layout: NativeLayout, functions: Sequence[Function], cpu: Cpu, *, stress: bool
    ) -> None:
        self.assembler = Assembler(cpu)
        self.shared = Shared(
            module,
            layout,
            self.assembler,
            fragments=Fragments(module.code.label_count, stress=stress),
            entries={function.entry: Label() for function in functions},
            atoms={name: index for index, name in enumerate(module.atoms, 1)},
            imports={row: index for index, row in enumerate(module.imports)},
            next_label=module.code.label_count,
            stress=stress,
        )
        suspended = Function("-suspended-", MOST_LIVE + 1, self.shared.new_label(), [])
        self._suspended = Continuation(suspended.entry, suspended.entry, NOWHERE, NOWHERE, suspended)

    def emission(self, analysis: Analysis, keeps: Sequence[Keeps]) -> Emission:
        """What emitters work on."""
        cache = Cache(CACHE, analysis.operations, analysis.effects, analysis.live, keeps)
        return Emission(analysis=analysis, cache=cache, shared=self.shared)

    def enter(self, e: Emission) -> int:
        """Native callers come here: count a reduction. The interpreter has done so, and comes to what follows."""
        exhausted = Label()
        e.a.bind(self.shared.entries[e.function.entry])
        if self.shared.stress:
            e.a.mov(FCALLS, 0)
        e.a.subs(FCALLS, FCALLS, 1)
        e.a.b(exhausted, MI)

        def cold() -> None:
            e.a.bind(exhausted)
            e.a.together(2)
            e.a.bl(self.shared.fragments["yield"])
            e.a.word(symbols.label(e.function.entry))
            e.a.unreachable()

        e.cold(cold)
        return e.a.offset

    def finish(
        self,
        functions: list[NativeFunction[Emission]],
        interpreted: dict[tuple[str, int], str],
        broken: frozenset[tuple[str, int]],
    ) -> MixedNative:
        """Append the ways in from the interpreter, and fragments."""
        shared = self.shared
        begin = self.assembler.offset
        entries = self._ways_in(functions)
        continuations = [stub for native in functions for stub, _ in native.emission.continuations]
        if shared.fragments.asked_for("to_interpreter"):
            continuations.append(self._suspended)
            suspended = shared.fragments["suspended"]
            way_in = self._way_in(suspended)
        ways_in = begin, self.assembler.offset
        fragments = shared.fragments.emit(self.assembler, shared.layout)
        if self._suspended in continuations:
            entries.append((self._suspended.label, way_in, _offset(suspended), 0))
        return MixedNative(
            module=shared.module,
            layout=shared.layout,
            code=self.assembler.finish(),
            functions=functions,
            fragments=fragments,
            entries=entries,
            ways_in=ways_in,
            interpreted=interpreted,
            broken=broken,
            continuations=continuations,
            next_label=shared.next_label,
        )

    def _ways_in(self, functions: Sequence[NativeFunction[Emission]]) -> list[tuple[int, int, int, int]]:
        """The ways in from the interpreter: of each function, and of each place where an interpreted callee returns."""
        rows = []
        for native in functions:
            branch = native.body - WORD  # the last instruction of `enter`
            rows.append((native.function.entry, self._way_in(Label(offset=native.body)), native.start, branch))
            for stub, label in native.emission.continuations:
                rows.append((stub.label, self._way_in(label), _offset(label), 0))
        return rows

    def _way_in(self, place: Label) -> int:
        start = self.assembler.offset
        self.assembler.ldr_literal(R12, place)
        self.assembler.b(self.shared.fragments["enter"])
        return start


def _offset(label: Label) -> int:
    """Where a label is, in bytes."""
    assert label.offset is not None
    return label.offset
