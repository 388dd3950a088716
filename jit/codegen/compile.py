"""Compile a module: native code of the functions that can have it, and bytecode rewritten to stand beside it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.buffer import Code
from jit.arm32.conditions import MI
from jit.arm32.labels import Label
from jit.arm32.registers import R12, Register
from jit.beam.effects import effects
from jit.beam.module import Module
from jit.beam.operands import NOWHERE, Import
from jit.beam.operations import Function
from jit.codegen import (  # noqa: F401 - the import of a family declares its emitters and fragments
    apply,
    arith,
    bif,
    bif_call,
    bs,
    bs_append,
    bs_create,
    bs_init,
    bs_integer,
    bs_match,
    bs_utf,
    call,
    catch,
    common,
    comparisons,
    crossing,
    float,
    fun,
    map,
    msg,
    numbers,
    receive,
    record,
    select,
    symbols,
    type_tests,
)
from jit.codegen.cache import Cache, Keeps
from jit.codegen.emission import Continuation, Emission, Shared, Unsupported
from jit.codegen.emitters import KEEPS, emit
from jit.codegen.fragments import Fragments
from jit.codegen.liveness import live_before, unwritten_before
from jit.codegen.machine import FCALLS, MOST_LIVE, X_ARRAY
from jit.erts.layout import Layout

_LOAD_NIF: Final = Import("erlang", "load_nif", 2)


@dataclass(frozen=True)
class NativeFunction:
    """Offsets in bytes into the code: native callers enter at ``start``, everyone comes to ``body``."""

    emission: Emission
    start: int
    body: int
    end: int

    @property
    def function(self) -> Function:
        """The function in the bytecode."""
        return self.emission.function

    @property
    def operations(self) -> list[tuple[int, int]]:
        """Where the code of each operation begins, in bytes, and its index in the emission's operations."""
        return self.emission.places

    @property
    def cold(self) -> list[tuple[int, int]]:
        """The same of the parts of operations that are rarely run, behind the others."""
        return self.emission.cold_places

    @property
    def locations(self) -> list[tuple[int, dict[int, Register | None]]]:
        """From an offset on, up to the next: where each live x register is, None being its place in memory.

        A register that is not told of may be anywhere, or nowhere.
        """
        return self.emission.locations

    def located(self, offset: int) -> Mapping[int, Register | None]:
        """Where live x registers are at an offset, as ``locations`` tells."""
        row = bisect_right(self.locations, offset, key=itemgetter(0)) - 1
        return self.locations[row][1] if row >= 0 else {}


@dataclass(frozen=True)
class Native:
    """Native code of a module.

    ``entries``: for each label of the bytecode that native code takes over, the offsets of the ways in from the
    interpreter and from native code; the former all lie between the two offsets of ``ways_in``. ``interpreted``: what
    each of the other functions lacks. ``fragments``: name, begin and end.
    """

    module: Module
    layout: Layout
    code: Code
    functions: list[NativeFunction]
    fragments: list[tuple[str, int, int]]
    entries: list[tuple[int, int, int]]
    ways_in: tuple[int, int]
    interpreted: dict[tuple[str, int], str]
    continuations: list[Continuation]
    next_label: int


def compile_module(module: Module, layout: Layout, *, stress: bool = False) -> Native:
    """Native code for a module. Its functions may be none: then the module is to be left as it is.

    With *stress*, code that collects garbage at every heap test and yields at every call.
    """
    if layout["ErtsSchedulerRegisters.x_reg_array"] != X_ARRAY:
        raise ValueError(f"x registers are not at {X_ARRAY} in erts-{layout.erts}")
    reasons: dict[int, str] = {}
    if _LOAD_NIF in module.imports:
        reasons = {function.entry: "a module that loads NIFs" for function in module.functions}
    while True:
        compilation = _Compilation(module, layout, reasons.keys(), stress)
        more = compilation.emit_functions()
        if not more:
            return compilation.finish(reasons)
        reasons |= more  # calls of these functions are others: all from the beginning


def lacking(function: Function, module: Module, layout: Layout) -> list[str]:
    """What each operation without native code lacks; none for a function that can be native."""
    try:
        e = _emission(_shared(module, layout, Assembler(), Fragments(), {}), function)
    except Unsupported as error:
        return [str(error)]
    found = []
    for index, operation in enumerate(e.operations):
        e.begin(index)
        try:
            emit(e, operation.name, operation.operands)
        except Unsupported as error:
            found.append(str(error))
        e.end()
    return found


def _shared(
    module: Module, layout: Layout, a: Assembler, fragments: Mapping[str, Label], entries: Mapping[int, Label]
) -> Shared:
    atoms = {name: index for index, name in enumerate(module.atoms, 1)}
    imports: dict[object, int] = {row: index for index, row in enumerate(module.imports)}
    return Shared(module, layout, a, fragments, entries, atoms, imports, module.code.label_count)


def _emission(shared: Shared, function: Function) -> Emission:
    operations = [operation for operation in function.operations if operation.name != "int_code_end"]
    try:
        told = [effects(operation) for operation in operations]
    except ValueError as error:
        raise Unsupported(str(error)) from None
    live = live_before(operations, told)
    keeps = [KEEPS.get(operation.name, Keeps.NOTHING) for operation in operations]
    unwritten = unwritten_before(operations, told)
    return Emission(shared, function, operations, told, live, unwritten, Cache(operations, told, live, keeps))


def _emit_function(e: Emission) -> NativeFunction:
    """Append the code of a function: its entry first, and what comes before it in bytecode behind the rest."""
    entry = next(
        at
        for at, operation in enumerate(e.operations)
        if operation.name == "label" and operation.operands[0] == e.function.entry
    )
    start = e.a.offset
    body = _emit_entry(e)
    for index in (*range(entry, len(e.operations)), *range(entry)):
        operation = e.operations[index]
        e.begin(index)
        if index not in e.done:
            emit(e, operation.name, operation.operands)
        e.end()
    e.finish()
    return NativeFunction(e, start, body, e.a.offset)


def _emit_entry(e: Emission) -> int:
    """Native callers come here: count a reduction. The interpreter has done so, and comes to what follows."""
    exhausted = Label()
    e.a.bind(e.shared.entries.get(e.function.entry) or Label())
    if e.shared.stress:
        e.a.mov(FCALLS, 0)
    e.a.subs(FCALLS, FCALLS, 1)
    e.a.b(exhausted, MI)

    def cold() -> None:
        e.a.bind(exhausted)
        e.a.together(2)
        e.a.bl(e.shared.fragments["yield"])
        e.a.word(symbols.label(e.function.entry))
        e.a.unreachable()

    e.cold(cold)
    return e.a.offset


class _Compilation:
    """The code of a module under construction: of all functions but those whose entries are *interpreted*."""

    def __init__(self, module: Module, layout: Layout, interpreted: Collection[int], stress: bool) -> None:
        self.assembler = Assembler()
        self.fragments = Fragments(module.code.label_count, stress=stress)
        functions = [function for function in module.functions if function.entry not in interpreted]
        entries = {function.entry: Label() for function in functions}
        self.shared = _shared(module, layout, self.assembler, self.fragments, entries)
        self.shared.stress = stress
        suspended = Function("-suspended-", MOST_LIVE + 1, self.shared.new_label(), [])
        self.suspended = Continuation(suspended.entry, suspended.entry, NOWHERE, NOWHERE, suspended)
        self.functions = functions
        self.natives: list[NativeFunction] = []

    def emit_functions(self) -> dict[int, str]:
        """By label of the entry, what stands in the way of native code for a function. If nothing does, go on."""
        lacking: dict[int, str] = {}
        for function in self.functions:
            try:
                self.natives.append(_emit_function(_emission(self.shared, function)))
            except Unsupported as error:
                lacking[function.entry] = str(error)
        return lacking

    def finish(self, reasons: Mapping[int, str]) -> Native:
        """Append what the functions share. *reasons*: what each of the other functions lacks, by label of its entry."""
        natives = self.natives
        begin = self.assembler.offset
        entries = self._ways_in()
        continuations = [stub for native in natives for stub, _ in native.emission.continuations]
        if self.fragments.asked_for("to_interpreter"):
            continuations.append(self.suspended)
            suspended = self.fragments["suspended"]
            way_in = self._way_in(suspended)
        ways_in = begin, self.assembler.offset
        fragments = self.fragments.emit(self.assembler, self.shared.layout)
        if self.suspended in continuations:
            entries.append((self.suspended.label, way_in, _offset(suspended)))
        module = self.shared.module
        return Native(
            module=module,
            layout=self.shared.layout,
            code=self.assembler.finish(),
            functions=natives,
            fragments=fragments,
            entries=entries,
            ways_in=ways_in,
            interpreted={
                (function.name, function.arity): reasons[function.entry]
                for function in module.functions
                if function.entry in reasons
            },
            continuations=continuations,
            next_label=self.shared.next_label,
        )

    def _ways_in(self) -> list[tuple[int, int, int]]:
        """The ways in from the interpreter: of each function, and of each place where an interpreted callee returns."""
        rows = []
        for native in self.natives:
            rows.append((native.function.entry, self._way_in(Label(index=native.body // 4)), native.start))
            for stub, label in native.emission.continuations:
                rows.append((stub.label, self._way_in(label), _offset(label)))
        return rows

    def _way_in(self, place: Label) -> int:
        start = self.assembler.offset
        self.assembler.ldr_literal(R12, place)
        self.assembler.b(self.fragments["enter"])
        return start


def _offset(label: Label) -> int:
    """Where a label is, in bytes."""
    assert label.index is not None
    return 4 * label.index
