"""Messages."""

from __future__ import annotations

from jit.atomvm import formats
from jit.atomvm.emission import Emission
from jit.atomvm.emitters import emits
from jit.atomvm.macros import CONTEXT, STATE, Condition
from jit.beam.operands import BeamLabel, Operand
from jit.codegen.processor import Label


def _process_signals(e: Emission) -> None:
    """Let the VM look at signals; it may have another process go on."""
    e.m.call("process_signal_messages", CONTEXT, STATE)
    e.m.return_unless_context(e.m.args[0])


@emits("send")
def send(e: Emission) -> None:
    e.m.call("send", CONTEXT, STATE, raises=True)


@emits("loop_rec")
def loop_rec(e: Emission, empty: BeamLabel, destination: Operand) -> None:
    _process_signals(e)
    e.m.call("mailbox_peek", CONTEXT)
    e.m.branch_if(Condition.EQUAL, e.m.args[0], 0, e.label(empty.number))
    e.store(e.m.args[0], destination)


@emits("loop_rec_end")
def loop_rec_end(e: Emission, again: BeamLabel) -> None:
    _process_signals(e)
    e.m.call("mailbox_next", CONTEXT)
    e.a.jump(e.label(again.number))


@emits("remove_message")
def remove_message(e: Emission) -> None:
    e.m.call("cancel_timeout", CONTEXT)
    _process_signals(e)
    e.m.call("mailbox_remove_message", CONTEXT)


@emits("timeout")
def timeout(e: Emission) -> None:
    e.m.call("timeout", CONTEXT)


@emits("wait")
def wait(e: Emission, again: BeamLabel) -> None:
    e.m.set_continuation_label(again.number)
    e.m.tail("schedule_wait_cp")


@emits("wait_timeout")
def wait_timeout(e: Emission, again: BeamLabel, time: Operand) -> None:
    entry, expired = Label(), Label()
    e.load(time, e.m.args[0])
    e.m.set_continuation(entry)
    e.m.tail("wait_timeout", e.m.args[0], again.number)
    e.a.bind(entry)
    e.m.entry()
    _process_signals(e)
    e.m.call("context_get_flags", CONTEXT, formats.TIMEOUT_EXPIRED)
    e.m.branch_if(Condition.DIFFERENT, e.m.args[0], 0, expired)
    e.m.tail("wait_timeout_trap_handler", again.number)
    e.a.bind(expired)
