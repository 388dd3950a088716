"""Which registers hold values that are wanted, and which nothing yet, in functions written here and in real ones."""

from __future__ import annotations

import pytest

from jit.beam.effects import effects
from jit.beam.module import read_module
from jit.beam.operands import BeamLabel, Import, Integer, Operand, X, Y
from jit.beam.operations import Operation, operation
from jit.codegen.liveness import live_before, mask, unwritten_before
from tests.beam.liveness import Liveness
from tests.codegen.native_node import library

Row = tuple[str, tuple[Operand, ...], int]


def compiled(rows: list[Row]) -> tuple[list[Operation], list[int]]:
    """Operations, and what stands beside each."""
    return [operation(name, *operands) for name, operands, _ in rows], [told for _, _, told in rows]


#: Masks of the y registers without a value: y0 is bit 0.
UNWRITTEN: dict[str, list[Row]] = {
    "a frame begins with nothing in it": [
        ("allocate", (3, 1), 0b000),
        ("move", (X(0), Y(1)), 0b111),
        ("move", (X(0), Y(0)), 0b101),
        ("move", (X(0), Y(2)), 0b100),
        ("return", (), 0b000),
    ],
    "what is trimmed away is at the low end, and others get its numbers": [
        ("allocate", (4, 1), 0b0000),
        ("move", (X(0), Y(0)), 0b1111),
        ("move", (X(0), Y(2)), 0b1110),
        ("trim", (2, 2), 0b1010),
        ("move", (X(0), Y(1)), 0b10),
        ("deallocate", (2,), 0b00),
        ("return", (), 0b00),
    ],
    "no frame, no y registers": [
        ("allocate", (2, 0), 0b00),
        ("deallocate", (2,), 0b11),
        ("allocate", (1, 0), 0b0),
        ("return", (), 0b1),
    ],
    "a register that is unwritten on one way may be so where ways meet": [
        ("allocate", (2, 1), 0b00),
        ("is_nil", (BeamLabel(7), X(0)), 0b11),
        ("move", (X(0), Y(0)), 0b11),
        ("label", (7,), 0b11),
        ("move", (X(0), Y(1)), 0b11),
        ("return", (), 0b01),
    ],
    "a loop, to which a way leads back": [
        ("allocate", (2, 1), 0b00),
        ("move", (X(0), Y(0)), 0b11),
        ("label", (7,), 0b10),
        ("is_nil", (BeamLabel(8), X(0)), 0b10),
        ("move", (X(0), Y(1)), 0b10),
        ("jump", (BeamLabel(7),), 0b00),
        ("label", (8,), 0b10),
        ("return", (), 0b10),
    ],
    "what comes behind an end is not reached from there": [
        ("allocate", (1, 1), 0b0),
        ("is_nil", (BeamLabel(7), X(0)), 0b1),
        ("return", (), 0b1),
        ("label", (7,), 0b1),
        ("move", (X(0), Y(0)), 0b1),
        ("return", (), 0b0),
        ("label", (9,), 0b0),
        ("return", (), 0b0),
    ],
    "where exceptions are caught there is a value in each": [
        ("allocate", (2, 1), 0b00),
        ("try", (Y(0), BeamLabel(9)), 0b11),
        ("return", (), 0b10),
        ("label", (9,), 0b00),
        ("try_case", (Y(0),), 0b00),
        ("return", (), 0b00),
    ],
}


@pytest.mark.parametrize("case", UNWRITTEN)
def test_y_registers_without_a_value(case: str) -> None:
    operations, told = compiled(UNWRITTEN[case])
    assert unwritten_before(operations, [effects(one) for one in operations]) == told


#: Masks of the x registers whose values are wanted.
LIVE: dict[str, list[Row]] = {
    "from where it is written to where it is read": [
        ("move", (Integer(1), X(2)), 0b001),
        ("move", (X(0), X(1)), 0b101),
        ("put_tuple2", (X(0), (X(1), X(2))), 0b110),
        ("return", (), 0b001),
    ],
    "one that is read and written": [
        ("swap", (X(0), X(1)), 0b11),
        ("move", (X(1), X(0)), 0b10),
        ("return", (), 0b01),
    ],
    "the collector reads what there is": [
        ("test_heap", (2, 3), 0b111),
        ("move", (X(1), X(0)), 0b010),
        ("return", (), 0b001),
    ],
    "a label to which an operation may go": [
        ("is_nil", (BeamLabel(7), X(0)), 0b111),
        ("move", (X(2), X(0)), 0b100),
        ("return", (), 0b001),
        ("label", (7,), 0b010),
        ("move", (X(1), X(0)), 0b010),
        ("return", (), 0b001),
    ],
    "what a collection loses before it fails is of no use there": [
        ("gc_bif2", (BeamLabel(7), 1, Import("erlang", "+", 2), X(0), Integer(1), X(0)), 0b01),
        ("return", (), 0b01),
        ("label", (7,), 0b10),
        ("move", (X(1), X(0)), 0b10),
        ("return", (), 0b01),
    ],
    "a loop needs at its end what its beginning reads": [
        ("label", (7,), 0b10),
        ("move", (X(1), X(0)), 0b10),
        ("is_nil", (BeamLabel(8), X(0)), 0b11),
        ("jump", (BeamLabel(7),), 0b10),
        ("label", (8,), 0b01),
        ("return", (), 0b01),
    ],
    "a handler finds what the exception tells": [
        ("try", (Y(0), BeamLabel(9)), 0b01),
        ("return", (), 0b01),
        ("label", (9,), 0b10),
        ("move", (X(1), X(0)), 0b10),
        ("return", (), 0b01),
    ],
}


@pytest.mark.parametrize("case", LIVE)
def test_x_registers_that_are_wanted(case: str) -> None:
    operations, told = compiled(LIVE[case])
    assert live_before(operations, [effects(one) for one in operations]) == told


@pytest.mark.parametrize("module", ["lists", "gen_server"])
def test_real_functions_read_nothing_that_is_not_there(module: str) -> None:
    """Against the same worked out by sets of registers, and for y registers by the code itself."""
    for function in read_module(library(27, "stdlib") / f"{module}.beam").functions:
        told = [effects(one) for one in function.operations]
        live, unwritten = (rule(function.operations, told) for rule in (live_before, unwritten_before))
        by_sets = Liveness(function)
        for at, (one, effect) in enumerate(zip(function.operations, told)):
            where = f"{function.name}/{function.arity}: {one.name}"
            wanted = [register for register in by_sets.before[at] if isinstance(register, X)]
            assert not mask(wanted) & ~live[at], where
            used = sum(1 << register.number for register in set(effect.uses) if isinstance(register, Y))
            assert not used & unwritten[at], where
