"""Updates of records."""

from __future__ import annotations

from jit.arm32.conditions import HS, LO
from jit.arm32.operands import at, post
from jit.arm32.registers import R0, R1, R2, R3, R12
from jit.beam.operands import Operand
from jit.beam.terms import Atom
from jit.codegen.cache import Keeps
from jit.codegen.emission import Unsupported
from jit.codegen.processor import Label
from jit.erts.arm32.common import element_offset
from jit.erts.arm32.conventions import HTOP, PROCESS, WORD
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.emitters import emits
from jit.otp import tags

#: Registers for words that are copied.
_COPY = (R1, R2, R3, R12)


@emits("update_record", keeps=Keeps.ALL)
def update_record(
    e: Emission, hint: Operand, size: int, source: Operand, to: Operand, updates: tuple[Operand, ...]
) -> None:
    """What the hint ``inplace`` promises the interpreter uses if the record is young, and so do we."""
    element_offset(size)
    values = {_index(index, size): value for index, value in zip(updates[::2], updates[1::2])}
    e.load(source, R0)
    e.a.sub(R0, R0, tags.BOXED)
    if hint != Atom("inplace"):
        _copy(e, size, values)
        e.store(R0, to)
        return
    old, done = Label(), Label()
    e.a.ldr(R1, at(PROCESS, e.shared.layout["Process.high_water"]))
    e.a.cmp(R0, R1)
    e.a.b(old, LO)
    e.a.cmp(R0, HTOP)
    e.a.b(old, HS)
    for index, value in values.items():
        e.a.str(e.value(value, R1), at(R0, WORD * index))
    e.a.add(R0, R0, tags.BOXED)
    e.a.b(done)
    e.a.bind(old)
    _copy(e, size, values)
    e.a.bind(done)
    e.store(R0, to)


def _index(operand: Operand, size: int) -> int:
    if not isinstance(operand, int) or not 0 < operand <= size:
        raise Unsupported(f"update_record of the element {operand}")
    return operand


def _copy(e: Emission, size: int, values: dict[int, Operand]) -> None:
    """r0 = a new record with these values, and the others of the record at the address r0."""
    index = taken = 0
    while index <= size:
        if index in values:
            e.a.str(e.value(values[index], R1), post(HTOP, WORD))
            index += 1
            continue
        end = min((changed for changed in values if changed > index), default=size + 1)
        group = _COPY[: end - index]
        e.a.add_constant(R0, R0, WORD * (index - taken))
        e.a.ldm(R0, group, writeback=True)
        e.a.stm(HTOP, group, writeback=True)
        index = taken = index + len(group)
    e.a.add_constant(R0, HTOP, tags.BOXED - WORD * (size + 1))
