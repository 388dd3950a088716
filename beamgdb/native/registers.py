"""The machine registers of native code by name, and which of its instructions tell where the state of the process is:
what `jit.otp.native_abi` says, as the debugger asks for it."""

from __future__ import annotations

from typing import Final

from jit.otp import native_abi
from jit.otp.native_abi import name

REGISTERS: Final = name(native_abi.REGISTERS)
PROCESS: Final = name(native_abi.PROCESS)
STACK: Final = name(native_abi.E)
SCRATCH: Final = name(native_abi.SCRATCH)
CALLEE: Final = name(native_abi.CALLEE)

STATE: Final = tuple(map(name, (native_abi.PROCESS, native_abi.E, native_abi.HTOP, native_abi.FCALLS)))
"""Registers with the process, the tops of its stack and heap, and the reductions that are left."""

SAVED: Final = tuple(map(name, native_abi.SAVED))
"""Registers of `process_main` that the way into native code pushes, upwards, below the return address."""

CARRIED: Final = {"r0": "r4", "r1": "r5", "r2": "r6", "r3": "r7", "r12": "r11"}
"""Registers of the frame of a native caller, and what they have of `process_main`: registers that its own caller may
need. They are none that is known of such a frame, or tells it from one that runs."""

CARRIED_PC: Final = "lr"
"""That which has the pc of `process_main`, with the lowest bit set in Thumb code."""

ROOM: Final = 64
"""Words of a frame on the C stack, at most."""


def saves_return_address(instruction: int) -> int | None:
    """The offset from sp at which a fragment keeps where it goes back to, None for another instruction."""
    return instruction & native_abi.OFFSET if native_abi.KEEPS_LINK.has(instruction) else None


def returns(instruction: int) -> bool:
    """Whether a fragment goes back to what has called it."""
    return any(one.has(instruction) for one in native_abi.LEAVES)


def leads_away(instruction: int) -> bool:
    """Whether it may go elsewhere, or control may have come to what follows from elsewhere."""
    return any(one.has(instruction) for one in native_abi.LEADS_AWAY)


def stores_stack(instruction: int, offset: int) -> bool:
    """Whether it lets the VM see E, in the field `Process.stop` at this offset."""
    return native_abi.SHOWS_STACK.has(instruction) and instruction & native_abi.OFFSET == offset
