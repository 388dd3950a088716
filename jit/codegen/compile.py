"""Compile a module: native code of the functions that can have it, for any runtime and processor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jit.beam.effects import Effects, effects
from jit.beam.module import Module
from jit.beam.operations import Function, Operation
from jit.codegen.cache import Keeps, Mistake
from jit.codegen.emission import Analysis, Broken, EmissionT, FunctionEmission, Unsupported
from jit.codegen.liveness import live_before, unwritten_before
from jit.codegen.native import NativeFunction, NativeT
from jit.codegen.processor import OperandError
from jit.codegen.runtime import ModuleEmission, Runtime


def compile_module(module: Module, runtime: Runtime[EmissionT, NativeT], *, stress: bool = False) -> NativeT:
    """Native code for a module. Its functions may be none: then the module is to be left as it is.

    With *stress*, code that collects garbage at every heap test and yields at every call.
    """
    refused = runtime.refuses(module)
    reasons = {function.entry: refused for function in module.functions} if refused else {}
    broken: set[int] = set()
    while True:
        functions = [function for function in module.functions if function.entry not in reasons]
        shared = runtime.begin(module, functions, stress=stress)
        natives: list[NativeFunction[EmissionT]] = []
        lacking: dict[int, str] = {}
        for function in functions:
            try:
                natives.append(_emit_function(runtime, shared, function))
            except Unsupported as error:
                lacking[function.entry] = str(error)
                if isinstance(error, Broken):
                    broken.add(function.entry)
                # What was begun and given up disturbs no other function: the rest is tried without it.
                shared, natives = runtime.begin(module, functions, stress=stress), []
        if not lacking:
            return shared.finish(natives, *_interpreted(module, reasons, broken))
        reasons |= lacking  # calls of these functions are others: all from the beginning


def _interpreted(
    module: Module, reasons: dict[int, str], broken: set[int]
) -> tuple[dict[tuple[str, int], str], frozenset[tuple[str, int]]]:
    """What functions lack, and which are broken, by names and arities."""
    names = {function.entry: (function.name, function.arity) for function in module.functions}
    lacks = {name: reasons[entry] for entry, name in names.items() if entry in reasons}
    return lacks, frozenset(names[entry] for entry in broken)


def lacking(function: Function, module: Module, runtime: Runtime[Any, Any]) -> list[str]:
    """What each operation without native code lacks; none for a function that can be native."""
    found: list[str] = []
    rest: list[int] | None = None
    while True:
        try:
            e = _emission(runtime, runtime.begin(module, ()), function)
        except Unsupported as error:
            return [str(error)]
        rest = _order(e) if rest is None else rest
        try:
            with _told(e):
                _emit_operations(runtime, e, rest)
            return found
        except Unsupported as error:
            found.append(str(error))
            rest = rest[rest.index(e.index) + 1 :]  # as if nothing had been before


def _emission(
    runtime: Runtime[EmissionT, NativeT], shared: ModuleEmission[EmissionT, NativeT], function: Function
) -> EmissionT:
    operations = [operation for operation in function.operations if operation.name != "int_code_end"]
    try:
        told = [effects(operation) for operation in operations]
    except ValueError as error:
        raise Unsupported(str(error)) from None
    own = {operation.operands[0] for operation in operations if operation.name == "label"}
    if any(label not in own for effect in told for label in effect.labels):
        raise Unsupported("a jump out of the function")
    if _runs_on(runtime, operations, told):
        raise Unsupported("control runs on behind its end")
    live, unwritten = live_before(operations, told), unwritten_before(operations, told)
    keeps = [runtime.keeps.get(operation.name, Keeps.NOTHING) for operation in operations]
    return shared.emission(Analysis(function, operations, told, live, unwritten), keeps)


def _runs_on(runtime: Runtime[Any, Any], operations: Sequence[Operation], told: Sequence[Effects]) -> bool:
    """Whether control may go from the last operation into the next function, as only hand-written code has it."""
    last = max((at for at, operation in enumerate(operations) if operation.name != "line"), default=None)
    return last is not None and told[last].falls_through and not runtime.never_returns(operations[last])


def _emit_function(
    runtime: Runtime[EmissionT, NativeT], shared: ModuleEmission[EmissionT, NativeT], function: Function
) -> NativeFunction[EmissionT]:
    """Append the code of a function. Raises Unsupported, whatever else goes wrong."""
    e = _emission(runtime, shared, function)
    with _told(e):
        start = e.a.offset
        body = shared.enter(e)
        _emit_operations(runtime, e, _order(e))
        return NativeFunction(e, start, body, e.a.offset)


@contextmanager
def _told(e: FunctionEmission[Any]) -> Iterator[None]:
    """Let any exception be one that says which operation it concerns."""
    try:
        yield
    except (Unsupported, MemoryError):
        raise
    except Exception as error:
        what = str(error) if isinstance(error, Mistake | OperandError) else f"{type(error).__name__}: {error}"
        raise Broken(f"{e.operations[e.index].name}: {what.splitlines()[0]:.200}") from error


def _order(e: FunctionEmission[Any]) -> list[int]:
    """Its entry first, and what comes before it in bytecode behind the rest."""
    entry = next(
        at
        for at, operation in enumerate(e.operations)
        if operation.name == "label" and operation.operands[0] == e.function.entry
    )
    return [*range(entry, len(e.operations)), *range(entry)]


def _emit_operations(runtime: Runtime[Any, Any], e: FunctionEmission[Any], order: Sequence[int]) -> None:
    for index in order:
        operation = e.operations[index]
        e.begin(index)
        if index not in e.done:
            if operation.name not in runtime.emitters:
                raise Unsupported(operation.name)
            runtime.emitters[operation.name](e, *operation.operands)
        e.end()
    e.finish()
