"""Flags of processes, their states and reasons to fail, under the names that they have in OTP.

Source: the files below ``erts/emulator/beam`` of OTP 25.2.3 and 27.3.4.1, in which they are the same but for what
`_SINCE` says. 26 is taken to be as both its neighbours are. The state of a process has the same flags in 29.1.1, and so
in 28; of the others some have moved there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.otp.features import QUEUE_LENGTHS, Feature

# erl_process.h: Process.flags
F_INSLPQUEUE: Final = 1 << 1
F_TIMO: Final = 1 << 2
F_FORCE_GC: Final = 1 << 10
F_DISABLE_GC: Final = 1 << 11
F_DELAY_GC: Final = 1 << 13
F_DIRTY_MAJOR_GC: Final = 1 << 19
F_DIRTY_MINOR_GC: Final = 1 << 20
F_TRAP_EXIT: Final = 1 << 22

# erl_process.h: flags of the signal queues
FS_MON_MSGQ_LEN_LONG: Final = 1 << 13

# erl_process.h: Process.state, where three priorities of two bits each come before the flags
ERTS_PSFLGS_ZERO_BIT_OFFSET: Final = 3 * 2
ERTS_PSFLG: Final = {
    name: 1 << ERTS_PSFLGS_ZERO_BIT_OFFSET + bit
    for name, bit in (
        ("FREE", 4), ("EXITING", 5), ("IN_RUNQ", 8), ("RUNNING", 9), ("SUSPENDED", 10), ("GC", 11), ("RUNNING_SYS", 15),
        ("DIRTY_RUNNING", 23), ("DIRTY_RUNNING_SYS", 24),
    )
}  # fmt: skip
"""Bits by what follows `ERTS_PSFLG_` in their names."""

PROCESS_FLAGS: Final = {
    "trap_exit": F_TRAP_EXIT, "hibernated": 1 << 21, "force_gc": F_FORCE_GC, "disable_gc": F_DISABLE_GC,
    "delay_gc": F_DELAY_GC, "need_fullsweep": 1 << 4, "heap_grow": 1 << 3, "abandoned_heap_use": 1 << 12,
    "dirty_major_gc": F_DIRTY_MAJOR_GC, "dirty_minor_gc": F_DIRTY_MINOR_GC, "in_timer_queue": F_INSLPQUEUE,
    "timed_out": F_TIMO, "using_ets": 1 << 5, "distribution": 1 << 6, "using_ddll": 1 << 7,
    "blocked_multi_scheduling": 1 << 8, "fragmented_send": 1 << 23,
}  # fmt: skip
"""What is shown of `Process.flags`, where that is the same in 25, 27 and 29."""

STATE_FLAGS: Final = {
    name: 1 << ERTS_PSFLGS_ZERO_BIT_OFFSET + bit
    for name, bit in (
        ("active", 7), ("system_tasks", 12), ("active_for_system_tasks", 14), ("off_heap_message_queue", 18),
        ("signals_in_middle_queue", 19), ("wants_dirty_cpu", 20), ("wants_dirty_io", 21),
    )
}  # fmt: skip
"""What is shown of `Process.state` beside the status, where that is the same in 25, 27 and 29."""

_PRIORITIES: Final = ("max", "high", "normal", "low")
ERTS_PSFLGS_USR_PRIO_OFFSET: Final = 2


def priority(state: int) -> str:
    """The priority of a process, as process_flag/2 calls it, of the word of its state."""
    return _PRIORITIES[state >> ERTS_PSFLGS_USR_PRIO_OFFSET & 3]


# erl_trace.h, erl_process.h: trace flags of a process
ERTS_TRACE_TS_TYPE_BITS: Final = 3
F_SENSITIVE: Final = 1 << ERTS_TRACE_TS_TYPE_BITS
F_TRACE_SEND: Final = 1 << ERTS_TRACE_TS_TYPE_BITS + 1

# erl_process.h: an index into what Process.psd points to
ERTS_PSD_SAVED_CALLS_BUF: Final = 1

# erl_process_lock.h: Process.lock.flags, where above the bit of each lock is one that says that somebody waits for it
ERTS_PROC_LOCK_MAIN: Final = 1 << 0
ERTS_PROC_LOCK_MSGQ: Final = 1 << 1
ERTS_PROC_LOCK_WAITER_SHIFT: Final = 5
ERTS_PROC_LOCKS_ALL: Final = (1 << ERTS_PROC_LOCK_WAITER_SHIFT) - 1

# error.h: Process.freason
EXTAG_EXIT: Final = 1
EXF_PANIC: Final = 1 << 2
"""It cannot be caught."""
TRAP: Final = 1 << 10

# erl_vm.h: the reductions that a process gets
CONTEXT_REDS: Final = 4000

# erl_message.h: stands for no heap fragment
ERTS_INVALID_HFRAG_PTR: Final = ~7

# erl_proc_sig_queue.h, erl_monitor_link.h: above the header bits of a signal's tag are its operation and its type
ERTS_SIG_Q_OP_RECV_MARK: Final = 16
ERTS_SIG_Q_TYPE_SHIFT: Final = 8
ERTS_SIG_Q_TYPE_UNDEFINED: Final = 13

# erl_bits.h: flags of fields of bit strings
BSF_LITTLE: Final = 2
BSF_SIGNED: Final = 4
BSF_NATIVE: Final = 16

#: Releases of which all that is known.
RELEASES: Final = (25, 26, 27)

#: Releases of which `ERTS_PSFLG` is known.
WITH_STATES: Final = (*RELEASES, 28, 29)

#: Those that not all of these releases have.
_SINCE: Final[Mapping[str, Feature]] = {"FS_MON_MSGQ_LEN_LONG": QUEUE_LENGTHS}


def of_state(release: int) -> Mapping[str, int]:
    """Bits of `Process.state` by what follows `ERTS_PSFLG_` in their names. Raises LookupError as `numbers` does."""
    if release not in WITH_STATES:
        raise LookupError(f"the states of processes of OTP {release} are not known")
    return ERTS_PSFLG


def numbers(release: int) -> dict[str, int]:
    """All that a release has, by their names in OTP. Raises LookupError for one of which they are not known."""
    if release not in RELEASES:
        raise LookupError(f"the flags of processes of OTP {release} are not known")
    state = {f"ERTS_PSFLG_{name}": bit for name, bit in of_state(release).items()}
    found = {name: value for name, value in globals().items() if isinstance(value, int) and name.isupper()}
    return {name: value for name, value in found.items() if name not in _SINCE or _SINCE[name].of(release)} | state
