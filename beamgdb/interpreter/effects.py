"""What operations of the interpreter do to x and y registers and to the frame, and where they lead.

As they are defined in the sources of OTP 25, 27 and 29: emu/*.tab, from which beam_makeops generates the handlers.
Where releases differ in what an operation does, they differ in its name. The general rule: an operand of the kind `d`
is written if all goes well, and a label is where control may go instead of to the next instruction. What else an
operation does stands in the table here; of one that is not there nothing is known.

Terms in x registers from a certain number on, that of the live ones, are lost wherever there may be a garbage
collection: it does not see them, and moves what they point to.
"""

from __future__ import annotations

from enum import Enum
from typing import Union

from beamgdb.interpreter.bytecode import PRIVATE_APPEND, Decoded, Operand, OperandKind
from beamgdb.late import dataclass


class Outcome(Enum):
    """Where control goes, besides to branches."""

    NEXT = "to the next instruction"
    CALL = "to a function, which returns to the next instruction"
    LEAVE = "nowhere else in this function"
    RETURN_OR_CALL = "out of the function; or to another, which returns to the next instruction, in an empty frame"


class FrameChange(Enum):
    """What happens to the frame on the Erlang stack, besides that y registers are written."""

    KEPT = "nothing"
    ALLOCATED = "it is made, if all goes well"
    TRIMMED = "its first y registers are removed"
    DEALLOCATED = "it is removed"


Move = tuple[Operand, Operand]
"""A register that is written, and what with: a register or a term."""


@dataclass(frozen=True)
class Effects:
    """What an instruction does: first its moves, then what is written, then what becomes of the frame.

    `branches` are addresses in the function where control may go. `moves` are steps, each of moves that are made at the
    same time. `written` get other terms, unless control goes to a branch; `spoilt` do so even then. x registers from
    the number `live` on are lost; None: none. `frame_size` is the number of y registers that are made or removed.
    `changes`: the terms in these registers are changed in place; `changes_any`: so may any term be. `catches` is a y
    register in which a catch is put, and the index of the catch. `quiet`: as long as the instruction is in progress,
    live x registers keep their terms.
    """

    control: Outcome
    branches: tuple[int, ...]
    moves: tuple[tuple[Move, ...], ...]
    written: tuple[Operand, ...]
    spoilt: tuple[Operand, ...]
    live: int | None
    frame: FrameChange
    frame_size: int
    changes: tuple[Operand, ...]
    changes_any: bool
    catches: tuple[int, int] | None
    quiet: bool


def of(instruction: Decoded) -> Effects | None:
    """The effects of an instruction, None where they are not known."""
    rule = _RULES.get(instruction.name)
    if rule is None:
        return None
    operands, catches = instruction.operands, instruction.name == "catch"
    return Effects(
        control=rule.control,
        branches=() if rule.calls else _labels(instruction),
        moves=_moves(instruction, rule),
        written=_written(instruction, rule),
        spoilt=instruction.table[1 :: _EXTRACTED[instruction.name]] if instruction.name in _EXTRACTED else (),
        live=_live(instruction, rule),
        frame=rule.frame,
        frame_size=operands[rule.frame_size].value if rule.frame_size is not None else 0,
        changes=tuple(operands[n] for n in rule.changes),
        changes_any=rule.changes_any or _appends_in_place(instruction),
        catches=(operands[0].value, operands[1].value) if catches else None,
        quiet=rule.quiet,
    )


_EXTRACTED = {"i_get_map_elements": 3, "i_get_record_elements": 2}
"""Operations that put parts of a term into registers until one is missing: words of their tables for each part, of
which the second is the register."""

Reference = Union[int, tuple[int, int]]
"""An operand by its number; or the register that is so many behind it, as (number, distance)."""


@dataclass(frozen=True)
class _Rule:
    """The effects of an operation, by the numbers of its operands.

    `writes` are written besides operands of the kind `d`, and x register number `writes_x`. `live` is the operand with
    the number of live x registers, and `lives` is that number where it is always the same. `calls`: labels are those of
    functions. `moves` are steps of pairs, what is written and with what.
    """

    control: Outcome = Outcome.NEXT
    writes: tuple[Reference, ...] = ()
    writes_x: int | None = None
    live: int | None = None
    lives: int | None = None
    calls: bool = False
    moves: tuple[tuple[tuple[Reference, Reference], ...], ...] = ()
    frame: FrameChange = FrameChange.KEPT
    frame_size: int | None = None
    changes: tuple[int, ...] = ()
    changes_any: bool = False
    quiet: bool = False


def _labels(instruction: Decoded) -> tuple[int, ...]:
    found = (*instruction.operands, *instruction.table)
    return tuple(dict.fromkeys(operand.value for operand in found if operand.kind is OperandKind.LABEL))


def _referred(instruction: Decoded, reference: Reference) -> Operand:
    number, distance = reference if isinstance(reference, tuple) else (reference, 0)
    operand = instruction.operands[number]
    return operand._replace(value=operand.value + distance) if distance else operand


def _moves(instruction: Decoded, rule: _Rule) -> tuple[tuple[Move, ...], ...]:
    return tuple(
        tuple((_referred(instruction, to), _referred(instruction, what)) for to, what in step) for step in rule.moves
    )


def _written(instruction: Decoded, rule: _Rule) -> tuple[Operand, ...]:
    general = [operand for operand, letter in zip(instruction.operands, instruction.signature) if letter == "d"]
    special = [_referred(instruction, reference) for reference in rule.writes]
    fixed = [Operand(OperandKind.X, rule.writes_x)] if rule.writes_x is not None else []
    return (*general, *special, *fixed)


def _live(instruction: Decoded, rule: _Rule) -> int | None:
    return instruction.operands[rule.live].value if rule.live is not None else rule.lives


def _appends_in_place(instruction: Decoded) -> bool:
    made = instruction.name == "i_bs_create_bin" and instruction.table
    return bool(made) and instruction.table[0].value == PRIVATE_APPEND


def _rules() -> dict[str, _Rule]:
    rules: dict[str, _Rule] = {}
    for names, rule in _TABLE:
        rules |= dict.fromkeys(names.split(), rule)
    return rules


def _from_row(count: int) -> tuple[tuple[tuple[Reference, Reference], ...]]:
    """A move from so many registers in a row to those that the following operands name."""
    return (tuple((number + 1, (0, number)) for number in range(count)),)


def _to_row(count: int) -> tuple[tuple[tuple[Reference, Reference], ...]]:
    """A move from those that so many operands name to registers in a row from the next operand on."""
    return (tuple(((count, number), number) for number in range(count)),)


_TESTS = """
    cold_is_function2 hot_is_function2 i_is_eq_exact_immed i_is_eq_exact_literal i_is_ne_exact_immed
    i_is_ne_exact_literal is_atom is_binary is_bitstring is_boolean is_eq is_eq_exact is_float is_function is_ge
    is_ge_literal is_integer is_list is_lt is_lt_literal is_map is_ne is_ne_exact is_nil is_nonempty_list is_number
    is_pid is_port is_reference is_tagged_tuple is_tagged_tuple_ff is_tuple is_tuple_of_arity test_arity
    bs_test_tail_imm2 bs_test_unit bs_test_unit8 bs_test_zero_tail2 i_bs_test_unit i_bs_test_unit8
    i_is_native_record i_is_record_accessible i_is_wildcard_record_accessible is_any_native_record
"""

_ARITHMETIC = """
    i_band i_bor i_bsl i_bsr i_bxor i_increment i_int_bnot i_int_div i_m_div i_minus i_plus i_rem i_times i_unary_minus
    fconv fload fstore i_fadd i_fdiv i_fmul i_fnegate i_fsub
"""

_BITS = """
    bs_put_string bs_set_position i_bs_drop i_bs_ensure_bits i_bs_ensure_bits_read i_bs_ensure_bits_unit i_bs_eq
    i_bs_extract_integer i_bs_get_fixed_binary i_bs_get_fixed_integer i_bs_get_integer_16 i_bs_get_integer_32
    i_bs_get_integer_8 i_bs_get_tail i_bs_get_utf16 i_bs_get_utf8 i_bs_match_string i_bs_put_utf16 i_bs_put_utf8
    i_bs_read_bits i_bs_skip i_bs_skip_bits2 i_bs_skip_bits_imm2 i_bs_validate_unicode i_bs_validate_unicode_retract
    i_new_bs_put_binary i_new_bs_put_binary_all i_new_bs_put_binary_imm i_new_bs_put_float i_new_bs_put_float_imm
    i_new_bs_put_integer i_new_bs_put_integer_imm
"""

_TABLE: tuple[tuple[str, _Rule], ...] = (
    # By the general rule alone.
    (_TESTS, _Rule()),
    (_ARITHMETIC, _Rule()),
    (_BITS, _Rule()),
    ("i_bif1 i_bif1_body i_bif2 i_bif2_body i_bif3 i_bif3_body i_element i_fast_element i_get i_get_hash", _Rule()),
    ("i_get_map_elements i_make_fun3 i_update_record_continue i_update_record_in_place_done", _Rule()),
    ("i_recv_mark i_recv_set recv_marker_bind recv_marker_clear recv_marker_use", _Rule()),
    ("remove_message timeout timeout_locked", _Rule()),
    ("i_get_local_record_field i_get_record_elements i_get_record_field", _Rule()),
    ("i_debug_line i_disabled_line_breakpoint", _Rule()),
    # Frames.
    ("allocate allocate_zero i_allocate_zero", _Rule(frame=FrameChange.ALLOCATED, frame_size=0, live=1, quiet=True)),
    (
        "allocate_heap allocate_heap_zero i_allocate_heap_zero",
        _Rule(frame=FrameChange.ALLOCATED, frame_size=0, live=2, quiet=True),
    ),
    ("allocate_init", _Rule(frame=FrameChange.ALLOCATED, frame_size=0, live=1, quiet=True)),
    (
        "is_integer_allocate is_nonempty_list_allocate",
        _Rule(frame=FrameChange.ALLOCATED, frame_size=2, live=3, quiet=True),
    ),
    ("deallocate", _Rule(frame=FrameChange.DEALLOCATED)),
    ("i_trim", _Rule(frame=FrameChange.TRIMMED, frame_size=0)),
    ("move_trim", _Rule(frame=FrameChange.TRIMMED, frame_size=2, moves=(((1, 0),),))),
    ("i_init init", _Rule(writes=(0,))),
    ("i_init2 init2", _Rule(writes=(0, 1))),
    ("i_init3 init3", _Rule(writes=(0, 1, 2))),
    ("i_init_seq3 init_seq3", _Rule(writes=tuple((0, n) for n in range(3)))),
    ("i_init_seq4 init_seq4", _Rule(writes=tuple((0, n) for n in range(4)))),
    ("i_init_seq5 init_seq5", _Rule(writes=tuple((0, n) for n in range(5)))),
    # Moves.
    ("move", _Rule(moves=(((1, 0),),))),
    ("move2_par", _Rule(moves=(((1, 0), (3, 2)),))),
    ("move3", _Rule(moves=(((1, 0),), ((3, 2),), ((5, 4),)))),
    ("move_shift", _Rule(moves=(((2, 1), (1, 0)),))),
    ("move_jump", _Rule(Outcome.LEAVE, moves=(((2, 1),),))),
    ("move_x1", _Rule(writes_x=1)),
    ("move_x2", _Rule(writes_x=2)),
    ("swap", _Rule(moves=(((0, 1), (1, 0)),))),
    ("swap2", _Rule(moves=(((1, 0), (0, 2), (2, 1)),))),
    ("move_src_window2", _Rule(moves=_from_row(2))),
    ("move_src_window3", _Rule(moves=_from_row(3))),
    ("move_src_window4", _Rule(moves=_from_row(4))),
    ("move_window2", _Rule(moves=_to_row(2))),
    ("move_window3", _Rule(moves=_to_row(3))),
    ("move_window4", _Rule(moves=_to_row(4))),
    ("move_window5", _Rule(moves=_to_row(5))),
    # Parts of terms.
    ("get_list", _Rule(writes=(1, 2))),
    ("get_hd get_tl", _Rule(writes=(1,))),
    ("is_nonempty_list_get_list", _Rule(writes=(2, 3))),
    ("is_nonempty_list_get_hd is_nonempty_list_get_tl", _Rule(writes=(2,))),
    ("i_get_tuple_element", _Rule(writes=(2,))),
    ("i_get_tuple_element2", _Rule(writes=(2, (2, 1)))),
    ("i_get_tuple_element2_dst", _Rule(writes=(2, 3))),
    ("i_get_tuple_element3", _Rule(writes=(2, (2, 1), (2, 2)))),
    ("test_arity_get_tuple_element", _Rule(writes=(4,))),
    ("i_get_map_element", _Rule(writes=(3,))),
    ("i_get_map_element_hash", _Rule(writes=(4,))),
    # Terms that are made.
    ("node put_tuple2 self", _Rule(writes=(0,))),
    ("put_list", _Rule(writes=(2,))),
    ("update_list", _Rule(writes=(1,))),
    ("test_heap", _Rule(live=1, quiet=True)),
    ("test_heap_1_put_list", _Rule(lives=1, writes_x=0)),
    ("i_new_small_map_lit new_map", _Rule(live=1)),
    ("update_map_assoc", _Rule(live=2)),
    ("update_map_exact", _Rule(live=3)),
    ("i_create_local_native_record i_create_native_record i_update_native_record", _Rule(live=2)),
    ("i_update_record_copy", _Rule(writes=(2,))),
    ("i_update_record_in_place", _Rule(writes=(2,), changes_any=True)),
    ("set_tuple_element", _Rule(changes=(1,))),
    ("i_length_setup", _Rule(live=0)),
    ("i_length", _Rule(live=1)),
    # Bit strings that are made, and matched.
    ("bs_add", _Rule(writes=(4,))),
    ("i_bs_utf16_size i_bs_utf8_size i_bs_get_position i_bs_read_integer_8", _Rule(writes=(1,))),
    ("i_bs_append", _Rule(writes=(5,), live=2)),
    ("i_bs_private_append", _Rule(writes=(4,), changes_any=True)),
    ("i_bs_create_bin", _Rule(live=2)),
    ("i_bs_init i_bs_init_bits", _Rule(writes=(2,), live=1)),
    ("i_bs_init_bits_heap i_bs_init_heap", _Rule(writes=(3,), live=2)),
    ("i_bs_init_bits_fail i_bs_init_fail", _Rule(writes=(3,), live=2)),
    ("i_bs_init_bits_fail_heap i_bs_init_fail_heap", _Rule(writes=(4,), live=3)),
    ("bs_init_writable", _Rule(lives=0)),
    ("i_bs_start_match3", _Rule(live=1)),
    ("i_bs_start_match3_gp", _Rule(writes=(4,), live=1)),
    ("bs_get_position bs_get_tail", _Rule(live=2)),
    ("i_bs_get_binary2 i_bs_get_binary_all2 i_bs_get_binary_imm2 i_bs_get_float2 i_bs_get_integer", _Rule(live=2)),
    ("i_bs_get_integer_imm", _Rule(writes=(5,), live=2)),
    ("i_bs_get_integer_small_imm", _Rule(writes=(4,))),
    # Jumps.
    ("jump", _Rule(Outcome.LEAVE)),
    ("i_jump_on_val i_jump_on_val_zero i_select_tuple_arity i_select_tuple_arity2", _Rule(Outcome.LEAVE)),
    ("i_select_val2 i_select_val_bins i_select_val_lins", _Rule(Outcome.LEAVE)),
    # Messages. There are no live x registers in a receive statement.
    ("i_loop_rec wait_timeout_locked wait_timeout_locked_int", _Rule(lives=0)),
    ("wait_timeout_unlocked wait_timeout_unlocked_int", _Rule(lives=0)),
    ("loop_rec_end wait_locked wait_unlocked", _Rule(Outcome.LEAVE, lives=0)),
    ("recv_marker_reserve", _Rule(writes=(0,))),
    # Exceptions.
    ("catch try_end", _Rule(writes=(0,))),
    ("catch_end try_case", _Rule(writes=(0,), lives=0)),
    ("build_stacktrace raw_raise", _Rule(lives=0)),
    ("badmatch badrecord case_end i_raise i_wait_error i_wait_error_locked", _Rule(Outcome.LEAVE)),
    ("if_end system_limit_body try_case_end", _Rule(Outcome.LEAVE)),
    # Calls.
    ("i_call move_call", _Rule(Outcome.CALL, calls=True, lives=0)),
    ("apply call_light_bif i_apply i_apply_fun i_call_ext i_call_fun", _Rule(Outcome.CALL, lives=0)),
    ("i_move_call_ext send", _Rule(Outcome.CALL, lives=0)),
    # A debugger's function. It gives live x registers back, but which are those is known to it alone.
    ("i_enabled_line_breakpoint", _Rule(Outcome.CALL, lives=0)),
    ("call_light_bif_only", _Rule(Outcome.RETURN_OR_CALL, lives=0)),
    ("i_load_nif i_perf_counter i_yield", _Rule(lives=0)),
    ("i_call_last i_call_only move_call_last move_call_only", _Rule(Outcome.LEAVE, calls=True)),
    ("apply_last i_apply_fun_last i_apply_fun_only i_apply_last i_apply_only i_call_ext_last", _Rule(Outcome.LEAVE)),
    ("i_call_ext_only i_call_fun_last i_move_call_ext_last i_move_call_ext_only", _Rule(Outcome.LEAVE)),
    ("call_bif call_nif", _Rule(Outcome.LEAVE, quiet=True)),
    ("call_nif_early i_hibernate", _Rule(Outcome.LEAVE)),
    # Returns.
    ("deallocate_return deallocate_return0 deallocate_return1 deallocate_return2", _Rule(Outcome.LEAVE)),
    ("deallocate_return3 deallocate_return4 move_deallocate_return move_return return", _Rule(Outcome.LEAVE)),
)
"""Operations by their generic names, and what they do."""

_RULES = _rules()
