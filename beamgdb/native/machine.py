"""What registers and the C stack hold while native code runs on 32-bit ARM (jit/codegen/machine.py), and which of its
machine instructions tell where the state of the process is."""

from __future__ import annotations

from typing import Final

WORD: Final = 4

REGISTERS: Final = "r4"
"""The address of the scheduler's `ErtsSchedulerRegisters`."""

PROCESS: Final = "r5"
STACK: Final = "r6"
"""E, the Erlang stack pointer. Its word is free for a return address; y0 is behind it."""

STATE: Final = ("r5", "r6", "r7", "r8")
"""Registers with the process, the tops of its stack and heap, and the reductions that are left."""

SCRATCH: Final = "r12"
"""A register that holds nothing at the beginning of a function or line."""

SAVED: Final = ("r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11")
"""Registers of `process_main` that the way into native code pushes, upwards, below the return address."""

ROOM: Final = 64
"""Words of a frame on the C stack, at most."""

FRAGMENT: Final = "native::"
"""How names of fragments begin."""

ENTER: Final = FRAGMENT + "enter"
"""The way in: it runs as a C function that `process_main` has called."""

CALL_CODE: Final = FRAGMENT + "call_code"
CALLEE: Final = "r0"
"""Calls of functions that are computed go through this fragment, with the address of their code in that register."""

WORDS_BEHIND: Final = {FRAGMENT + "to_interpreter": 2, FRAGMENT + "yield": 1}
"""Fragments that do not come back to where they are called: there are as many words of data."""

_CONDITION: Final = 0x0FFF_FFFF


def saves_return_address(instruction: int) -> int | None:
    """The offset from sp at which `str lr, [sp, #offset]` keeps it, None for another instruction."""
    return instruction & 0xFFF if instruction & 0xFFFF_F000 == 0xE58D_E000 else None


def returns(instruction: int) -> bool:
    """Whether a fragment goes back to what has called it: `bx lr`, or `ldr pc, [sp, #offset]`."""
    return instruction & _CONDITION == 0x012F_FF1E or instruction & 0x0FFF_F000 == 0x059D_F000


def leads_away(instruction: int) -> bool:
    """Whether it may go elsewhere, or control may have come to what follows from elsewhere: `b`, `bl`, `bx`, `blx`, and
    loads of pc."""
    branches = instruction & 0x0E00_0000 == 0x0A00_0000
    to_register = instruction & 0x0FFF_FFD0 == 0x012F_FF10
    loads = instruction & 0x0C50_F000 == 0x0410_F000
    return branches or to_register or loads


def stores_return_address(instruction: int) -> bool:
    """Whether it writes to the top of the Erlang stack: `str rN, [r6]`."""
    return instruction & 0xFFFF_0FFF == 0xE586_0000


def stores_stack(instruction: int, offset: int) -> bool:
    """Whether it lets the VM see E: `str r6, [r5, #offset]`, of `Process.stop`."""
    return instruction == 0xE585_6000 | offset


def is_return(instruction: int) -> bool:
    """Whether it is `ldr pc, [r0, #12]`, by which a native function returns to another when it has removed the return
    address from the stack: r0 holds that."""
    return instruction == 0xE590_F00C


def is_jump(instruction: int) -> bool:
    """Whether it is `bx r12`, by which the way in ends."""
    return instruction == 0xE12F_FF1C
