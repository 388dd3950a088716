"""Where `process_main` keeps the state of Erlang code: in which registers or slots of its stack frame.

The compiler decides, anew for each build. It is found by what handlers do with these places: each handler here is one
whose effect is known from the definition of its operation (emu/*.tab in the sources of OTP), and many must agree.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from beamgdb.interpreter.operations import Operation, Unsupported
from beamgdb.interpreter.symbolic.paths import Follower, Path
from beamgdb.interpreter.symbolic.values import Initial, Loaded, Mixed, Sum, Value, leaves, plus
from beamgdb.late import dataclass
from beamgdb.memory import Unreadable

WITNESSES = 2
"""Operations that must tell a role, at least."""


@dataclass(frozen=True)
class Roles:
    """Places of the variables of `process_main` (emu/beam_emu.c): a register by GDB's name, or a slot as `sp+N`. Where
    code is not optimised, all but I and E may also be in a slot at a distance from another register, as in `rbp-56`.

    `instruction` is I, the next or present instruction; `stack` is E, the Erlang stack pointer; `heap_top` HTOP;
    `reductions` FCALLS; `x_registers` is `reg`, the address of x0; `process` is c_p.
    """

    instruction: str
    stack: str
    heap_top: str
    reductions: str
    x_registers: str
    process: str


RoleRule = Callable[[Path, int, int], Iterator[tuple[str, str]]]
"""What a path through a handler tells, as (role, place), given the size of a word and the offset of a process's id."""


def recover(
    operations: Iterable[Operation],
    follower: Follower[Any],
    word: int,
    id_offset: int,
    described: Mapping[str, str] = MappingProxyType({}),
) -> Roles:
    """The places, found from handlers; of roles that those do not tell, what is `described`. Raises `Unsupported` where
    neither tells, or handlers disagree."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for operation in operations:
        for pattern, rules in _TELLING:
            if pattern.fullmatch(operation.name):
                for role, place in _told(operation, follower, rules, word, id_offset):
                    found[role][operation.name].add(place)
    return Roles(**{field.name: _agreed(field.name, found[field.name], described) for field in fields(Roles)})


def _told(
    operation: Operation, follower: Follower[Any], rules: tuple[RoleRule, ...], word: int, id_offset: int
) -> Iterator[tuple[str, str]]:
    try:
        for path in follower.paths(operation.handler):
            for rule in rules:
                yield from rule(path, word, id_offset)
    except Unreadable:
        return


def _agreed(role: str, told: dict[str, set[str]], described: Mapping[str, str]) -> str:
    """The place that all operations tell: a handler may leave a copy in another one. `told`: places by operation."""
    what = role.replace("_", " ")
    if not told and role in described:
        return described[role]
    if not told:
        raise Unsupported(f"process_main's {what} was not found in the handlers of its operations")
    common = set.intersection(*told.values())
    if len(common) != 1:
        text = ", ".join(
            f"{place} ({min(name for name, places in told.items() if place in places)})"
            for place in sorted(set.union(*told.values()))
        )
        raise Unsupported(f"handlers of process_main disagree on where its {what} is: {text}")
    if len(told) < WITNESSES:
        raise Unsupported(f"only {min(told)} tells where process_main's {what} is: too few")
    return common.pop()


def _next_instruction(path: Path, word: int, _: int) -> Iterator[tuple[str, str]]:
    """I: it has moved on by the size of the instruction, and the word there is jumped to."""
    for place, value in path.state.places.items():
        moved = isinstance(value, Sum) and value.base == Initial(place) and 0 < value.offset <= 4 * word
        if moved and path.target is not None and Loaded(value) in leaves(path.target):
            yield "instruction", place


def _x_destination(path: Path, *_: int) -> Iterator[tuple[str, str]]:
    yield from (("x_registers", place) for place in _destinations(path))


def _y_destination(path: Path, *_: int) -> Iterator[tuple[str, str]]:
    yield from (("stack", place) for place in _destinations(path))


def _destinations(path: Path) -> Iterator[str]:
    """Places to which an operand of the instruction was added, to store there."""
    for address, _value in path.state.stores:
        if isinstance(address, Mixed) and len(address.parts) == 2:
            bases = [part.place for part in address.parts if isinstance(part, Initial)]
            if len(bases) == 1 and any(isinstance(leaf, Loaded) for leaf in leaves(address)):
                yield bases[0]


def _cons(path: Path, word: int, _: int) -> Iterator[tuple[str, str]]:
    """HTOP: two words were stored there, and it has moved behind them."""
    addresses = {address for address, _value in path.state.stores}
    for place, value in path.state.places.items():
        start = Initial(place)
        if value == Sum(start, 2 * word) and {start, Sum(start, word)} <= addresses:
            yield "heap_top", place


def _counted(path: Path, *_: int) -> Iterator[tuple[str, str]]:
    """FCALLS: one less than before."""
    for place, value in path.state.places.items():
        if value == Sum(Initial(place), -1):
            yield "reductions", place


def _continuation(path: Path, word: int, _: int) -> Iterator[tuple[str, str]]:
    """E and I: the address of what follows the call is stored at E."""
    for address, value in path.state.stores:
        if not isinstance(address, Initial) or not isinstance(value, Sum) or not isinstance(value.base, Initial):
            continue
        if 0 < value.offset <= 4 * word:
            yield "stack", address.place
            yield "instruction", value.base.place


def _returned(path: Path, *_: int) -> Iterator[tuple[str, str]]:
    """E and I: I is what was at E, where NIL is stored."""
    for address, _value in path.state.stores:
        for place, value in path.state.places.items():
            if isinstance(address, Initial) and value == Loaded(address) and _jumps_to(path, Loaded(value)):
                yield "stack", address.place
                yield "instruction", place


def _jumps_to(path: Path, value: Value) -> bool:
    return path.target is not None and value in leaves(path.target)


def _own_id(path: Path, _word: int, id_offset: int) -> Iterator[tuple[str, str]]:
    """c_p: its id is stored."""
    for _address, value in path.state.stores:
        if isinstance(value, Loaded):
            base = value.address.base if isinstance(value.address, Sum) else value.address
            if isinstance(base, Initial) and value.address == plus(base, id_offset):
                yield "process", base.place


_TELLING: tuple[tuple[re.Pattern[str], tuple[RoleRule, ...]], ...] = (
    (re.compile(r"move_[nc]x"), (_next_instruction, _x_destination)),
    (re.compile(r"move_cy"), (_next_instruction, _y_destination)),
    (re.compile(r"self_x"), (_next_instruction, _x_destination, _own_id)),
    (re.compile(r"self_y"), (_next_instruction, _y_destination, _own_id)),
    (re.compile(r"put_list_r[nx]x|put_list_xx[xr]|put_list_xn[xy]"), (_next_instruction, _cons)),
    (re.compile(r"i_call_f|move_call_[xyc]f"), (_continuation, _counted)),
    (re.compile(r"i_call_only_f"), (_counted,)),
    (re.compile(r"return|move_return_[nxc]|deallocate_return\d"), (_returned, _counted)),
)
"""Operations by name, and the rules that hold for their handlers."""
