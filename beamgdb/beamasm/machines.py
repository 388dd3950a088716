"""What BeamAsm uses the registers of each architecture for."""

from __future__ import annotations

from dataclasses import dataclass

from jit.object.elf_constants import EM
from jit.object.target import Target


@dataclass(frozen=True, slots=True)
class Machine:
    """Registers by GDB's names, and how the code of the architecture is described in DWARF.

    `registers` holds the address of x0 plus `registers_bias` in all Erlang code and shared fragments, and over calls
    from them to C; so does `process` the `Process`. `saved_stack` keeps the Erlang stack pointer while C code runs, if
    `Process.stop` does not. `preserved` are all registers that a shared fragment leaves to its caller as they were.
    `prologue` is the size in bytes of what comes first in each function, for tracing and NIFs to patch
    (`BEAM_ASM_FUNC_PROLOGUE_SIZE`, beam_asm.h).
    """

    target: Target
    pc: str
    sp: str
    registers: str
    registers_dwarf: int
    registers_bias: int
    process: str
    saved_stack: str
    frame_pointer: str
    preserved: tuple[str, ...]
    prologue: int


MACHINES = {
    # beam_asm.hpp of jit/x86: `registers` is centred at x_reg_array.
    "x86_64": Machine(
        target=Target(8, "little", EM.X86_64),
        pc="rip",
        sp="rsp",
        registers="rbx",
        registers_dwarf=3,
        registers_bias=0,
        process="r13",
        saved_stack="rbp",
        frame_pointer="rbp",
        preserved=("rbx", "r12", "r13", "r14", "r15"),
        prologue=8,
    ),
}
"""By architecture, as `Identity.arch` names it."""
