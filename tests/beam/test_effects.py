"""What operations are said to read and write, checked on real code.

A sound compiler's code reads no register without a value, and moves nothing into a register that nobody reads. Were we
to miss something that is read, moves would seem to be for nothing; were we to miss something that is written, or to say
that something is read that is not, there would be reads of registers without a value.
"""

from __future__ import annotations

import pytest

from jit.beam.effects import Effects, effects
from jit.beam.module import read_module
from jit.beam.opcodes import OPCODES, Role
from jit.beam.operands import BeamLabel, Import, Integer, Operand, Typed, X, Y
from jit.beam.operations import operation
from jit.beam.terms import NIL, Atom
from jit.beam.types import ANY
from tests.beam.liveness import Liveness
from tests.beam.sound_files import SAMPLE, all_files

#: Operations that do nothing but give registers their values.
MOVES = frozenset("move get_hd get_tl get_list get_tuple_element put_list put_tuple2".split())


#: Operations that may collect garbage with as many x registers as an operand says: the others lose their values.
COLLECT = frozenset(
    "gc_bif1 gc_bif2 gc_bif3 allocate allocate_heap allocate_zero allocate_heap_zero test_heap put_map_assoc "
    "put_map_exact bs_start_match3 bs_start_match4 bs_get_integer2 bs_get_float2 bs_get_binary2 bs_get_utf8 "
    "bs_get_utf16 bs_get_utf32 bs_skip_utf8 bs_skip_utf16 bs_skip_utf32 bs_get_tail bs_get_position bs_create_bin "
    "bs_init2 bs_init_bits bs_append put_record".split()
)


def test_who_loses_registers() -> None:
    """Real code cannot tell: it reads no register that is lost."""
    assert {opcode.name for opcode in OPCODES.values() if Role.LIVE in (opcode.roles or ())} == COLLECT


@pytest.mark.skipif(not all_files(), reason="Erlang is not installed")
def test_real_code() -> None:
    files = [path for path in all_files() if path.stem in SAMPLE] + list(all_files()[:: max(1, len(all_files()) // 30)])
    seen: set[str] = set()
    for path in files:
        for function in read_module(path).functions:
            live = Liveness(function)
            where = f"{path.stem}:{function.name}/{function.arity}"
            assert live.at(function.entry) <= frozenset(map(X, range(function.arity))), where
            for i, op in enumerate(function.operations):
                assert not live.lost(i), (where, op)
                assert not (op.name in MOVES and live.idle(i)), (where, op)
                seen.add(op.name)
    assert len(seen) > 100


PLUS = Import("erlang", "+", 2)


@pytest.mark.parametrize(
    ("name", "operands", "expected"),
    [
        ("move", (Y(1), X(0)), Effects((Y(1),), (X(0),), None, None, (), True)),
        ("swap", (X(0), Y(1)), Effects((X(0), Y(1)), (X(0), Y(1)), None, None, (), True)),
        ("call", (2, BeamLabel(7)), Effects((X(0), X(1)), (X(0),), 0, None, (), True)),
        ("call_last", (1, BeamLabel(7), 3), Effects((X(0),), (), None, None, (), False, -3)),
        ("call_fun", (1,), Effects((X(0), X(1)), (X(0),), 0, None, (), True)),
        ("apply_last", (0, 2), Effects((X(0), X(1)), (), None, None, (), False, -2)),
        ("allocate", (4, 1), Effects((), (), 1, None, (), True, 4)),
        ("trim", (2, 1), Effects((), (), None, None, (), True, 0, 2)),
        (
            "gc_bif2",
            (BeamLabel(3), 2, PLUS, Typed(X(1), ANY), Integer(1), X(0)),
            Effects((X(1),), (X(0),), 2, 2, (3,), True),
        ),
        ("is_nil", (BeamLabel(0), X(0)), Effects((X(0),), (), None, None, (), True)),
        (
            "select_val",
            (X(0), BeamLabel(1), (Atom("a"), BeamLabel(2))),
            Effects((X(0),), (), None, None, (1, 2), False),
        ),
        (
            "get_map_elements",
            (BeamLabel(1), X(0), (X(1), X(2))),
            Effects((X(0), X(1)), (X(2),), None, None, (1,), True),
        ),
        (
            "bs_match",
            (BeamLabel(1), X(0), (Atom("ensure_at_least"), 8, 1, Atom("integer"), 2, NIL, 8, 1, X(1))),
            Effects((X(0),), (X(1),), 2, None, (1,), True),
        ),
        (  # the fewest registers that one of its commands leaves
            "bs_match",
            (BeamLabel(1), X(0), (Atom("get_tail"), 3, 1, X(2), Atom("integer"), 2, NIL, 8, 1, X(1))),
            Effects((X(0),), (X(2), X(1)), 2, None, (1,), True),
        ),
        (
            "bs_match",
            (BeamLabel(1), X(0), (Atom("integer"), 2, NIL, 8, 1, X(1), Atom("get_tail"), 3, 1, X(2))),
            Effects((X(0),), (X(1), X(2)), 2, None, (1,), True),
        ),
        (
            "put_map_assoc",
            (BeamLabel(0), X(2), X(0), 3, (Atom("a"), X(1))),
            Effects((X(2), X(1)), (X(0),), 3, None, (), True),
        ),
        (
            "bs_create_bin",
            (BeamLabel(4), 0, 2, 8, X(0), (Atom("integer"), 1, 1, NIL, X(1), Integer(8))),
            Effects((X(1),), (X(0),), 2, 2, (4,), True),
        ),
        ("bs_get_tail", (X(0), X(1), 1), Effects((X(0),), (X(1),), 1, None, (), True)),
        ("bs_start_match4", (Atom("no_fail"), 1, X(0), X(0)), Effects((X(0),), (X(0),), 1, None, (), True)),
        ("wait_timeout", (BeamLabel(1), X(0)), Effects((X(0),), (), 0, 0, (1,), True)),
        ("try", (Y(0), BeamLabel(5)), Effects((), (Y(0),), None, None, (5,), True)),
        ("try_case", (Y(0),), Effects((Y(0),), (Y(0), X(0), X(1), X(2)), 0, None, (), True)),
        ("func_info", (Atom("m"), Atom("f"), 2), Effects((X(0), X(1)), (), None, None, (), False)),
    ],
)
def test_effects(name: str, operands: tuple[Operand, ...], expected: Effects) -> None:
    assert effects(operation(name, *operands)) == expected
