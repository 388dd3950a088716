"""How numbers are looked for: every one is found, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label
from jit.codegen.select import Halved, OneByOne, Plan, Table, plan


def found(number: int, way: Plan) -> Label | None:
    """Where a number goes; None if nowhere."""
    match way:
        case Table(least, targets):
            return targets[number - least] if 0 <= number - least < len(targets) else None
        case Halved((middle, target), less, more):
            return target if number == middle else found(number, less if number < middle else more)
        case OneByOne(cases):
            return dict(cases).get(number)


@given(st.sets(st.integers(-50, 50), min_size=1), st.integers(-60, 60), st.sampled_from([1, 7]))
def test_it_is_found(numbers: set[int], sought: int, apart: int) -> None:
    cases = {number * apart: Label() for number in numbers}
    assert found(sought, plan(list(cases.items()))) is cases.get(sought)


def test_a_table_is_used_at_least_by_half() -> None:
    def kind(*numbers: int) -> type:
        return type(plan([(number, Label()) for number in numbers]))

    assert kind(1, 2, 3) is OneByOne
    assert kind(1, 2, 3, 4) is Halved
    assert kind(5, 4, 3, 2, 1) is Table
    assert kind(1, 3, 5, 7, 10) is Table
    assert kind(1, 3, 5, 7, 11) is Halved


def test_a_value_that_stands_twice_is_refused() -> None:
    with pytest.raises(Unsupported, match="two cases of one value"):
        plan([(1, Label()), (1, Label())])
