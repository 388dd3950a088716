"""What ARM64 instructions do, as far as BeamAsm uses them, and its use of the registers.

erts/emulator/beam/jit/arm/beam_asm.hpp, OTP 27: x20 (`E`) is the Erlang stack pointer, always; sp is that of the thread
and does not change in functions, only in shared fragments. x19 points at the `ErtsSchedulerRegisters`, x21 at the
Process. x0 to x5 of BEAM live in x25 to x28, x15 and x16; x15 and x16 are written to the array of x registers before
C code is called, the others only where C code is to see them (`emit_enter_runtime`).

The return address comes in x30 (`lr`). A function pushes it on the Erlang stack with its first instruction, which is
part of the prologue for breakpoints, and pops it before it returns or makes a tail call. Shared fragments keep it in
lr, or push it on the thread's stack. So pass functions with their prologue.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from beamgdb.beamasm.aarch64_decode import AS_NATIVE, LENGTH_LIVE, PROLOGUE_SIZES, call_target, decode
from beamgdb.beamasm.aarch64_instructions import C_P, E
from beamgdb.beamasm.facts import NATIVE, RETURN_ADDRESS, STACK, WORD, Facts
from beamgdb.beamasm.flow import ALL_X, CodeBytes, Entry, Slot, Stretch
from beamgdb.machine_code.aarch64 import REGISTERS

__all__ = ["KEEPING_FRAGMENTS", "MACHINE", "PROLOGUE", "RAISING_FRAGMENTS", "call_target", "entry_of"]

PROLOGUE: Final = 0
"""Bytes of a function's prologue that are no part of its flow."""

_X_REGISTERS: Final = MappingProxyType({"x25": 0, "x26": 1, "x27": 2, "x28": 3, "x15": 4, "x16": 5})

RAISING_FRAGMENTS: Final = frozenset(
    "raise_exception raise_exception_null_exp raise_exception_shared raise_shared bs_create_bin_error_shared"
    " bs_size_check_shared handle_and_error handle_element_error_shared handle_hd_error handle_map_get_badkey"
    " handle_map_get_badmap handle_map_size_error handle_node_error handle_not_error handle_or_error handle_tl_error"
    " i_func_info_shared".split()
)
"""Shared fragments, as BeamAsm registers them after `global::`, that are called or jumped to and do not return."""
KEEPING_FRAGMENTS: Final = MappingProxyType(
    dict.fromkeys(
        "arith_compare_shared bif_bit_size_body bif_byte_size_body bif_element_body_shared bif_element_guard_shared"
        " bif_is_eq_exact_shared bif_is_ne_exact_shared bif_tuple_size_body bif_tuple_size_guard bs_add_body_shared"
        " bs_add_guard_shared bs_get_tail_shared bs_get_utf8_shared bs_get_utf8_short_shared check_float_error"
        " construct_utf8_shared fconv_shared get_sint64_shared i_bif_body_shared i_bif_guard_shared"
        " i_breakpoint_trampoline_shared i_get_map_element_hash_shared i_get_map_element_shared int128_to_big_shared"
        " int_div_rem_body_shared int_div_rem_guard_shared is_eq_exact_list_shared is_eq_exact_shallow_boxed_shared"
        " is_ge_lt_shared is_in_range_shared mul_add_body_shared mul_add_guard_shared mul_body_shared mul_guard_shared"
        " store_unaligned update_map_single_assoc_shared update_map_single_exact_body_shared".split(),
        ALL_X,
    )
    | dict.fromkeys(
        "i_band_body_shared i_bnot_body_shared i_bnot_guard_shared i_bor_body_shared i_bsl_body_shared"
        " i_bsr_body_shared i_bxor_body_shared minus_body_shared plus_body_shared unary_minus_body_shared".split(),
        AS_NATIVE,
    )
    | {"garbage_collect": "x3", "i_length_body_shared": LENGTH_LIVE, "i_length_guard_shared": LENGTH_LIVE}
)
"""Shared fragments that come back with x registers as they were. Before the second group, the function itself has
written x15 and x16 to memory, and reads them again afterwards."""
_FRAMED: Final = frozenset(
    "bif_export_trap bif_nif_epilogue call_bif_shared call_nif_early call_nif_shared call_nif_yield_helper dispatch_bif"
    " dispatch_nif i_test_yield_shared".split()
)
"""Shared fragments that functions jump to after pushing the return address."""
_UNFOLLOWED: Final = frozenset("debug_bp process_exit process_main".split())
"""Shared fragments that begin with pushed frames of others, or on the stack of whatever process there is."""


class Aarch64:
    """ARM64 as BeamAsm uses it."""

    stack_pointer = E
    native_stack_pointer = "sp"
    saved_stack_pointer = E
    x_array = "x19"
    process = C_P
    x_registers: Mapping[str, int] = _X_REGISTERS
    callee_saved = frozenset(f"x{n}" for n in range(19, 30))
    parameters: tuple[str, ...] = tuple(f"x{n}" for n in range(8))
    host_registers = REGISTERS
    entry_depth = 0
    returns: Slot | None = None

    def entry(self, entry: Entry) -> Facts:
        """What is known of stacks and return address at the first instruction."""
        now: Facts = {"sp": (NATIVE, 0), E: (STACK, 0)}
        if entry is Entry.FRAMED:
            now[E] = (STACK, -WORD)
            now[STACK, -WORD] = (RETURN_ADDRESS, 0)
        else:
            now["x30" if entry is Entry.CALLED else "x1"] = (RETURN_ADDRESS, 0)
        return now

    def at_entry(self, offset: int) -> bool:
        return offset in PROLOGUE_SIZES

    def decode(self, code: CodeBytes, start: int) -> Stretch:
        return decode(code, start)


def entry_of(fragment: str, has_frame_pointers: bool) -> Entry | None:
    """How control comes to a shared fragment (its name without `global::`), None where that is not known. There are no
    frame pointers."""
    if fragment in _UNFOLLOWED:
        return None
    if fragment in _FRAMED:
        return Entry.FRAMED
    return Entry.RAISED if fragment == "raise_exception_shared" else Entry.CALLED


MACHINE: Final = Aarch64()
