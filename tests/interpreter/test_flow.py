"""Where arguments are, from one instruction of a function to the next."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from beamgdb.interpreter.bytecode import Operand, OperandKind
from beamgdb.interpreter.flow import UNDECIDED, Flow, KnownState, analyse
from beamgdb.interpreter.instructions import LoadedInstruction
from tests.interpreter.assembler import NO_LABEL, START, assemble, label, number, term, x, y

EXPORT = Operand(OperandKind.EXPORT, 0x4000_0000)
ATOM = term(0x100B)
CALL = ("i_call_ext_e", [EXPORT])
RETURN = ("deallocate_return_Q", [number(0)])

Code = tuple[str, Sequence[Operand]]


def analysed(
    arity: int, *code: Code, handler: int = 0, release: int = 27
) -> tuple[Flow, tuple[LoadedInstruction, ...]]:
    """The flow through code; catches lead to the instruction with the number `handler`."""
    made = assemble(release, *code)
    return analyse(made, START, arity, lambda index: made[handler].address), made


def arguments(state: KnownState | None) -> dict[str, int] | None:
    """Registers that hold arguments, as `x0` or `y0`."""
    if state is None:
        return None
    frame = state.frame or 0
    return {
        f"x{place.number}" if place.kind is OperandKind.X else f"y{frame - place.number}": argument
        for place, argument in state.places.items()
    }


def before(arity: int, *code: Code, at: int, handler: int = 0) -> dict[str, int] | None:
    """What is known before the instruction with the number `at`."""
    flow, made = analysed(arity, *code, handler=handler)
    return arguments(flow.before(made[at].address))


def after(arity: int, *code: Code) -> dict[str, int] | None:
    """What is known after some instructions, of a function that has allocated six y registers."""
    return before(arity, ("allocate_tt", [number(6), number(arity)]), *code, RETURN, at=len(code) + 1)


def test_at_the_entry_arguments_are_in_x_registers() -> None:
    assert before(2, ("return", []), at=0) == {"x0": 0, "x1": 1}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (("move_xy", [x(1), y(0)]), {"x0": 0, "x1": 1, "y0": 1}),
        (("move_cx", [ATOM, x(0)]), {"x1": 1}),
        (("swap_xx", [x(0), x(1)]), {"x1": 0, "x0": 1}),
        (("swap2_xxx", [x(0), x(1), x(2)]), {"x1": 0, "x2": 1}),
        (("move_shift_xxy", [x(1), x(0), y(3)]), {"y3": 0, "x0": 1, "x1": 1}),
        (("move2_par_xxxy", [x(0), x(1), x(1), y(2)]), {"x0": 0, "x1": 0, "y2": 1}),
        (("move_window2_xxy", [x(1), x(0), y(2)]), {"x0": 0, "x1": 1, "y2": 1, "y3": 0}),
        (("get_list_xxy", [x(0), x(1), y(0)]), {"x0": 0}),
        (("i_get_tuple_element2_xPx", [x(1), number(0), x(0)]), {}),
        (("i_init_seq3_y", [y(0)]), {"x0": 0, "x1": 1}),
        (("put_list_xxx", [x(0), x(1), x(0)]), {"x1": 1}),
        (("i_bif1_body_sbd", [x(1), Operand(OperandKind.BIF, 4), x(1)]), {"x0": 0}),
        (("test_heap_It", [number(4), number(1)]), {"x0": 0}),
        (("i_update_record_in_place_txxts", [number(3), x(0), x(2), number(1), ATOM]), {}),
        (("set_tuple_element_sSP", [ATOM, x(0), number(1)]), {"x1": 1}),
        (CALL, {}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_an_operation_does_to_registers(code: Code, expected: dict[str, int]) -> None:
    assert after(2, code) == expected


def test_a_window_of_y_registers_is_moved_at_once() -> None:
    saved: list[Code] = [("move_xy", [x(0), y(2)]), ("move_xy", [x(1), y(3)])]
    assert after(2, *saved, CALL, ("move_src_window2_yxx", [y(2), x(1), x(0)])) == {"y2": 0, "y3": 1, "x1": 0, "x0": 1}


def test_x_registers_above_the_live_ones_are_lost_when_a_frame_is_made() -> None:
    assert before(3, ("allocate_tt", [number(1), number(2)]), RETURN, at=1) == {"x0": 0, "x1": 1}


def test_y_registers_keep_arguments_while_a_call_is_in_progress() -> None:
    flow, made = analysed(
        2, ("allocate_tt", [number(2), number(2)]), ("move_xy", [x(1), y(0)]), ("i_call_f", [label(0)]), RETURN
    )
    assert arguments(flow.during_call(made[3].address)) == {"y0": 1}
    assert flow.during_call(made[2].address) is None


def test_trimming_renumbers_y_registers() -> None:
    code: tuple[Code, ...] = (("move_xy", [x(0), y(1)]), ("move_xy", [x(1), y(4)]), CALL, ("i_trim_t", [number(2)]))
    assert after(2, *code) == {"y2": 1}


def test_where_paths_meet_what_all_agree_on_is_kept() -> None:
    code: tuple[Code, ...] = (
        ("is_atom_fx", [label(2), x(0)]),
        ("swap_xx", [x(1), x(2)]),
        ("return", []),
    )
    assert before(3, *code, at=2) == {"x0": 0}


def test_a_destination_is_written_only_if_all_goes_well() -> None:
    code: tuple[Code, ...] = (
        ("is_nonempty_list_get_hd_fxx", [label(2), x(0), x(0)]),
        ("return", []),
        ("return", []),
    )
    assert before(1, *code, at=1) == {}
    assert before(1, *code, at=2) == {"x0": 0}


def test_some_values_of_a_map_may_be_written_in_vain() -> None:
    code: tuple[Code, ...] = (
        ("i_get_map_elements_fsI", [label(2), x(0), number(3), ATOM, x(1), number(7)]),
        ("return", []),
        ("return", []),
    )
    assert before(2, *code, at=2) == {"x0": 0}


def test_each_label_of_a_table_is_followed() -> None:
    code: tuple[Code, ...] = (
        ("i_select_val2_xfcc", [x(0), label(1), ATOM, term(0x104B), label(2), label(3)]),
        ("badmatch_x", [x(0)]),
        ("move_return_x", [x(1)]),
        ("move_return_x", [x(0)]),
    )
    assert [before(2, *code, at=at) for at in (1, 2, 3)] == [{"x0": 0, "x1": 1}] * 3


CATCH: tuple[Code, ...] = (
    ("allocate_tt", [number(3), number(2)]),
    ("move_xy", [x(0), y(1)]),
    ("move_xy", [x(1), y(2)]),
    ("catch_yf", [y(0), Operand(OperandKind.CATCH, 5)]),
    CALL,
    ("move_cy", [ATOM, y(2)]),
    CALL,
    ("try_end_y", [y(0)]),
    RETURN,
    ("try_case_y", [y(0)]),
    RETURN,
)


def test_an_exception_continues_in_the_handler_with_what_is_surely_kept() -> None:
    assert before(2, *CATCH, at=6, handler=9) == {"y1": 0}
    assert before(2, *CATCH, at=9, handler=9) == {"y1": 0}
    assert before(2, *CATCH[:5], *CATCH[6:], at=8, handler=8) == {"y1": 0, "y2": 1}


def test_a_catch_whose_handler_is_not_known_makes_everything_unknown() -> None:
    made = assemble(27, *CATCH)
    assert not analyse(made, START, 2, lambda index: None).states


def test_an_operation_that_is_not_known_makes_everything_unknown() -> None:
    flow, _ = analysed(1, ("is_atom_fx", [label(2), x(0)]), ("return", []), ("i_generic_breakpoint", []))
    assert not flow.states


def test_frames_of_different_sizes_may_meet_where_an_exception_is_raised() -> None:
    code: tuple[Code, ...] = (
        ("is_atom_fx", [label(2), x(0)]),
        ("allocate_tt", [number(1), number(1)]),
        ("badmatch_x", [x(0)]),
    )
    flow, made = analysed(1, *code)
    state = flow.before(made[2].address)
    assert state is not None
    assert state.frame == UNDECIDED
    assert arguments(state) == {"x0": 0}


def test_while_an_instruction_is_in_progress_only_what_it_leaves_alone_is_known() -> None:
    flow, made = analysed(
        2,
        ("allocate_tt", [number(2), number(2)]),
        ("move_xy", [x(0), y(0)]),
        ("move_xy", [x(1), y(1)]),
        ("i_plus_xxjd", [x(0), x(1), NO_LABEL, y(0)]),
        RETURN,
    )
    adding = made[3].address
    assert arguments(flow.before(adding)) == {"x0": 0, "x1": 1, "y0": 0, "y1": 1}
    # x registers may have been overwritten for an exception.
    assert arguments(flow.during(adding, settled=True)) == {"y1": 1}
    # The move before it may still be under way.
    assert arguments(flow.during(adding, settled=False)) == {}


def test_a_collection_in_progress_leaves_live_x_registers() -> None:
    flow, made = analysed(2, ("test_heap_It", [number(9), number(1)]), ("return", []))
    assert arguments(flow.during(made[0].address, settled=True)) == {"x0": 0}


def test_a_bif_as_the_last_call_may_be_traced_in_a_frame_of_its_own() -> None:
    bif = Operand(OperandKind.BIF, 4)
    code: tuple[Code, ...] = (("call_light_bif_only_be", [bif, EXPORT]), ("deallocate_return0", []))
    flow, made = analysed(1, *code)
    assert flow.before(made[1].address) == KnownState(0, {})
