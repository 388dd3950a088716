"""Construction of binaries behind what there is: appending to a binary that may have room behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ
from jit.arm32.operands import at
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, SP
from jit.beam.operands import X, register_of
from jit.codegen.processor import Label
from jit.erts.arm32.bs_context import is_behind
from jit.erts.arm32.bs_segments import Segment
from jit.erts.arm32.bs_state import of_state_and_process
from jit.erts.arm32.common import check_room
from jit.erts.arm32.conventions import ARGUMENTS, PROCESS, REGISTERS, RETURN, WORD, X_ARRAY
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import SWAPPED, Fragments, call_vm, fragment, of_process, swap_in, swap_out
from jit.erts.layout import NativeLayout
from jit.otp.features import STATES_OF_BITS

#: Words of heap for what stands for a binary elsewhere: more than any release takes.
REFERENCE_WORDS: Final = 16


def append(e: Emission, part: Segment, bits: int | None, words: int, live: int, failure: Label) -> Label:
    """r0 = a binary made longer by *bits*, or r3 bits, which may have room behind it, and *words* free on the heap.

    Gives where to go if something fails afterwards.
    """
    source, behind = register_of(part.source), live
    e.load(part.source, R0)
    e.store_behind(R0, behind)
    if isinstance(source, X) and is_behind(source, live):
        # The interpreter will want it where it was, but the collector knows of one place behind the registers in use.
        live += 1
        e.store_behind(R0, live)
        failure = _restoring(e, source, behind, failure)
    if bits is not None:
        e.a.mov_constant(R3, bits)
    if e.shared.stress:
        e.a.str(R3, at(SP, ARGUMENTS))
        check_room(e, words + REFERENCE_WORDS, live + 1)
        e.a.ldr(R3, at(SP, ARGUMENTS))
    e.a.mov_constant(R0, words)
    e.a.str(R0, at(SP))
    e.a.mov_constant(R0, part.unit)
    e.a.str(R0, at(SP, WORD))
    e.a.mov_constant(R2, live)
    e.call("bs_append", live=live)
    e.a.cmp(R0, 0)
    e.a.b(failure, EQ)
    return failure


def _restoring(e: Emission, source: X, behind: int, failure: Label) -> Label:
    """Where to go if something fails: the binary in the x register *behind* is put back to where it was."""
    again = Label()

    def cold() -> None:
        e.a.bind(again)
        e.a.ldr(R0, at(REGISTERS, X_ARRAY + WORD * behind))
        e.a.str(R0, at(REGISTERS, X_ARRAY + WORD * source.number))
        e.a.b(failure)

    e.cold(cold)
    return again


@fragment("bs_append")
def bs_append(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = the binary behind r2 x registers in use with r3 more bits, 0 if it is none; words and unit are at sp."""
    a.str(LR, at(SP, RETURN))
    swap_out(a, layout)
    a.mov(R0, PROCESS)
    a.add(R1, REGISTERS, X_ARRAY)
    call_vm(a, "erts_bs_append_checked")
    swap_in(a, layout)
    a.ldr(PC, at(SP, RETURN))


def private_append(e: Emission, part: Segment, bits: int | None, failure: Label) -> None:
    """r0 = a binary that nobody else has, made longer by *bits*, or r3 bits."""
    if bits is None:
        e.a.mov(R2, R3)
    else:
        e.a.mov_constant(R2, bits)
    e.load(part.source, R1)
    e.a.mov_constant(R3, part.unit)
    e.call("bs_private_append")
    e.a.cmp(R0, 0)
    e.a.b(failure, EQ)


@fragment("bs_private_append")
def bs_private_append(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
    """r0 = the binary r1 with r2 more bits, and unit r3; 0 if that fails."""
    of_kind = of_state_and_process if STATES_OF_BITS.of(layout.otp) else of_process
    of_kind("erts_bs_private_append_checked", *SWAPPED)(a, layout, fragments)


# r0 = an empty binary with room behind it for as many bytes as the term r1 says.
fragment("bs_init_writable")(of_process("erts_bs_init_writable", *SWAPPED))


@emits("bs_init_writable")
def bs_init_writable(e: Emission) -> None:
    """No x register is in use but the one with the size."""
    e.load(X(0), R1)
    e.call("bs_init_writable", live=0)
    e.store(R0, X(0))
