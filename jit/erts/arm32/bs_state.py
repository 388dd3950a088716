"""erl_bits_state (erl_bits.h): where the next bit of a binary goes that is made, and functions that are told of it."""

from __future__ import annotations

from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.operands import at
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, SP, Register
from jit.erts.arm32.conventions import PROCESS, REGISTERS, RETURN
from jit.erts.arm32.fragments import FragmentEmitter, Fragments, call_vm, swap_in, swap_out
from jit.erts.layout import NativeLayout

_STATE: Final = "ErtsSchedulerRegisters.aux_regs.d.erl_bits_state"
CURRENT_BIN: Final = f"{_STATE}.erts_current_bin"
BIN_OFFSET: Final = f"{_STATE}.erts_bin_offset"


def of_state(function: str) -> FragmentEmitter:
    """A fragment that calls one of the VM's functions with erl_bits_state and r1, r2, r3."""

    def call(a: Assembler, layout: NativeLayout, _fragments: Fragments) -> None:
        a.str(LR, at(SP, RETURN))
        a.add_constant(R0, REGISTERS, layout[_STATE])
        call_vm(a, function)
        a.ldr(PC, at(SP, RETURN))

    return call


def of_state_and_process(function: str, *swapped: Register) -> FragmentEmitter:
    """A fragment that calls one with erl_bits_state, the process, and r1, r2, r3.

    *swapped*: those of heap, stack and reductions that the function uses.
    """

    def call(a: Assembler, layout: NativeLayout, _fragments: Fragments) -> None:
        a.str(LR, at(SP, RETURN))
        swap_out(a, layout, swapped)
        a.str(R3, at(SP))
        a.mov(R3, R2)
        a.mov(R2, R1)
        a.mov(R1, PROCESS)
        a.add_constant(R0, REGISTERS, layout[_STATE])
        call_vm(a, function)
        swap_in(a, layout, swapped)
        a.ldr(PC, at(SP, RETURN))

    return call
