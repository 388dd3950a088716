"""Messages sent, as erts/emulator/beam/emu/msg_instrs.tab does it. For those received see receive.py."""

from __future__ import annotations

from collections.abc import Mapping

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, LE, NE
from jit.arm32.operands import at
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, SP
from jit.beam.operands import X
from jit.codegen.processor import Label
from jit.erts.arm32 import symbols
from jit.erts.arm32.conventions import FCALLS, PROCESS, RETURN, E
from jit.erts.arm32.crossing import visit
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import call_vm, fragment, swap_in, swap_out
from jit.erts.layout import NativeLayout
from jit.otp import vm_flags


@emits("send")
def send(e: Emission) -> None:
    """x0 ! x1. The VM may trap, to go on later; that returns as a call does."""
    visited, back = visit(e)
    trapped, index = Label(), e.index
    e.a.cmp(FCALLS, 0)
    e.a.b(visited, LE)
    e.load(X(0), R1)
    e.load(X(1), R2)
    e.call("send")
    e.a.cmp(R0, 0)
    e.a.b(trapped, EQ)
    e.store(R0, X(0))
    e.a.bind(back)

    def cold() -> None:
        # Neither has been sent when it raises: the interpreter does it again, and raises.
        e.a.bind(trapped)
        e.a.ldr(R0, at(PROCESS, e.shared.layout["Process.freason"]))
        e.a.cmp_constant(R0, vm_flags.TRAP)
        e.a.b(visited, NE)
        e.a.ldr_literal(R0, symbols.label(e.handlers[index]))
        e.a.str(R0, at(E))
        e.go("trap")

    e.cold(cold)


@fragment("send")
def send_fragment(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = r1 ! r2, or 0 with the reason in the process."""
    check_send_tracing(a, layout)
    a.mov(R0, 0, NE)
    a.str(R0, at(PROCESS, layout["Process.freason"]), NE)  # it is no trap
    a.bx(LR, NE)
    a.str(LR, at(SP, RETURN))
    a.sub(FCALLS, FCALLS, 1)
    swap_out(a, layout)
    a.mov(R0, PROCESS)
    call_vm(a, "erl_send")
    swap_in(a, layout)
    a.ldr(PC, at(SP, RETURN))


def check_send_tracing(a: Assembler, layout: NativeLayout) -> None:
    """The flag Z is clear if a tracer is told what the process sends, also when that fails: it is to be done only once.

    Changes r3.
    """
    a.ldr(R3, at(PROCESS, layout.trace_flags))
    a.tst(R3, vm_flags.F_TRACE_SEND)
