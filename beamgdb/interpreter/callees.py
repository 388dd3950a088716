"""Whom an instruction calls: found before it is executed, from its operands and the x registers."""

from __future__ import annotations

import re
from collections.abc import Callable

from beamgdb.code.code_ix import code_index
from beamgdb.interpreter.bytecode import Decoded, decode
from beamgdb.interpreter.instructions import LoadedInstruction
from beamgdb.interpreter.operations import Unsupported
from beamgdb.memory import Unreadable
from beamgdb.vm.model import Vm
from jit.otp.code import MAX_ARG
from jit.otp.tags import ATOM, BOXED, CONS, IMMED2_MASK, PRIMARY_MASK

ReadX = Callable[[int], int]
"""The word in an x register. May raise `Unreadable`."""

_Rule = Callable[[Vm, Decoded, ReadX], set[int]]


def is_call(instruction: LoadedInstruction) -> bool:
    """Whether this calls a function that may be one of Erlang."""
    return any(pattern.fullmatch(instruction.operation.name) for pattern, _ in _CALLS)


def of(node: Vm, instruction: LoadedInstruction, x: ReadX) -> set[int]:
    """Where the functions begin that may be called: one, or where that cannot be told one for each version of a module.
    Empty where there is none, or none is found."""
    for pattern, rule in _CALLS:
        if pattern.fullmatch(instruction.operation.name):
            try:
                return rule(node, decode(instruction), x)
            except (Unreadable, Unsupported):
                return set()
    return set()


def _label(operand: int) -> _Rule:
    """A function of the same module."""
    return lambda _, call, __: {call.operands[operand].value}


def _exported(operand: int) -> _Rule:
    """An export entry."""
    return lambda node, call, _: _dispatched(node, call.operands[operand].value)


def _dispatched(node: Vm, address: int) -> set[int]:
    """The code of an `ErtsDispatchable`, with which export and fun entries begin."""
    index = code_index(node.memory, node.symbol, "active")
    if index is None:
        return set()
    addresses = node.record("ErtsDispatchable", address).field_address("addresses")
    return {node.memory.word(addresses + index * node.memory.word_size)}


def _fun(node: Vm, term: int) -> set[int]:
    if term & PRIMARY_MASK != BOXED:
        return set()
    return _dispatched(node, node.record("ErlFunThing", term & ~PRIMARY_MASK)["entry.disp"])


def _named(node: Vm, module: int, function: int, arity: int) -> set[int]:
    if not module & IMMED2_MASK == function & IMMED2_MASK == ATOM:
        return set()
    name = f"{node.term(module)}:{node.term(function)}/{arity}"
    return {code.start for loaded in node.code for code in node.code.functions(loaded) if code.name == name}


def _applied(node: Vm, arity: int, x: ReadX) -> set[int]:
    """What `apply` calls: module and function follow the arguments."""
    return _named(node, x(arity), x(arity + 1), arity)


def _length(node: Vm, term: int) -> int:
    count = 0
    while term & PRIMARY_MASK == CONS and count <= MAX_ARG:
        term = node.memory.word((term & ~PRIMARY_MASK) + node.memory.word_size)
        count += 1
    return count


_CALLS: tuple[tuple[re.Pattern[str], _Rule], ...] = (
    (re.compile(r"i_call_(last_|only_)?fQ?"), _label(0)),
    (re.compile(r"move_call_(last_|only_)?[xyc]fQ?"), _label(1)),
    (re.compile(r"i_call_ext_(last_|only_)?eQ?|i_move_call_ext_(last_|only_)eQ?c"), _exported(0)),
    (re.compile(r"i_move_call_ext_ce"), _exported(1)),
    (re.compile(r"i_call_fun_(last_tQ|t)"), lambda node, call, x: _fun(node, x(call.operands[0].value))),
    (re.compile(r"i_apply_fun.*"), lambda node, _, x: _fun(node, x(0))),
    (re.compile(r"i_apply(_last_Q|_only)?"), lambda node, _, x: _named(node, x(0), x(1), _length(node, x(2)))),
    (re.compile(r"apply_(last_tQ|t)"), lambda node, call, x: _applied(node, call.operands[0].value, x)),
)
"""Operations by name, and how the callee is found."""
