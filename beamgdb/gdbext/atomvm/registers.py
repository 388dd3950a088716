"""Registers of the Erlang function that the selected thread runs in AtomVM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beamgdb.atomvm.vm import AtomVm
from beamgdb.gdbext.atomvm.running import Running
from beamgdb.memory import Unreadable
from beamgdb.vm.model import Unavailable

X_REGISTERS: Final = 16
"""X registers that a `Context` has (MAX_REG)."""


def registers(vm: AtomVm, letter: str, number: int | None) -> Iterator[tuple[str, int]]:
    """Names and words of registers: one, or all x registers, or all y registers of the innermost frame. Raises
    `Unavailable`."""
    running = Running(vm)
    work = running.selected()
    if work is None:
        raise Unavailable("the selected thread runs no Erlang process (try `beam-bt all`, or `thread N`)")
    size = vm.memory.word_size
    if letter == "x":
        address, count = work.context.record.field_address("x"), X_REGISTERS
    elif letter == "y":
        frame = next(iter(running.frames(work.context)), None)
        address, count = (frame.address, frame.count) if frame is not None else (0, 0)
    else:
        raise Unavailable("float registers of AtomVM are not shown: `p *ctx->fr@16` in the frame of its C code")
    if number is not None and number >= count:
        raise Unavailable(f"there is no {letter}{number}: this function has {count} {letter} registers")
    try:
        for at in range(count) if number is None else (number,):
            yield f"{letter}{at}", vm.memory.word(address + at * size)
    except Unreadable as error:
        raise Unavailable(str(error)) from None


def one(vm: AtomVm, letter: str, number: int) -> int:
    """The word of one register. Raises `Unavailable`."""
    return next(iter(registers(vm, letter, number)))[1]


def register(vm: AtomVm, letter: str, number: int) -> int | None:
    """The word of one register, None where there is none."""
    try:
        return one(vm, letter, number)
    except Unavailable:
        return None
