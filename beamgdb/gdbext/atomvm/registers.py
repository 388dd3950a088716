"""Registers of the Erlang function that the selected thread runs in AtomVM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.atomvm.terms import float_at
from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext.atomvm.running import Running, Work
from beamgdb.memory import Unreadable
from beamgdb.vm.model import Unavailable

X_REGISTERS: Final = 16
"""X registers that a `Context` has, and float registers (MAX_REG)."""


def registers(vm: AtomVm, letter: str, number: int | None) -> Iterator[tuple[str, int]]:
    """Names and words of registers of the letters x and y: one, or all x registers, or all y registers of the innermost
    frame. Raises `Unavailable`."""
    running = Running(vm)
    work = _work(running)
    size = vm.memory.word_size
    if letter == "x":
        address, count = work.context.record.field_address("x"), X_REGISTERS
    else:
        frame = next(iter(running.frames(work.context)), None)
        address, count = (frame.address, frame.count) if frame is not None else (0, 0)
    if number is not None and number >= count:
        raise Unavailable(f"there is no {letter}{number}: this function has {count} {letter} registers")
    try:
        for at in range(count) if number is None else (number,):
            yield f"{letter}{at}", vm.memory.word(address + at * size)
    except Unreadable as error:
        raise Unavailable(str(error)) from None


def floats(vm: AtomVm, number: int | None) -> Iterator[tuple[str, float]]:
    """Names and contents of float registers: one, or all. Raises `Unavailable`."""
    context = _work(Running(vm)).context
    if number is not None and number >= X_REGISTERS:
        raise Unavailable(f"there is no f{number}: AtomVM has {X_REGISTERS} float registers")
    try:
        address = context.record["fr"]
        if not address:
            raise Unavailable(f"{context.pid} has used no float register yet")
        for at in range(X_REGISTERS) if number is None else (number,):
            yield f"f{at}", float_at(vm.memory, address + at * vm.float_size, vm.float_size)
    except Unreadable as error:
        raise Unavailable(str(error)) from None


def _work(running: Running) -> Work:
    """What the selected thread does. Raises `Unavailable`."""
    work = running.selected()
    if work is None:
        raise Unavailable("the selected thread runs no Erlang process (try `beam-bt all`, or `thread N`)")
    return work


def one(vm: AtomVm, letter: str, number: int) -> int:
    """The word of one register. Raises `Unavailable`."""
    return next(iter(registers(vm, letter, number)))[1]


def register(vm: AtomVm, letter: str, number: int) -> int | None:
    """The word of one register, None where there is none."""
    try:
        return one(vm, letter, number)
    except Unavailable:
        return None
