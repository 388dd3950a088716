"""Guard BIFs and others that only compute: the VM's own functions."""

from __future__ import annotations

from jit.arm32.conditions import EQ
from jit.arm32.labels import Label
from jit.arm32.operands import at
from jit.arm32.registers import R0, R12, SP
from jit.beam.operands import Import, Operand
from jit.codegen import machine, symbols
from jit.codegen.emission import Emission, Unsupported
from jit.codegen.emitters import emits
from jit.codegen.machine import PROCESS, WORD

_LENGTH = Import("erlang", "length", 1)
_SELF = Import("erlang", "self", 0)


@emits("bif0")
def bif0(e: Emission, bif: Import, destination: Operand) -> None:
    if bif != _SELF:
        raise Unsupported(f"bif0 {bif.module}:{bif.function}/0")
    e.a.ldr(R0, at(PROCESS, e.shared.layout["Process.common.id"]))
    e.store(R0, destination)


@emits("bif1", "bif2", "bif3")
def bif_(e: Emission, fail: Operand, bif: Import, *rest: Operand) -> None:
    *arguments, destination = rest
    for number, argument in enumerate(arguments):
        e.a.str(e.load(argument, R0), at(SP, machine.ARGUMENTS + WORD * number))
    e.a.ldr_literal(R12, symbols.bif(e.shared.imports[bif]))
    e.a.bl(e.shared.fragments["guard_bif"])
    _store_unless_failed(e, e.failure(fail), destination)


@emits("gc_bif1", "gc_bif3")
def gc_bif(e: Emission, fail: Operand, _live: int, bif: Import, *rest: Operand) -> None:
    """These put what they make into heap fragments: there is no collection in between."""
    if bif != _LENGTH:
        bif_(e, fail, bif, *rest)
        return
    source, destination = rest
    e.load(source, R0)
    e.a.bl(e.shared.fragments["length"])
    # The interpreter knows what to do with a long list, or with one that is none.
    _store_unless_failed(e, e.to_interpreter(), destination)


def _store_unless_failed(e: Emission, failure: Label, destination: Operand) -> None:
    e.a.cmp(R0, 0)
    e.a.b(failure, EQ)
    e.store(R0, destination)
