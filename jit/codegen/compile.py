"""Compile a module: native code of the functions that can have it, and bytecode rewritten to stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.buffer import Code
from jit.arm32.conditions import MI
from jit.arm32.labels import Label
from jit.arm32.registers import R12, Register
from jit.beam.effects import effects
from jit.beam.module import Module
from jit.beam.operands import NOWHERE, Import, Location
from jit.beam.operations import Function
from jit.codegen import (
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
    record,
    select,
    symbols,
    type_tests,
)
from jit.codegen.cache import Cache, Keeps
from jit.codegen.emission import BadArithmetic, Continuation, Emission, Shared, Unsupported
from jit.codegen.emitters import KEEPS, emit
from jit.codegen.fragments import Fragments
from jit.codegen.liveness import live_before, unwritten_before
from jit.codegen.machine import FCALLS, MOST_LIVE, X_ARRAY
from jit.erts.layout import Layout

FAMILIES: Final = (
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
    record,
    select,
    type_tests,
)

_LOAD_NIF: Final = Import("erlang", "load_nif", 2)


@dataclass
class NativeFunction:
    """Offsets in bytes into the code: native callers enter at ``start``, everyone comes to ``body``.

    ``lines`` has an entry for each operation.
    """

    function: Function
    start: int
    body: int = 0
    end: int = 0
    lines: list[tuple[int, Location]] = field(default_factory=list)
    emission: Emission | None = None

    @property
    def operations(self) -> list[tuple[int, int]]:
        """Where the code of each operation begins, in bytes, and its index in the emission's operations."""
        return self.emission.places if self.emission else []

    @property
    def cold(self) -> list[tuple[int, int]]:
        """The same of the parts of operations that are rarely run, behind the others."""
        return self.emission.cold_places if self.emission else []

    @property
    def locations(self) -> list[tuple[int, dict[int, Register | None]]]:
        """From an offset on, up to the next: where each live x register is, None being its place in memory.

        A register that is not told of may be anywhere, or nowhere.
        """
        return self.emission.locations if self.emission else []


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
    #: By label of a function's entry and index of an operation: a label to insert before it, and one to exchange the
    #: label of a handler for.
    resumes: dict[int, dict[int, int]]
    handlers: dict[int, dict[int, int]]
    continuations: list[Continuation]
    errors: list[BadArithmetic]
    next_label: int


def compile_module(module: Module, layout: Layout, *, stress: bool = False) -> Native:
    """Native code for a module. Its functions may be none: then the module is to be left as it is.

    With *stress*, code that collects garbage at every heap test and yields at every call.
    """
    if layout["ErtsSchedulerRegisters.x_reg_array"] != X_ARRAY:
        raise ValueError(f"x registers are not at {X_ARRAY} in erts-{layout.erts}")
    reasons = _lacking(module, layout)
    chosen = [function for function in module.functions if function.entry not in reasons]
    interpreted = {
        (function.name, function.arity): reasons[function.entry]
        for function in module.functions
        if function.entry in reasons
    }
    return _Compilation(module, layout, chosen, stress).run(interpreted)


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


def _lacking(module: Module, layout: Layout) -> dict[int, str]:
    """By label of the entry, what stands in the way of native code for a function."""
    if _LOAD_NIF in module.imports:
        return {function.entry: "a module that loads NIFs" for function in module.functions}
    return {
        function.entry: why for function in module.functions if (why := _why_not(function, module, layout)) is not None
    }


def _why_not(function: Function, module: Module, layout: Layout) -> str | None:
    try:
        _emit_operations(_emission(_shared(module, layout, Assembler(), Fragments(), {}), function), None)
    except Unsupported as error:
        return str(error)
    return None


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


def _emit_operations(e: Emission, native: NativeFunction | None) -> None:
    """Append the code of a function: its entry first, and what comes before it in bytecode behind the rest."""
    entry = next(
        at
        for at, operation in enumerate(e.operations)
        if operation.name == "label" and operation.operands[0] == e.function.entry
    )
    body = _emit_entry(e)
    if native:
        native.body = body
    for index in (*range(entry, len(e.operations)), *range(entry)):
        operation = e.operations[index]
        e.begin(index)
        if native and operation.name not in ("label", "line"):
            native.lines.append((e.a.offset, operation.location))
        emit(e, operation.name, operation.operands)
        e.end()
    e.finish()


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
    """The code of a module under construction."""

    def __init__(self, module: Module, layout: Layout, functions: list[Function], stress: bool) -> None:
        self.assembler = Assembler()
        self.fragments = Fragments(module.code.label_count, stress=stress)
        self.entries = {function.entry: Label() for function in functions}
        self.shared = _shared(module, layout, self.assembler, self.fragments, self.entries)
        self.shared.stress = stress
        suspended = Function("-suspended-", MOST_LIVE + 1, self.shared.new_label(), [])
        self.suspended = Continuation(suspended.entry, suspended.entry, NOWHERE, suspended)
        self.functions = functions

    def run(self, interpreted: dict[tuple[str, int], str]) -> Native:
        natives = [self._function(function) for function in self.functions]
        begin = self.assembler.offset
        entries = self._ways_in(natives)
        continuations = [stub for native in natives if native.emission for stub, _ in native.emission.continuations]
        if self.fragments.asked_for("to_interpreter"):
            continuations.append(self.suspended)
            suspended = self.fragments["suspended"]
            way_in = self._way_in(suspended)
        ways_in = begin, self.assembler.offset
        fragments = self.fragments.emit(self.assembler, self.shared.layout)
        if self.suspended in continuations:
            entries.append((self.suspended.label, way_in, _offset(suspended)))
        code = self.assembler.finish()
        emissions = [native.emission for native in natives if native.emission]
        return Native(
            module=self.shared.module,
            layout=self.shared.layout,
            code=code,
            functions=natives,
            fragments=fragments,
            entries=entries,
            ways_in=ways_in,
            interpreted=interpreted,
            resumes={emission.function.entry: emission.resumes for emission in emissions},
            handlers={emission.function.entry: emission.handlers for emission in emissions},
            continuations=continuations,
            errors=[error for native in natives if native.emission for error in native.emission.errors],
            next_label=self.shared.next_label,
        )

    def _function(self, function: Function) -> NativeFunction:
        emission = _emission(self.shared, function)
        native = NativeFunction(function, self.assembler.offset, emission=emission)
        _emit_operations(emission, native)
        native.end = self.assembler.offset
        return native

    def _ways_in(self, natives: list[NativeFunction]) -> list[tuple[int, int, int]]:
        """The ways in from the interpreter: of each function, and of each place where an interpreted callee returns."""
        rows = []
        for native in natives:
            assert native.emission
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
