"""Flags of processes, their states and reasons to fail, under the names that they have in OTP.

Source: the files below ``erts/emulator/beam`` of OTP 25.2.3, 27.3.4.1 and 29.1.1, in which they are the same but for
what `_SINCE` and `undefined_type` say. 26 is taken to be as both its neighbours are, and 28 to have the states of 29.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jit.otp.features import PRIORITY_MESSAGES, PROTECTED_QUEUES, QUEUE_LENGTHS, UNPROTECTED_QUEUES, Feature

# erl_process.h: Process.flags
F_INSLPQUEUE: Final = 1 << 1
F_TIMO: Final = 1 << 2
F_FORCE_GC: Final = 1 << 10
F_DISABLE_GC: Final = 1 << 11
F_DELAY_GC: Final = 1 << 13
F_DIRTY_MAJOR_GC: Final = 1 << 19
F_DIRTY_MINOR_GC: Final = 1 << 20
F_TRAP_EXIT: Final = 1 << 22

# erl_process.h: flags of the signal queues. In OTP 29 the first is called FS_MON_MSGQ_LEN_LOW.
FS_MON_MSGQ_LEN_LONG: Final = 1 << 13
FS_SET_SAVE_INFO_MASK: Final = 1 << 14 | 1 << 15
FS_PRIO_MQ_END_MARK: Final = 1 << 18

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
    "blocked_multi_scheduling": 1 << 8, "blocked_normal_multi_scheduling": 1 << 15,
    "waits_for_schedulers_online": 1 << 14, "fragmented_send": 1 << 23, "async_dist": 1 << 26,
    "ets_super_user": 1 << 9, "hibernate_scheduled": 1 << 0, "dirty_hibernate_gc": 1 << 18,
    "dirty_copy_literals": 1 << 17, "dirty_check_literals": 1 << 25, "delayed_delete": 1 << 16,
}  # fmt: skip
"""What is shown of `Process.flags` (erl_process.h, `F_`), where that is the same in 25, 27 and 29."""

QUEUE_FLAGS: Final = {
    "changing_message_queue": 1 << 2, "handling_signals": 1 << 4, "waiting_to_handle_signals": 1 << 5,
    "flushing_signals": 1 << 7, "flushed_signals": 1 << 8,
}  # fmt: skip
"""What is shown of `Process.sig_qs.flags` (erl_process.h, `FS_`), where that is the same in 25, 27 and 29."""

STATE_FLAGS: Final = {
    name: 1 << ERTS_PSFLGS_ZERO_BIT_OFFSET + bit
    for name, bit in (
        ("active", 7), ("system_tasks", 12), ("active_for_system_tasks", 14), ("off_heap_message_queue", 18),
        ("signals_in_middle_queue", 19), ("wants_dirty_cpu", 20), ("wants_dirty_io", 21),
    )
}  # fmt: skip
"""What is shown of `Process.state` beside the status, where that is the same in 25, 27 and 29."""

PORT_STATES: Final = {
    "exiting": 1 << 1, "distribution": 1 << 2, "binary": 1 << 3, "eof": 1 << 4, "closing": 1 << 5,
    "send_closed": 1 << 6, "line": 1 << 7, "free": 1 << 8, "initializing": 1 << 9, "invalid": 1 << 11, "halt": 1 << 12,
}  # fmt: skip
"""Of `Port.state` (erl_port.h, `ERTS_PORT_SFLG_`), where that is the same in 25, 27 and 29."""

PORT_HAS_LOCK: Final = 1 << 10
"""Of them: its lock is its own, not its driver's (`PORT_SPECIFIC_LOCK`)."""

PORT_TASKS: Final = {
    "queued": 1 << 0, "running": 1 << 1 | 1 << 12, "tasks": 1 << 2, "busy": 1 << 4, "busy_queue": 1 << 5,
    "parallelism": 1 << 9,
}  # fmt: skip
"""Of `Port.sched.flags` (erl_port_task.h, `ERTS_PTS_FLG_`), likewise: what is to be done for a port, and whether those
who send to it wait."""

SLEEP_FLAGS: Final = {"suspended": 1 << 4, "polling": 1 << 1, "sleeping": 1 << 2, "waiting": 1 << 3}
"""Of `ErtsSchedulerSleepInfo.flags` (erl_process.h, `ERTS_SSI_FLG_`), likewise, the first that is set says most."""


def of_run_queue(release: int) -> dict[str, int]:
    """Of `ErtsRunQueue.flags` (erl_process.h, `ERTS_RUNQ_FLG_`), likewise, after four sets of bits by priority. What
    follows `nonempty` is not known of OTP 28: 27 has a bit more than 29."""
    names = "out_of_work halftime_out_of_work suspended check_cpu_bind inactive nonempty".split()
    if PROTECTED_QUEUES.of(release):
        names.append("protected")
    if PROTECTED_QUEUES.of(release) or UNPROTECTED_QUEUES.of(release):
        names += "exec msb_exec misc_op halting".split()
    return {name: 1 << bit for bit, name in enumerate(names, 20)}


CAPABILITIES: Final = {
    name: 1 << bit
    for first, names in (
        (
            0,
            """published atom_cache extended_references dist_monitor fun_tags dist_monitor_name hidden_atom_cache
               new_fun_tags extended_pids_ports export_ptr_tag bit_binaries new_floats unicode_io dist_hdr_atom_cache
               small_atom_tags ets_compressed utf8_atoms map_tag big_creation send_sender big_seqtrace_labels
               pending_connect exit_payload fragments handshake_23 unlink_id mandatory_25_digest""",
        ),
        (32, "spawn name_me v4_nc alias local_ext altact_sig native_records"),
    )
    for bit, name in enumerate(names.split(), first)
}
"""Of `DistEntry.dflags` (dist.h, `DFLAG_`), where that is the same in 25, 27 and 29: what both nodes can do."""

EMIGRATE, IMMIGRATE, EVACUATE = (5 * number for number in (1, 2, 3))
"""The lowest bits of those sets of `ErtsMigrationPath.flags` (`ERTS_RUNQ_FLGS_EMIGRATE_SHFT` and so on), each of the
four priorities and ports: what is to go to another run queue, is fetched from one, and goes there in any case."""

AUX_WORK: Final = (
    "delayed_wakeup", "delayed_dealloc", "delayed_dealloc_progress", "fix_alloc_dealloc", "fix_alloc_lower_limit",
    "later_operations", "canceled_timers", "canceled_timers_progress", "async_ready", "async_ready_clean",
    "misc_progress", "misc", "set_timeout", "mseg_cache_check", "yield", "reap_ports", "debug_wait_completed",
)  # fmt: skip
"""Of `ErtsSchedulerSleepInfo.aux_work` (erl_process.h, `ERTS_SSI_AUX_WORK_`), likewise, by the number of the bit."""

PRIORITIES: Final = ("max", "high", "normal", "low")
"""By their numbers (erl_process.h, `PRIORITY_MAX` and so on)."""

ERTS_PSFLGS_USR_PRIO_OFFSET: Final = 2


def priority(state: int) -> str:
    """The priority of a process, as process_flag/2 calls it, of the word of its state."""
    return PRIORITIES[state >> ERTS_PSFLGS_USR_PRIO_OFFSET & 3]


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
ERTS_SIG_Q_OP_MASK: Final = (1 << ERTS_SIG_Q_TYPE_SHIFT) - 1

_SIGNALS: Final = (
    "exit", "exit of a link", "monitor down", "monitor", "demonitor", "link", "unlink", "group leader", "trace change",
    "message of a monitor that stays", "is alive", "process info", "suspend", "remote call", "spawn reply",
    "message to an alias", "receive marker", "unlink acknowledged", "change of the message queue", "flush",
)  # fmt: skip
_SIGNALS_SINCE_PRIORITIES: Final = {15: "message to an alias or of priority", 20: "NIF select"}
_LENGTH_MARKER: Final = "marker of a length"


def signal_name(release: int, operation: int) -> str:
    """What a signal that is no message is for, by its operation (erl_proc_sig_queue.h, `ERTS_SIG_Q_OP_`)."""
    if PRIORITY_MESSAGES.of(release) and operation in _SIGNALS_SINCE_PRIORITIES:
        return _SIGNALS_SINCE_PRIORITIES[operation]
    if operation == ERTS_SIG_Q_OP_MASK and not QUEUE_LENGTHS.of(release):
        return _LENGTH_MARKER
    return _SIGNALS[operation] if operation < len(_SIGNALS) else f"unknown signal {operation}"


def undefined_type(release: int) -> int:
    """The type of a signal that has none (`ERTS_SIG_Q_TYPE_UNDEFINED`): it follows those of monitors and links."""
    return 14 if PRIORITY_MESSAGES.of(release) else 13


# erl_bits.h: flags of fields of bit strings
BSF_LITTLE: Final = 2
BSF_SIGNED: Final = 4
BSF_NATIVE: Final = 16

#: Releases of which all that is known.
RELEASES: Final = (25, 26, 27, 29)

#: Releases of which `ERTS_PSFLG` is known.
WITH_STATES: Final = (25, 26, 27, 28, 29)

#: Those that not all of these releases have.
_SINCE: Final[Mapping[str, Feature]] = {
    "FS_MON_MSGQ_LEN_LONG": QUEUE_LENGTHS,
    "FS_SET_SAVE_INFO_MASK": PRIORITY_MESSAGES,
    "FS_PRIO_MQ_END_MARK": PRIORITY_MESSAGES,
}


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
    found["ERTS_SIG_Q_TYPE_UNDEFINED"] = undefined_type(release)
    return {name: value for name, value in found.items() if name not in _SINCE or _SINCE[name].of(release)} | state


def set_in(word: int | None, names: Mapping[str, int]) -> list[str]:
    """The names of those flags of which a bit is set; none where the word is not known."""
    return [name for name, bits in names.items() if word is not None and word & bits]
