"""What changed in the VM, the release of Erlang/OTP that began with it, and where its source and history say so.

A condition on a release is written as one of these: the name says what it means, and whether the number is right is
settled here, once. The numbers of pull requests are those of erlang/otp; files are below ``erts/emulator/beam``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Feature:
    """``since`` is the first release that has it, ``source`` says where that is seen, ``until`` is the first one that
    no longer has it."""

    since: int
    source: str
    until: int | None = None

    def of(self, release: int) -> bool:
        """Whether a release has it."""
        return release >= self.since and (self.until is None or release < self.until)


LONG_IDENTIFIERS: Final = Feature(26, "erl_term.h, _PID_DATA_SIZE and _PID_NUM_SIZE; pull request 6827")
"""Pids and ports of 60 bits on 64-bit systems, of which 28 are a pid's number; on 32 bits a pid has no serial."""

BITS_NOT_BYTES: Final = Feature(27, "erl_bits.h, ErlSubBits, ErlHeapBits and BinRef; pull requests 7828 and 7935")
"""Bit strings are counted in bits; parts of them and what is being matched are of one kind."""

FUN_HEADERS: Final = Feature(27, "erl_fun.h, FUN_HEADER_ARITY_OFFS; pull request 7314")
"""The header word of a fun has its arity and its number of variables."""

FUN_REFERENCES: Final = Feature(27, "erl_fun.h, FunRef; pull requests 7948 and 8674", until=28)
"""Behind the variables of a local fun is a term that keeps its entry."""

LASTING_FUNS: Final = Feature(28, "erl_fun.h, is_external_fun and ErlFunEntry; pull request 8674")
"""What a fun is made of lives for ever, as exports do, and is not counted; a bit of a fun's header says that it is
external."""

COLLISION_NODES: Final = Feature(26, "erl_map.c, not in 25; pull request 7249 of May 2023 found them there")
"""Keys of a large map whose hashes are the same are in a tuple."""

SHORT_INTEGERS: Final = Feature(27, "erl_term.h, BIG_ARITY_MAX; pull request 7426")
"""Integers have four million bits at most."""

WHOLE_ALIASES: Final = Feature(27, "what nodes of 25 and 27 print; of 26 it is not known")
"""A reference that is a pid's alias is written with all of its numbers, and not with three."""

ATOM_LITERALS: Final = Feature(28, "atom.h, Atom.u.bin; pull request 8631")
"""The name of an atom is a term, a binary among the literals."""

NATIVE_RECORDS: Final = Feature(29, "erl_record.h; erl_term.h, RECORD_SUBTAG")
"""Records are terms of their own kind."""

TRACE_SESSIONS: Final = Feature(27, "erl_ptab.h, ErtsTracee; erl_trace.h, ErtsTraceSession")
"""A process has a tracer in each of several sessions."""

QUEUE_LENGTHS: Final = Feature(27, "erl_message.h, ErtsSignalPrivQueues.mq_len; erl_process.h, FS_MON_MSGQ_LEN")
"""The queue of a process counts messages apart from signals, and can be watched for being long."""

PRIORITY_MESSAGES: Final = Feature(28, "erl_message.h, ERTS_RECV_MARKER_TYPE_PRIO_Q_END; pull request 9269")
"""Some messages come before others, with a marker between them. Of a monitor or link flags and type share a word
(erl_monitor_link.h, ERTS_ML_TYPE_MASK)."""

EXTERNAL_SIZE_FIRST: Final = Feature(25, "external.h, ErtsDistExternal", until=28)
"""A message of another node that is not decoded yet begins with its size; of 28 it is not known."""

EXTERNAL_DATA_FIRST: Final = Feature(29, "external.h, ErtsDistExternal")
"""It begins with the address of what is to be decoded."""

PROTECTED_QUEUES: Final = Feature(25, "erl_process.h, ERTS_RUNQ_FLG_PROTECTED", until=28)
"""Of a run queue a flag says that nobody steals from it; of 28 it is not known."""

UNPROTECTED_QUEUES: Final = Feature(29, "erl_process.h, no ERTS_RUNQ_FLG_PROTECTED")
"""No flag does."""

STATES_OF_BITS: Final = Feature(29, "erl_bits.h, ErlBitsState; of 28 it is not known")
"""Functions that write segments of binaries are told where erl_bits_state is, and have other names; integers of either
endianness have their own; erts_bs_get_binary_2 gets no flags, erts_bs_private_append_checked no unit."""

COUNTED_ARITHMETIC: Final = Feature(29, "erl_arith.c, ERTS_ARITH_WORDS_PER_REDUCTION; of 28 it is not known")
"""Arithmetic with large integers takes reductions."""

JOINT_DIVISION: Final = Feature(29, "erl_arith.c, erts_int_div_rem; of 28 it is not known")
"""One function of C gives quotient and remainder of large integers."""

INLINE_SHIFTS: Final = Feature(29, "emu/arith_instrs.tab, i_bsl; erl_arith.c, erts_bsl, which nothing calls")
"""Of a VM that exports no symbols the functions of shifts are not to be found, only those of the BIFs."""

THREADS_OF_ERTS: Final = Feature(27, "names that nodes of 25 and 27 print of their threads; of 26 it is not known")
"""Names of the VM's threads begin with ``erts_``."""

MAYBE: Final = Feature(27, "lib/stdlib/src/erl_features.erl, maybe_expr")
"""``maybe`` and ``else`` are reserved words if nobody says otherwise."""
