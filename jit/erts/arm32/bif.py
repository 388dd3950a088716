"""BIFs that only compute, of guards and bodies: by emitters of guard_bifs.py, else by the VM's own functions."""

from __future__ import annotations

from collections.abc import Sequence

from jit.arm32.conditions import EQ
from jit.arm32.operands import at
from jit.arm32.registers import R0, R12, SP
from jit.beam.operands import Import, Operand
from jit.codegen.cache import Keeps
from jit.erts.arm32 import conventions, guard_bifs, symbols
from jit.erts.arm32.comparisons import store_boolean
from jit.erts.arm32.conventions import PROCESS, WORD
from jit.erts.arm32.crossing import visit_for
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits


@emits("bif0", keeps=Keeps.ALL)
def bif0(e: Emission, bif: Import, to: Operand) -> None:
    if bif.function == "self":
        target = e.target(to, R0)
        e.a.ldr(target, at(PROCESS, e.shared.layout["Process.common.id"]))
        e.store(target, to)
    else:
        _call(e, bif, ())
        e.store(R0, to)


@emits("bif1", "bif2", "bif3", keeps=Keeps.ALL)
def bif_(e: Emission, fail: Operand, bif: Import, *rest: Operand) -> None:
    *operands, to = rest
    compare = guard_bifs.comparison(bif)
    inline = guard_bifs.inline(bif, operands)
    if compare:
        store_boolean(e, compare(e, *operands), to)
    elif inline:
        inline(e, e.failure(fail), operands, to)
    else:
        call_bif(e, fail, bif, operands, to)


@emits("gc_bif3", keeps=Keeps.ALL)
def gc_bif3(e: Emission, fail: Operand, _live: int, bif: Import, *rest: Operand) -> None:
    """As ``gc_bif1``."""
    call_bif(e, fail, bif, rest[:-1], rest[-1])


def gc_bif1(e: Emission, fail: Operand, bif: Import, source: Operand, to: Operand) -> None:
    """Those that are no arithmetic. What they make is in heap fragments: no garbage is collected."""
    if bif.function == "length":
        e.load(source, R0)
        e.call("length")
        # The interpreter knows what to do with a long list, or with one that is none.
        visited, counted = visit_for(e, R0, to)
        e.a.b(visited, EQ)
        e.a.bind(counted)
        e.store(R0, to)
    elif bif.function == "map_size":
        guard_bifs.map_size(e, e.failure(fail), (source,), to)
    else:
        call_bif(e, fail, bif, (source,), to)


def call_bif(e: Emission, fail: Operand, bif: Import, operands: Sequence[Operand], to: Operand) -> None:
    """By the VM's function."""
    _call(e, bif, operands)
    e.a.b(e.failure(fail), EQ)
    e.store(R0, to)


def _call(e: Emission, bif: Import, operands: Sequence[Operand]) -> None:
    """r0 = the result, and the flags of a comparison with 0, which it is if the BIF fails."""
    for number, operand in enumerate(operands):
        e.a.str(e.value(operand, R0), at(SP, conventions.ARGUMENTS + WORD * number))
    e.a.ldr_literal(R12, symbols.bif(e.shared.imports[bif]))
    e.call("guard_bif")
