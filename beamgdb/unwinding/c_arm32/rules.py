"""What the registers of the caller are at a place in C code for 32-bit ARM, as its paths show."""

from __future__ import annotations

from collections.abc import Container
from itertools import islice
from typing import Final

from beamgdb.late import dataclass
from beamgdb.machine_code.arm32 import CALLEE_SAVED, GENERAL, decode
from beamgdb.unwinding.c_arm32.paths import WORD, PagedCode, PathState, Register, Return, Saved, Walk

FORWARD_BUDGET: Final = 6_000
"""Instructions followed in search of returns."""
FROM_START_BUDGET: Final = 40_000
"""Instructions followed from the start of a function. The largest, `process_main`, has 13,000."""
ENOUGH_RETURNS: Final = 6
"""Returns found with which the search ends."""
MAX_FRAME: Final = 1 << 20
"""Bytes of a frame."""
MAX_BODY: Final = 1 << 16
"""Bytes of a function that are looked through."""


@dataclass(frozen=True)
class Rule:
    """What the registers of the caller are, in terms of those of the frame. What is not in `saved` is unknown."""

    stack_pointer: Register | Saved
    return_address: Register | Saved
    saved: dict[str, Register | Saved]


def start_state(innermost: bool) -> PathState:
    """All registers are as they are; those that a call overwrites are unknown where one is in progress."""
    known = GENERAL[:15] + CALLEE_SAVED if innermost else ("sp", *CALLEE_SAVED)
    return PathState({name: Register(name) for name in known})


@dataclass(frozen=True)
class Body:
    """What shows in the instructions of a function as they stand in memory, whichever way control takes.

    What is no instruction (literals, jump tables) is taken for one, and may add to this; that does little harm.
    """

    start: int
    """Odd for Thumb code."""
    moves_stack_pointer: bool
    """The stack pointer is given back from another register: the frame may have no fixed size."""
    written: frozenset[str]
    """Registers that are changed, other than by popping them."""


def body_of(code: PagedCode, start: int, end: int) -> Body:
    """The function from `start` (odd for Thumb code) to `end`."""
    pc, end, thumb = start & ~1, min(end, start + MAX_BODY), bool(start & 1)
    moves, written = False, set()
    while pc < end:
        instruction = decode(code.at(pc, WORD), pc, thumb)
        changed = {effect.to for effect in instruction.effects if effect.kind != "store"}
        if "sp" not in changed:
            written |= changed
        elif any(effect.to == "sp" and effect.source in GENERAL[4:12] for effect in instruction.effects):
            moves = True
        pc += instruction.size
    return Body(start, moves, frozenset(written))


def rule_at(code: PagedCode, starts: Container[int], body: Body, place: int) -> Rule | None:
    """The rule at `place` in a function.

    None where no path leads to `place`, or where the return address or the end of the frame has been lost there.
    """
    walk = Walk(code, starts, FROM_START_BUDGET)
    walk.begin(body.start & ~1, bool(body.start & 1), start_state(True))
    state = walk.reach(place)
    if state is not None:
        return rule_of_frame(state, body)
    # The instructions of an interpreter are entered by jumps to computed addresses, always with the same frame.
    rules = [rule_of_frame(state, body) for state in walk.computed] if walk.complete else []
    return rules[0] if rules and all(rule == rules[0] for rule in rules) else None


def rules_of_returns(
    code: PagedCode, starts: Container[int], place: int, thumb: bool, innermost: bool, it: int
) -> list[tuple[Rule, bool]]:
    """The rules at `place` that ways to returns of the function tell, those across few calls first.

    With each, whether its way is surely one: it crosses no call, not even that which is in progress.
    """
    walk = Walk(code, starts, FORWARD_BUDGET)
    walk.begin(place, thumb, start_state(innermost), it)
    found: list[tuple[Rule, bool]] = []
    for each in islice(walk.returns(), ENOUGH_RETURNS):
        rule = rule_of_return(each) if each.sure else None
        if rule is not None and rule not in [other for other, _ in found]:
            found.append((rule, innermost and each.calls == 0))
    return found


def rule_of_return(found: Return) -> Rule | None:
    """The caller's registers are what the path has made of them."""
    sp = found.state.registers.get("sp")
    if not isinstance(sp, (Register, Saved)):
        return None
    saved = {name: found.state.registers.get(name) for name in CALLEE_SAVED}
    return Rule(sp, found.address, {name: at for name, at in saved.items() if isinstance(at, (Register, Saved))})


def rule_of_frame(state: PathState, body: Body) -> Rule | None:
    """The caller's registers are where the function has put them since its start."""
    base = _frame_base(state, body)
    if base is None:
        return None
    name, depth = base
    # What lies below the stack pointer has been popped.
    lowest = depth if name == "sp" else -MAX_FRAME
    # Before a register is used otherwise, other slots may get its value too, as that of a variable: the first counts.
    slots: dict[str, int] = {}
    for (region, at), value in state.memory.items():
        if region == "sp" and lowest <= at < 0 and isinstance(value, Register) and not value.offset:
            slots[value.name] = max(at, slots.get(value.name, at))

    def place(register: str) -> Register | Saved | None:
        if register in slots and (register in body.written or register == "lr"):
            return Saved(name, slots[register] - depth)
        # It may have been pushed only to make room, and its slot be used for something else.
        return Register(register) if state.registers.get(register) == Register(register) else None

    address = place("lr")
    if address is None:
        return None
    saved = {register: place(register) for register in CALLEE_SAVED}
    return Rule(Register(name, -depth), address, {key: at for key, at in saved.items() if at is not None})


def _frame_base(state: PathState, body: Body) -> tuple[str, int] | None:
    """A register that points into the frame, and how far from its end."""
    for name in ("r7", "fp", "sp") if body.moves_stack_pointer else ("sp", "r7", "fp"):
        value = state.registers.get(name)
        if isinstance(value, Register) and value.name == "sp":
            return name, value.offset
    return None
