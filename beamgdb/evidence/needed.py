"""Which fields must be proved for what, and how much is looked at for that. Quick to import: known builds need no
more."""

from __future__ import annotations

from jit.otp.layouts.layout import Layout

ALL_SLOTS = 1 << 22
"""Slots of a process table at most where reading is quick: all of it, but of a very large one (`erl +P`), which takes a
minute to read. The first slots are used first."""

FEW_SLOTS = 1 << 13
"""Slots that are looked at where each packet takes its time."""

Needed = tuple[tuple[str, str], ...]
"""Structures, and fields of them; "sizeof" is the size."""

ALWAYS: Needed = (
    ("IndexTable", "entries seg_table"),
    ("Atom", "len name|u.bin"),
    ("ErtsPTab", "r.o.tab r.o.max r.o.invalid_element r.o.pix_mask"),
    ("ErtsPTab", "r.o.pix_cl_mask r.o.pix_cl_shift r.o.pix_cli_mask r.o.pix_cli_shift"),
    ("Process", "common.id common.u.alive.reg u.initial.module u.initial.function u.initial.arity"),
    ("Process", "heap hend stop i state"),
    ("RegProc", "name"),
    ("ErtsCodeMFA", "module function arity"),
    ("BeamCodeHeader", "num_functions functions"),
    ("ranges", "modules n allocated sizeof"),
    ("Range", "start end sizeof"),
    ("ErtsSchedulerData", "registers tid"),
    ("ErtsSchedulerRegisters", "x_reg_array.d"),
)
"""What all else rests on: without one of these, or of those that stand for each other, there is no layout."""

BY_THE_JIT: Needed = (("ErtsSchedulerRegisters", "sizeof"), ("Process", "current arity arg_reg"))

BY_THE_INTERPRETER: Needed = (
    ("Process", "current"),
    ("ErtsCodeInfo", "mfa.module mfa.function mfa.arity sizeof"),
    ("OpEntry", "name sign sz adjust pack sizeof"),
    ("BeamCodeHeader", "line_table sizeof"),
    ("BeamCodeLineTab", "fname_ptr loc_size loc_tab.p2 func_tab"),
)

LATER: Needed = (("ErtsSchedulerData", "current_process"), ("Process", "scheduler_data arity arg_reg"))
"""What only a stop shows at which some process runs, or waits to run with arguments."""


BY_TERMS: Needed = (("ErlFunEntry", "module old_index old_uniq"), ("Process", "parent sig_qs.first"))
"""What only shows once there are enough processes and terms: not while a node begins. It takes longer to look for."""


def has(layout: Layout, wanted: Needed) -> bool:
    """Whether all of these are known."""
    return all(layout.has(struct, name) for struct, names in wanted for name in names.split())


def may_be_proved(layout: Layout, is_seen: bool) -> bool:
    """Whether something is not known that another stop may show; `is_seen`: one at which a user waits."""
    return layout.is_proved and not has(layout, (*LATER, *BY_TERMS) if is_seen else LATER)
