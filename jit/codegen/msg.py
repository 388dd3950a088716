"""Messages sent, as erts/emulator/beam/emu/msg_instrs.tab does it. For those received see receive.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, LE, NE
from jit.arm32.labels import Label
from jit.arm32.operands import at
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, SP
from jit.beam.operands import X
from jit.codegen import machine, symbols
from jit.codegen.crossing import visit
from jit.codegen.emission import Emission
from jit.codegen.emitters import emits
from jit.codegen.fragments import call_vm, fragment, swap_in, swap_out
from jit.codegen.machine import FCALLS, PROCESS, RETURN, E
from jit.erts.layout import Layout

#: F_TRACE_SEND of erl_process.h, a trace flag.
_TRACE_SEND: Final = 1 << 4


@emits("send")
def send(e: Emission) -> None:
    """x0 ! x1. The VM may trap, to go on later; that returns as a call does."""
    visited, back = visit(e)
    trapped, index = Label(), e.index
    e.a.cmp(FCALLS, 0)
    e.a.b(visited, LE)
    e.load(X(0), R1)
    e.load(X(1), R2)
    e.a.bl(e.shared.fragments["send"])
    e.a.cmp(R0, 0)
    e.a.b(trapped, EQ)
    e.store(R0, X(0))
    e.a.bind(back)

    def cold() -> None:
        # Neither has been sent when it raises: the interpreter does it again, and raises.
        e.a.bind(trapped)
        e.a.ldr(R0, at(PROCESS, e.shared.layout["Process.freason"]))
        e.a.cmp_constant(R0, machine.TRAP)
        e.a.b(visited, NE)
        e.a.ldr_literal(R0, symbols.label(e.handlers[index]))
        e.a.str(R0, at(E))
        e.a.b(e.shared.fragments["trap"])

    e.cold(cold)


@fragment("send")
def send_fragment(a: Assembler, layout: Layout, _fragments: Mapping[str, Label]) -> None:
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


def check_send_tracing(a: Assembler, layout: Layout) -> None:
    """The flag Z is clear if a tracer is told what the process sends, also when that fails: it is to be done only once.

    Changes r3.
    """
    a.ldr(R3, at(PROCESS, layout.trace_flags))
    a.tst(R3, _TRACE_SEND)
