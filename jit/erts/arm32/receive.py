"""Messages received, as erts/emulator/beam/emu/msg_instrs.tab does it.

Native code takes messages that are there. Where a process has to wait, it leaves to the interpreter, whose ``wait``
comes back to native code: its label is exchanged for a stub, as those of handlers are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, GT, LE, LS, LT, NE
from jit.arm32.operands import at, lsl
from jit.arm32.registers import LR, PC, R0, R1, R2, R3, R12, SP, Register
from jit.beam.operands import BeamLabel, Operand
from jit.codegen.processor import Label
from jit.erts.arm32 import conventions, symbols
from jit.erts.arm32.conventions import FCALLS, HTOP, PROCESS, RETURN, WORD, E
from jit.erts.arm32.crossing import come_back, store_arity, visit
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.erts.arm32.fragments import call_vm, fragment, swap_in, swap_out
from jit.erts.layout import NativeLayout
from jit.otp import tags, vm_flags
from jit.otp.features import PRIORITY_MESSAGES, QUEUE_LENGTHS

#: Reductions that are left for a message to become garbage before the next collection.
_LEFT: Final = 5

# On the C stack, for erts_proc_sig_receive_helper: the message found, and whether to get out.
_FOUND: Final = conventions.ARGUMENTS
_GET_OUT: Final = conventions.ARGUMENTS + WORD


@emits("loop_rec")
def loop_rec(e: Emission, _no_message: BeamLabel, message: Operand) -> None:
    """The next message of the queue. If there is none, the interpreter looks again, and waits."""
    interpreter = e.to_interpreter()
    e.a.ldr_literal(R0, symbols.label(e.resume_label(e.index)))
    e.call("loop_rec")
    e.a.cmp(R0, 0)
    e.a.b(interpreter, EQ)
    e.store(R0, message)


@fragment("loop_rec")
def loop_rec_fragment(a: Assembler, layout: NativeLayout, fragments: Mapping[str, Label]) -> None:
    """r0 = the next message; 0 if the interpreter shall see to it. r0 was where ``loop_rec`` is in the bytecode.

    While a message is matched, terms of it may lie outside of the heap: there are no collections until it is removed.
    """
    found, fetch, interpreter = Label(), Label(), Label()
    a.str(LR, at(SP, RETURN))
    _change_flags(a, layout, set_=vm_flags.F_DELAY_GC)
    a.cmp(FCALLS, 0)
    a.b(interpreter, LE)
    a.ldr(R1, at(PROCESS, layout["Process.sig_qs.save"]))
    a.ldr(R1, at(R1))
    a.cmp(R1, 0)
    a.b(fetch, EQ)
    a.bind(found)
    a.ldr(R0, at(R1, layout["ErtsMessage.m"]))  # 0 in a message of another node that is not decoded
    a.cmp(R0, 0)
    a.ldr(PC, at(SP, RETURN), NE)
    a.bind(interpreter)
    _change_flags(a, layout, clear=vm_flags.F_DELAY_GC)
    a.mov(R0, 0)
    a.ldr(PC, at(SP, RETURN))
    a.bind(fetch)
    _fetch(a, layout, interpreter)
    a.cmp(R1, 0)
    a.b(found, NE)
    a.ldr(R2, at(SP, _GET_OUT))
    a.cmp(R2, 0)
    a.b(fragments["dispatch"], GT)
    a.b(interpreter, LT)
    _unlock_queue(a, layout)
    a.b(interpreter)


def _fetch(a: Assembler, layout: NativeLayout, none: Label) -> None:
    """r1 = the next message from the queues that others write to; 0 if there is none, with the queue locked.

    Control goes to *none* if nothing is seen there.
    """
    a.ldr(R1, at(PROCESS, layout["Process.sig_qs.cont"]))
    a.ldr(R2, at(PROCESS, layout["Process.sig_inq.first"]))
    a.ldr(R3, at(PROCESS, layout["Process.sig_inq_buffers"]))
    a.orr(R1, R1, R2)
    a.orrs(R1, R1, R3)
    a.b(none, EQ)
    a.str(R0, at(PROCESS, layout["Process.i"]))
    a.mov(R1, 0)
    a.str(R1, at(PROCESS, layout["Process.current"]))
    store_arity(a, layout)
    swap_out(a, layout)
    a.str(R1, at(SP, _FOUND))
    a.add(R3, SP, _GET_OUT)
    a.str(R3, at(SP))
    a.mov(R0, PROCESS)
    a.mov(R1, FCALLS)
    a.mov(R2, 0)  # reductions may not go below that
    a.add(R3, SP, _FOUND)
    call_vm(a, "erts_proc_sig_receive_helper")
    a.sub(FCALLS, FCALLS, R0)
    a.str(FCALLS, at(PROCESS, layout["Process.fcalls"]))
    swap_in(a, layout)
    a.ldr(R1, at(SP, _FOUND))


def _unlock_queue(a: Assembler, layout: NativeLayout) -> None:
    """As erts_proc_unlock of erl_process_lock.h."""
    again, waited, done = Label(), Label(), Label()
    a.add_constant(R0, PROCESS, layout["Process.lock.flags"])
    a.barrier(R1)
    a.bind(again)
    a.ldrex(R1, R0)
    a.tst(R1, vm_flags.ERTS_PROC_LOCK_MSGQ << vm_flags.ERTS_PROC_LOCK_WAITER_SHIFT)
    a.b(waited, NE)
    a.bic(R1, R1, vm_flags.ERTS_PROC_LOCK_MSGQ)
    a.strex(R2, R1, R0)
    a.cmp(R2, 0)
    a.b(again, NE)
    a.b(done)
    a.bind(waited)
    a.mov(R0, PROCESS)
    a.mov(R1, 0)
    a.mov(R2, vm_flags.ERTS_PROC_LOCK_MSGQ)
    call_vm(a, "erts_proc_unlock_failed")
    a.bind(done)


@emits("loop_rec_end")
def loop_rec_end(e: Emission, loop: BeamLabel) -> None:
    """It is not the message looked for: on to the next one."""
    e.call("next_message")
    e.a.b(e.label(loop.number))


@fragment("next_message")
def next_message(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """As erts_msgq_set_save_next of erl_proc_sig_queue.h."""
    a.sub(FCALLS, FCALLS, 1)
    a.ldr(R1, at(PROCESS, layout["Process.sig_qs.save"]))
    a.ldr(R1, at(R1))
    a.add_constant(R1, R1, layout["ErtsMessage.next"])
    a.str(R1, at(PROCESS, layout["Process.sig_qs.save"]))
    a.ldr(R2, at(R1))
    a.cmp(R2, 0)
    a.bx(LR, EQ)
    _compare_marker(a, layout, R2)
    a.bx(LR, NE)
    a.str(LR, at(SP, RETURN))
    a.mov(R0, PROCESS)
    call_vm(a, "erts_msgq_pass_recv_markers")
    a.str(R0, at(PROCESS, layout["Process.sig_qs.save"]))
    a.ldr(PC, at(SP, RETURN))


@emits("remove_message")
def remove_message(e: Emission) -> None:
    """The message has been matched."""
    visited, back = visit(e)
    e.call("remove_message")
    e.a.cmp(R0, 0)
    e.a.b(visited, EQ)
    e.a.bind(back)


@fragment("remove_message")
def remove_message_fragment(a: Assembler, layout: NativeLayout, _fragments: Mapping[str, Label]) -> None:
    """r0 = 1 if the message is removed; 0, and nothing changed, if it belongs to a trace, or the queue is watched, or
    has messages of priority."""
    slow, cancelled = Label(), Label()
    a.str(LR, at(SP, RETURN))
    a.ldr(R1, at(PROCESS, layout["Process.sig_qs.save"]))
    a.ldr(R0, at(R1))
    _check_plain(a, layout, slow)
    _unlink(a, layout)
    a.str(R0, at(SP))
    _save_first(a, layout)
    _cancel_timer(a, layout, cancelled)
    a.bind(cancelled)
    a.ldr(R1, at(SP))
    a.mov(R0, PROCESS)
    call_vm(a, "erts_save_message_in_proc")
    _change_flags(a, layout, clear=vm_flags.F_DELAY_GC)
    _leave_some_reductions(a, layout)
    a.mov(R0, 1)
    a.ldr(PC, at(SP, RETURN))
    a.bind(slow)
    a.mov(R0, 0)
    a.ldr(PC, at(SP, RETURN))


def _check_plain(a: Assembler, layout: NativeLayout, slow: Label) -> None:
    """Whether the message r0 can be removed without more ado. r2 becomes NIL."""
    no_markers = Label()
    a.ldr(R2, at(R0, layout["ErtsMessage.m"] + WORD))  # the token of sequential tracing
    a.cmp_constant(R2, tags.NIL)
    a.b(slow, NE)
    if QUEUE_LENGTHS.of(layout.otp):
        a.ldr(R3, at(PROCESS, layout["Process.sig_qs.flags"]))
        a.tst(R3, vm_flags.FS_MON_MSGQ_LEN_LONG)
        a.b(slow, NE)
    if PRIORITY_MESSAGES.of(layout.otp):
        a.tst(R3, vm_flags.FS_PRIO_MQ_END_MARK)
        a.b(slow, NE)
    a.ldr(R3, at(PROCESS, layout["Process.sig_qs.recv_mrk_blk"]))
    a.cmp(R3, 0)
    a.b(no_markers, EQ)
    a.ldrb(R3, at(R3, layout["ErtsRecvMarkerBlock.pending_set_save_ix"]))
    a.tst(R3, 0x80)  # below zero: none
    a.b(slow, EQ)
    a.bind(no_markers)


def _unlink(a: Assembler, layout: NativeLayout) -> None:
    """Take the message r0 out of the queue; r1 is the link to it, r2 NIL."""
    done = Label()
    a.str(R2, at(PROCESS, layout["Process.seq_trace_token"]))
    length = at(PROCESS, layout["Process.sig_qs.mq_len" if QUEUE_LENGTHS.of(layout.otp) else "Process.sig_qs.len"])
    a.ldr(R3, length)
    a.sub(R3, R3, 1)
    a.str(R3, length)
    a.ldr(R2, at(R0, layout["ErtsMessage.next"]))
    a.str(R2, at(R1))
    a.cmp(R2, 0)
    a.str(R1, at(PROCESS, layout["Process.sig_qs.last"]), EQ)
    a.b(done, EQ)
    _compare_marker(a, layout, R2)
    a.str(R1, at(R2, layout["ErtsRecvMarker.prev_next"]), EQ)
    a.bind(done)


def _save_first(a: Assembler, layout: NativeLayout) -> None:
    """As the end of erts_msgq_set_save_first: the next receive begins with the first message, of no priority."""
    plain, done = Label(), Label()
    a.ldr(R2, at(PROCESS, layout["Process.sig_qs.first"]))
    a.cmp(R2, 0)
    a.b(plain, EQ)
    _compare_marker(a, layout, R2)
    a.b(plain, NE)
    a.mov(R0, PROCESS)
    call_vm(a, "erts_msgq_remove_leading_recv_markers_set_save_first")
    a.b(done)
    a.bind(plain)
    a.add_constant(R3, PROCESS, layout["Process.sig_qs.first"])
    a.str(R3, at(PROCESS, layout["Process.sig_qs.save"]))
    if PRIORITY_MESSAGES.of(layout.otp):  # FS_SET_SAVE_INFO_FIRST is no bit
        a.ldr(R3, at(PROCESS, layout["Process.sig_qs.flags"]))
        a.bic(R3, R3, vm_flags.FS_SET_SAVE_INFO_MASK)
        a.str(R3, at(PROCESS, layout["Process.sig_qs.flags"]))
    a.bind(done)


def _cancel_timer(a: Assembler, layout: NativeLayout, done: Label) -> None:
    """As CANCEL_TIMER of erl_process.h."""
    flags = at(PROCESS, layout["Process.flags"])
    a.ldr(R2, flags)
    a.tst(R2, vm_flags.F_INSLPQUEUE | vm_flags.F_TIMO)
    a.b(done, EQ)
    a.tst(R2, vm_flags.F_INSLPQUEUE)
    a.bic(R2, R2, vm_flags.F_TIMO, EQ)
    a.str(R2, flags, EQ)
    a.b(done, EQ)
    a.mov(R0, PROCESS)
    call_vm(a, "erts_cancel_proc_timer")


def _leave_some_reductions(a: Assembler, layout: NativeLayout) -> None:
    """As ERTS_VBUMP_LEAVE_REDS_INTERNAL of bif.h, if it is time to collect garbage (erl_gc.h); r2 is flags."""
    bump, done = Label(), Label()
    a.tst(R2, vm_flags.F_FORCE_GC)
    a.b(bump, NE)
    a.sub(R0, E, HTOP)
    a.ldr(R1, at(PROCESS, layout["Process.mbuf_sz"]))
    a.cmp(R0, lsl(R1, 2))
    a.b(bump, LT)
    a.ldr(R0, at(PROCESS, layout["Process.off_heap.overhead"]))
    a.ldr(R1, at(PROCESS, layout["Process.bin_vheap_sz"]))
    a.cmp(R0, R1)
    a.b(done, LS)
    a.bind(bump)
    a.subs(R0, FCALLS, _LEFT)
    a.b(done, LE)
    a.ldr(R1, at(PROCESS, layout["Process.scheduler_data"]))
    a.ldr(R2, at(R1, layout["ErtsSchedulerData.virtual_reds"]))
    a.add(R2, R2, R0)
    a.str(R2, at(R1, layout["ErtsSchedulerData.virtual_reds"]))
    a.mov(FCALLS, _LEFT)
    a.bind(done)


def _change_flags(a: Assembler, layout: NativeLayout, *, set_: int = 0, clear: int = 0) -> None:
    """Change flags of the process, which are in r2 then."""
    flags = at(PROCESS, layout["Process.flags"])
    a.ldr(R2, flags)
    if set_:
        a.orr(R2, R2, set_)
    if clear:
        a.bic(R2, R2, clear)
    a.str(R2, flags)


def _compare_marker(a: Assembler, layout: NativeLayout, message: Register) -> None:
    """The flags of: is it a receive marker (ERTS_RECV_MARKER_TAG of erl_proc_sig_queue.h)?"""
    type_, operation = vm_flags.undefined_type(layout.otp), vm_flags.ERTS_SIG_Q_OP_RECV_MARK
    number = type_ << vm_flags.ERTS_SIG_Q_TYPE_SHIFT | operation
    a.ldr(R3, at(message, layout["ErtsMessage.m"]))
    a.mov_constant(R12, number << tags.ARITY_SHIFT | tags.SIGNAL_HEADER)
    a.cmp(R3, R12)


# Waiting: left to the interpreter, which comes back at the label with the next message


def _label_before(e: Emission) -> int | None:
    """The label that the operation in work stands behind.

    The loader knows by it that the message queue is locked where ``wait`` and ``timeout`` begin: no label may come
    between.
    """
    before = e.operations[e.index - 1]
    number = before.operands[0] if before.name == "label" else None
    return number if isinstance(number, int) else None


@emits("wait", "wait_timeout")
def wait(e: Emission, loop: BeamLabel, *_time: Operand) -> None:
    before = _label_before(e)
    e.leave(before)
    if loop.number != before:  # with nothing to receive, it waits on for its time
        e.handler(loop.number)


@emits("timeout")
def timeout(e: Emission) -> None:
    e.leave(_label_before(e))
    e.a.bind(come_back(e))


# Receive markers: where in the queue to begin, as what comes before cannot hold a new reference


@emits("recv_marker_reserve")
def recv_marker_reserve(e: Emission, marker: Operand) -> None:
    """With no message waiting there is nothing to pass by: then the marker is none, which NIL is as good as."""
    visited, back = visit(e)
    layout = e.shared.layout
    e.a.ldr(R0, at(PROCESS, layout["Process.sig_qs.first"]))
    for field in ("sig_qs.cont", "sig_inq.first", "sig_inq_buffers"):
        e.a.ldr(R1, at(PROCESS, layout[f"Process.{field}"]))
        e.a.orr(R0, R0, R1)
    e.a.cmp(R0, 0)
    e.a.b(visited, NE)
    e.a.mov_constant(R0, tags.NIL)
    e.store(R0, marker)
    e.a.bind(back)


@emits("recv_marker_bind", "recv_marker_clear", "recv_marker_use")
def recv_marker(e: Emission, *_operands: Operand) -> None:
    """Nothing to do for a process that has no markers."""
    visited, back = visit(e)
    e.a.ldr(R0, at(PROCESS, e.shared.layout["Process.sig_qs.recv_mrk_blk"]))
    e.a.cmp(R0, 0)
    e.a.b(visited, NE)
    e.a.bind(back)
