"""What an operation reads and writes, and where control goes after it: what liveness analysis asks.

Operands tell most of it by their roles. What else an operation does stands here, after OTP's beam_validator.erl.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jit.beam.matching import COMMANDS, match_commands
from jit.beam.opcodes import Role
from jit.beam.operands import BeamLabel, BeamRegister, Lambda, Operand, X, register_of
from jit.beam.operations import Operation


@dataclass(frozen=True)
class Effects:
    """What an operation does to registers and to the course of control.

    ``uses`` are read before any of ``defines`` is written; a register may be there twice. ``defines`` are written when
    control goes on to the next operation. When it goes to one of ``labels`` they are not, or hold nothing that may be
    used (get_map_elements writes as it goes).

    ``live``: x registers from x(live) on have no value at the next operation unless defined, as there may be a garbage
    collection or another process in between. ``live_at_labels``: the same, where control goes to one of ``labels``.
    None: all x registers keep their values.

    ``labels`` leave out label 0, where failure raises an exception, and functions that are called. Where
    ``falls_through`` is false, control never goes on to the next operation. ``frame``: y registers allocated, below
    zero deallocated. ``trim``: so many y registers are gone, and what was y(n + trim) is now y(n).

    Two operations need more than that. The label of ``try`` and ``catch`` is that of their handler: control goes there
    by an exception at any later operation up to ``try_end``, ``try_case`` or ``catch_end``, with ``defines`` written;
    there x0 to x3 tell of the exception, and no other x register has a value. And ``wait_timeout``, to which control
    comes back by its own label after each message, reads its time only when it is executed first.
    """

    uses: tuple[BeamRegister, ...]
    defines: tuple[BeamRegister, ...]
    live: int | None
    live_at_labels: int | None
    labels: tuple[int, ...]
    falls_through: bool
    frame: int = 0
    trim: int = 0


#: Operations after which control never goes on to the next one.
_ENDS: Final = frozenset(
    "return jump select_val select_tuple_arity call_only call_last call_ext_only call_ext_last apply_last wait "
    "loop_rec_end func_info badmatch if_end case_end try_case_end badrecord raise".split()
)

#: X registers from x0 on that operations read beside those that they name. For calls see ``_arguments``.
_USES: Final = {"return": 1, "send": 2, "raw_raise": 3, "build_stacktrace": 1, "bs_init_writable": 1, "catch_end": 1}

#: X registers from x0 on that operations write beside those that they name.
_DEFINES: Final = {
    "call": 1, "call_ext": 1, "call_fun": 1, "call_fun2": 1, "apply": 1, "send": 1, "raw_raise": 1,
    "build_stacktrace": 1, "bs_init_writable": 1, "make_fun2": 1, "catch_end": 1, "try_case": 3,
}  # fmt: skip

#: X registers that operations without a ``LIVE`` operand leave, if not all.
_LIVE: Final = {
    "call": 0, "call_ext": 0, "call_fun": 0, "call_fun2": 0, "apply": 0, "send": 0, "raw_raise": 0,
    "build_stacktrace": 1, "bs_init_writable": 0, "try_case": 0, "wait": 0, "wait_timeout": 0, "timeout": 0,
    "loop_rec_end": 0,
}  # fmt: skip

#: Operations that may collect garbage, or wait, before control goes to their label.
_LOSES_BEFORE_FAILING: Final = frozenset("gc_bif1 gc_bif2 gc_bif3 bs_create_bin wait wait_timeout loop_rec_end".split())

#: X registers that calls read beside their arguments: the fun; the module and the name of the function.
_BESIDE_ARGUMENTS: Final = {"call_fun": 1, "apply": 2, "apply_last": 2}

_ALLOCATES: Final = frozenset(("allocate", "allocate_heap", "allocate_zero", "allocate_heap_zero"))


def effects(operation: Operation) -> Effects:
    """What an operation does. Raises ValueError for one whose operands are not known."""
    name = operation.name
    uses: list[BeamRegister] = []
    defines: list[BeamRegister] = []
    labels: list[int] = []
    live = _LIVE.get(name)
    frame = trim = 0
    for operand, role in operands_of(operation):
        if (register := register_of(operand)) is not None:
            if role in _READ:
                uses.append(register)
            if role in _WRITTEN:
                defines.append(register)
        elif isinstance(operand, BeamLabel):
            if operand.number and role not in (Role.PLACE, Role.CALLEE):
                labels.append(operand.number)
        elif isinstance(operand, int):
            if role is Role.LIVE:
                live = operand if live is None else min(live, operand)
            elif role is Role.ARITY:
                uses += map(X, range(operand + _BESIDE_ARGUMENTS.get(name, 0)))
            elif role is Role.STACK and name == "trim":
                trim = operand
            elif role is Role.STACK:
                frame = operand if name in _ALLOCATES else -operand
        elif name == "make_fun2" and isinstance(operand, Lambda):
            uses += map(X, range(operand.free))
            live = operand.free
    if name == "func_info" and isinstance(operation.operands[2], int):
        uses += map(X, range(operation.operands[2]))
    if name in _USES:
        uses += map(X, range(_USES[name]))
    if name in _DEFINES:
        defines += map(X, range(_DEFINES[name]))
    live_at_labels = live if name in _LOSES_BEFORE_FAILING else None
    return Effects(tuple(uses), tuple(defines), live, live_at_labels, tuple(labels), name not in _ENDS, frame, trim)


_READ: Final = frozenset((Role.USE, Role.USE_DEF, Role.SIZE, Role.SEGMENT))
_WRITTEN: Final = frozenset((Role.DEF, Role.USE_DEF))


def operands_of(operation: Operation) -> Iterator[tuple[Operand, Role]]:
    """All operands, those in lists too, with their roles. Raises ValueError where they are not known."""
    roles = operation.opcode.roles
    if roles is None:
        raise ValueError(f"what {operation.name} does is not known: no release from OTP 25 on has it")
    for operand, role in zip(operation.operands, roles):
        if isinstance(role, Role):
            yield operand, role
        elif operation.name == "bs_match":
            for command in match_commands(operand):
                yield from zip(command.operands, COMMANDS[command.name])
        elif isinstance(operand, tuple):
            for index, element in enumerate(operand):
                yield element, role[index % len(role)]
