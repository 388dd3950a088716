"""Arithmetic: small integers here, everything else by the VM's own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jit.arm32.conditions import NE, VS
from jit.arm32.labels import Label
from jit.arm32.operands import asr
from jit.arm32.registers import R0, R1, R2, R3, R12
from jit.beam.operands import Import, Operand
from jit.codegen import machine
from jit.codegen.bif import bif_
from jit.codegen.emission import Emission, immediate
from jit.codegen.emitters import emits


@emits("gc_bif2")
def gc_bif2(e: Emission, fail: Operand, _live: int, bif: Import, one: Operand, other: Operand, to: Operand) -> None:
    operation = _OPERATIONS.get(bif.function) if bif.module == "erlang" else None
    if operation is None:
        bif_(e, fail, bif, one, other, to)
        return
    slow, done = Label(), Label()
    e.load(one, R0)
    e.load(other, R1)
    _check_smalls(e, one, other)
    e.a.b(slow, NE)
    operation(e, slow)
    e.a.bind(done)
    e.store(R2, to)
    failure = e.failure(fail)

    def cold() -> None:
        e.a.bind(slow)
        e.a.bl(e.shared.fragments[_FUNCTIONS[bif.function]])
        # Not a number, or no result: the interpreter does it again and raises the exception.
        e.a.movs(R2, R0)
        e.a.b(done, NE)
        e.a.b(failure)

    e.cold(cold)


def _check_smalls(e: Emission, one: Operand, other: Operand) -> None:
    """The flags of: are r0 and r1 small integers?"""
    if immediate(other) is not None:
        e.a.and_(R2, R0, machine.SMALL_TAG)
    elif immediate(one) is not None:
        e.a.and_(R2, R1, machine.SMALL_TAG)
    else:
        e.a.and_(R2, R0, R1)
        e.a.and_(R2, R2, machine.SMALL_TAG)
    e.a.cmp(R2, machine.SMALL_TAG)


def _add(e: Emission, slow: Label) -> None:
    e.a.sub(R3, R1, machine.SMALL_TAG)
    e.a.adds(R2, R0, R3)
    e.a.b(slow, VS)


def _subtract(e: Emission, slow: Label) -> None:
    e.a.sub(R3, R1, machine.SMALL_TAG)
    e.a.subs(R2, R0, R3)
    e.a.b(slow, VS)


def _multiply(e: Emission, slow: Label) -> None:
    e.a.asr(R12, R1, machine.SMALL_BITS)
    e.a.sub(R3, R0, machine.SMALL_TAG)
    e.a.smull(R2, R3, R3, R12)
    e.a.cmp(R3, asr(R2, 31))
    e.a.b(slow, NE)
    e.a.add(R2, R2, machine.SMALL_TAG)


def _and(e: Emission, _slow: Label) -> None:
    e.a.and_(R2, R0, R1)


def _or(e: Emission, _slow: Label) -> None:
    e.a.orr(R2, R0, R1)


def _xor(e: Emission, _slow: Label) -> None:
    e.a.eor(R2, R0, R1)
    e.a.orr(R2, R2, machine.SMALL_TAG)


_OPERATIONS: Final[dict[str, Callable[[Emission, Label], None]]] = {
    "+": _add, "-": _subtract, "*": _multiply, "band": _and, "bor": _or, "bxor": _xor,
}  # fmt: skip

#: The VM's functions for all numbers (big.c, erl_arith.c), each behind a shared fragment of this name.
_FUNCTIONS: Final = {
    "+": "erts_mixed_plus", "-": "erts_mixed_minus", "*": "erts_mixed_times",
    "band": "erts_band", "bor": "erts_bor", "bxor": "erts_bxor",
}  # fmt: skip

#: Names of the fragments, which call the function of the same name.
FRAGMENTS: Final = tuple(_FUNCTIONS.values())
