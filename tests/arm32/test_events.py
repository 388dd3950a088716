"""What the assembler records of instructions: what they do to the stack, and where control goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, LO
from jit.arm32.operands import at, lsl, pre
from jit.arm32.registers import LR, PC, R0, R1, R4, R12, SP
from jit.arm32.relocations import External
from jit.codegen.processor import (
    Called,
    Event,
    Jumped,
    Label,
    OperandError,
    RegisterLoaded,
    RegisterSaved,
    StackMoved,
)

HERE = 4, 8
ELSEWHERE = External("somewhere")
JUMPED, PERHAPS, CALLED = Jumped(*HERE, None, True), Jumped(*HERE, None, False), Called(*HERE, None)

#: Instructions, and what each does.
EVENTS: dict[str, tuple[Callable[[Assembler], None], list[Event]]] = {
    "push": (
        lambda a: a.push(R4, LR),
        [StackMoved(*HERE, 8), RegisterSaved(*HERE, 4, 0), RegisterSaved(*HERE, 14, 4)],
    ),
    "push one": (lambda a: a.push(R4), [StackMoved(*HERE, 4), RegisterSaved(*HERE, 4, 0)]),
    "push perhaps": (lambda a: a.push(R4, LR, cond=EQ), []),
    "pop": (
        lambda a: a.pop(R4, R12),
        [RegisterLoaded(*HERE, 4, 0), RegisterLoaded(*HERE, 12, 4), StackMoved(*HERE, -8)],
    ),
    "pop pc": (lambda a: a.pop(PC), [RegisterLoaded(*HERE, 15, 0), StackMoved(*HERE, -4), JUMPED]),
    "pop pc perhaps": (lambda a: a.pop(R4, PC, cond=EQ), [PERHAPS]),
    "room": (lambda a: a.sub(SP, SP, 28), [StackMoved(*HERE, 28)]),
    "no room": (lambda a: a.add(SP, SP, 28), [StackMoved(*HERE, -28)]),
    "room perhaps": (lambda a: a.sub(SP, SP, 28, EQ), []),
    "an address on the stack": (lambda a: a.add(R0, SP, 8), []),
    "lr on the stack": (lambda a: a.str(LR, at(SP, 12)), [RegisterSaved(*HERE, 14, 12)]),
    "lr below the stack": (lambda a: a.str(LR, at(SP, -8)), [RegisterSaved(*HERE, 14, -8)]),
    "lr on the stack perhaps": (lambda a: a.str(LR, at(SP, 12), EQ), []),
    "lr elsewhere": (lambda a: a.str(LR, at(R0, 12)), []),
    "an argument": (lambda a: a.str(R0, at(SP, 12)), []),
    "branch": (lambda a: a.b(ELSEWHERE), [JUMPED]),
    "branch perhaps": (lambda a: a.b(ELSEWHERE, EQ), [PERHAPS]),
    "return": (lambda a: a.bx(LR), [JUMPED]),
    "return perhaps": (lambda a: a.bx(LR, EQ), [PERHAPS]),
    "load of pc": (lambda a: a.ldr(PC, at(SP, 12)), [JUMPED]),
    "load of several and pc": (lambda a: a.ldm(R0, (R1, PC)), [JUMPED]),
    "table": (lambda a: a.add(PC, PC, lsl(R0, 2), LO), [PERHAPS]),
    "move to pc": (lambda a: a.mov(PC, LR), [JUMPED]),
    "call": (lambda a: a.bl(ELSEWHERE), [CALLED]),
    "call perhaps": (lambda a: a.bl(ELSEWHERE, EQ), [CALLED]),
    "call of a register": (lambda a: a.blx(R12), [CALLED]),
    "call of thumb code": (lambda a: a.blx(ELSEWHERE), [CALLED]),
    "a load": (lambda a: a.ldr(R0, at(SP)), []),
    "a comparison": (lambda a: a.cmp(SP, 0), []),
    "another stack": (lambda a: a.str(R1, pre(R4, -4)), []),
}


@pytest.mark.parametrize("name", EVENTS)
def test_events(name: str) -> None:
    append, expected = EVENTS[name]
    a = Assembler()
    a.mov(R0, 0)
    append(a)
    assert a.finish().events == expected


@pytest.mark.parametrize("back", [True, False])
def test_targets_are_told(back: bool) -> None:
    a, place = Assembler(), Label()
    if back:
        a.bind(place)
    a.b(place, EQ)
    a.bl(place)
    if not back:
        a.bind(place)
    assert a.finish().events == [Jumped(0, 4, place, False), Called(4, 8, place)]


def test_the_jump_over_a_pool() -> None:
    """It is recorded too, behind the load for which there is no more room."""
    a = Assembler()
    while not (events := a.finish().events if a.offset > 5000 else []):
        a.ldr_literal(R0, 0x1234_0000 + a.offset)
    (jumped,) = events
    assert isinstance(jumped, Jumped)
    assert jumped.always
    assert jumped.target is not None
    assert jumped.target.offset is not None
    assert jumped.target.offset > jumped.end


def test_nothing_is_recorded_of_what_is_refused() -> None:
    a = Assembler()
    with pytest.raises(OperandError):
        a.push(SP)
    with pytest.raises(OperandError):
        a.sub(SP, SP, 0x12345)
    with pytest.raises(OperandError):
        a.blx(ELSEWHERE, EQ)
    assert a.finish().events == []
