"""All that keeps a function interpreted: of each of its operations, not only of the first."""

from __future__ import annotations

from jit.arm32.assembler import Assembler
from jit.beam.module import Module
from jit.beam.operations import Function
from jit.codegen import compile as compiler
from jit.codegen.emission import Unsupported
from jit.codegen.emitters import emit
from jit.codegen.fragments import Fragments
from jit.erts.layout import Layout


def lacking(function: Function, module: Module, layout: Layout) -> list[str]:
    """What each operation without native code lacks; none for a function that can be native."""
    shared = compiler._shared(module, layout, Assembler(), Fragments(), {})
    try:
        e = compiler._emission(shared, function)
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
