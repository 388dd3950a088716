"""Which registers hold values, and which still hold arguments, in functions that are written here as bytecode."""

from __future__ import annotations

from jit.beam.effects import effects
from jit.beam.operands import BeamLabel, Import, Integer, X, Y
from jit.beam.operations import Function, Operation, operation
from jit.beam.terms import Atom
from jit.codegen.values import X_MASK, InMemory, Values, mask, values_before

ENTRY = 2
PLUS = Import("erlang", "+", 2)


def known(arity: int, *body: Operation, dead: tuple[int, ...] = ()) -> list[Values | None]:
    """What is known before each operation of a body, and after its last one; x registers *dead* are never live."""
    head = [
        operation("label", 1),
        operation("func_info", Atom("m"), Atom("f"), arity),
        operation("label", ENTRY),
    ]
    operations = [*head, *body, operation("return")]
    live = [X_MASK & ~mask([X(number) for number in dead])] * len(operations)
    told = [effects(one) for one in operations]
    function = Function("f", arity, ENTRY, operations)
    return values_before(function, operations, told, InMemory(live, live))[len(head) :]


def expect(row: Values | None, *wanted: X | Y, arguments: tuple[tuple[X | Y, ...], ...] = ()) -> None:
    assert row is not None
    assert row.known == mask(wanted)
    if arguments:
        assert row.arguments == tuple(mask(one) for one in arguments)


def test_arguments_move() -> None:
    rows = known(
        2,
        operation("allocate", 1, 2),
        operation("move", X(1), Y(0)),
        operation("swap", X(0), X(1)),
        operation("move", Integer(1), X(0)),
    )
    expect(rows[0], X(0), X(1), arguments=((X(0),), (X(1),)))
    expect(rows[2], X(0), X(1), Y(0), arguments=((X(0),), (X(1), Y(0))))
    expect(rows[3], X(0), X(1), Y(0), arguments=((X(1),), (X(0), Y(0))))
    expect(rows[4], X(0), X(1), Y(0), arguments=((X(1),), (Y(0),)))


def test_calls_and_collections_lose_registers() -> None:
    rows = known(
        3,
        operation("test_heap", 2, 2),
        operation("call", 2, BeamLabel(ENTRY)),
        operation("move", X(0), X(5)),
    )
    expect(rows[1], X(0), X(1))
    expect(rows[2], X(0), arguments=((), (), ()))
    expect(rows[3], X(0), X(5))


def test_stack_frames() -> None:
    rows = known(
        0,
        operation("allocate", 3, 0),
        operation("init_yregs", (Y(0), Y(2))),
        operation("trim", 2, 1),
        operation("deallocate", 1),
    )
    expect(rows[1])
    expect(rows[2], Y(0), Y(2))
    expect(rows[3], Y(0))
    expect(rows[4])


def test_where_ways_meet_only_what_all_know() -> None:
    rows = known(
        1,
        operation("is_nil", BeamLabel(3), X(0)),
        operation("move", Integer(1), X(1)),
        operation("move", Integer(1), X(2)),
        operation("jump", BeamLabel(4)),
        operation("label", 3),
        operation("move", Integer(2), X(1)),
        operation("label", 4),
    )
    expect(rows[4], X(0))
    expect(rows[6], X(0), X(1))


def test_at_a_handler_only_what_no_operation_between_has_written() -> None:
    rows = known(
        2,
        operation("allocate", 3, 2),
        operation("move", X(0), Y(0)),
        operation("move", X(1), Y(1)),
        operation("try", Y(2), BeamLabel(5)),
        operation("move", Integer(1), Y(1)),
        operation("call", 1, BeamLabel(ENTRY)),
        operation("try_end", Y(2)),
        operation("jump", BeamLabel(6)),
        operation("label", 5),
        operation("try_case", Y(2)),
        operation("label", 6),
    )
    expect(rows[8], X(0), X(1), X(2), X(3), Y(0), Y(1), Y(2), arguments=((Y(0),), ()))


def test_an_operation_that_fails_half_way_may_have_written_some() -> None:
    """Not what was there before, nor what would be there after: that depends on where it failed."""
    rows = known(
        2,
        operation("get_map_elements", BeamLabel(3), X(0), (Atom("a"), X(1), Atom("b"), X(2))),
        operation("jump", BeamLabel(4)),
        operation("label", 3),
        operation("label", 4),
    )
    expect(rows[1], X(0), X(1), X(2), arguments=((X(0),), ()))
    expect(rows[2], X(0), arguments=((X(0),), ()))


def test_an_operation_that_fails_leaves_all_as_it_was() -> None:
    rows = known(
        2,
        operation("bif1", BeamLabel(3), Import("erlang", "hd", 1), X(0), X(1)),
        operation("jump", BeamLabel(4)),
        operation("label", 3),
        operation("label", 4),
    )
    expect(rows[1], X(0), X(1), arguments=((X(0),), ()))
    expect(rows[2], X(0), X(1), arguments=((X(0),), (X(1),)))


def test_a_handler_in_a_frame_that_was_trimmed_tells_nothing_of_arguments() -> None:
    """The register that is written between is the one that has held the argument under another name."""
    rows = known(
        1,
        operation("allocate", 3, 1),
        operation("move", X(0), Y(2)),
        operation("trim", 1, 2),
        operation("try", Y(0), BeamLabel(5)),
        operation("move", Integer(1), Y(1)),
        operation("call", 0, BeamLabel(ENTRY)),
        operation("try_end", Y(0)),
        operation("jump", BeamLabel(6)),
        operation("label", 5),
        operation("try_case", Y(0)),
        operation("label", 6),
    )
    assert rows[4] is not None
    assert rows[4].arguments == (mask((X(0), Y(1))),)
    assert rows[8] is not None
    assert rows[8].arguments == (0,)


def test_values_that_nobody_reads_may_not_be_stored() -> None:
    rows = known(1, operation("move", Integer(1), X(0)), operation("move", Integer(1), X(1)), dead=(0,))
    expect(rows[0], X(0))
    expect(rows[2], X(1))


def test_loops_are_followed_until_nothing_changes() -> None:
    rows = known(
        2,
        operation("label", 3),
        operation("gc_bif2", BeamLabel(0), 1, PLUS, X(0), Integer(1), X(0)),
        operation("jump", BeamLabel(3)),
    )
    expect(rows[0], X(0), arguments=((), ()))
