"""Registers of frames that belong to interpreted Erlang code.

There is no such frame in the machine: `process_main` is one C function, whatever Erlang functions it runs. The unwinder
makes one for each, outside of the frame of `process_main`. Their registers are those of `process_main`, but for a few
that hold what belongs to the Erlang frame. These are ones that a C function saves before it uses them, and that the
compiler does not use for the frame pointer: so `process_main`'s own caller can be found without them.
"""

from __future__ import annotations

from beamgdb.late import dataclass
from jit.object.dwarf_expression import branch, breg, entry_value, reg
from jit.object.elf_constants import EF_ARM_EABI_VER5, EM
from jit.object.target import Target

THUMB = 1 << 5
"""The bit of the CPSR that is set in Thumb code (Arm Architecture Reference Manual ARMv7-A, B1.3.3)."""


@dataclass(frozen=True)
class FrameRegisters:
    """Registers by GDB's names.

    In an Erlang frame `top` holds the address of y0, `x_registers` that of x0, or 0 where x registers belong to a
    callee; `process` that of the `Process`, and `main` where `process_main` goes on. `kept` are the other registers
    that `process_main`'s caller may need. `y_dwarf` and `x_registers_dwarf` are the numbers of `top` and `x_registers`
    in DWARF.
    """

    target: Target
    pc: str
    sp: str
    top: str
    y_dwarf: int
    x_registers: str
    x_registers_dwarf: int
    process: str
    main: str
    kept: tuple[str, ...]

    def x_location(self, number: int) -> bytes:
        """The DWARF expression that says where an x register is."""
        register = self.x_registers_dwarf
        unknown = entry_value(reg(register))  # no caller gives one
        known = breg(register) + branch(self.target, len(unknown))
        return known + unknown + breg(register, self.target.address_size * number)


FRAME_REGISTERS = {
    "arm32": FrameRegisters(
        target=Target(4, "little", EM.ARM, EF_ARM_EABI_VER5),
        pc="pc",
        sp="sp",
        top="r10",
        y_dwarf=10,
        x_registers="r8",
        x_registers_dwarf=8,
        process="r9",
        main="lr",
        kept=("r4", "r5", "r6", "r7", "r11", "cpsr"),
    ),
    "x86_64": FrameRegisters(
        target=Target(8, "little", EM.X86_64),
        pc="rip",
        sp="rsp",
        top="r12",
        y_dwarf=12,
        x_registers="r13",
        x_registers_dwarf=13,
        process="r14",
        main="r15",
        kept=("rbx", "rbp"),
    ),
    "aarch64": FrameRegisters(
        target=Target(8, "little", EM.AARCH64),
        pc="pc",
        sp="sp",
        top="x25",
        y_dwarf=25,
        x_registers="x26",
        x_registers_dwarf=26,
        process="x27",
        main="x28",
        kept=("x19", "x20", "x21", "x22", "x23", "x24", "x29"),
    ),
}
"""By architecture, as `Identity.arch` names it."""
