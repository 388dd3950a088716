"""What BeamAsm uses the registers of each architecture for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from beamgdb.beamasm.flow import ArchitectureModule
from beamgdb.late import dataclass
from jit.object.dwarf_constants import DW_OP
from jit.object.dwarf_expression import branch, breg, const, deref_size, entry_value, op, reg, skip, stack_value
from jit.object.elf_constants import EF_ARM_EABI_VER5, EM
from jit.object.target import Target
from jit.otp.layouts.layout import Layout


@dataclass(frozen=True)
class HeldXRegister:
    """A CPU register that holds an x register while Erlang code runs.

    `name` is GDB's, `dwarf` its number in DWARF. `lasting`: C code leaves it as it is; others are written to the array
    of x registers before C code is called.
    """

    name: str
    dwarf: int
    lasting: bool


@dataclass(frozen=True)
class Mark:
    """A value that a CPU register has in some frames: GDB's name of the register, its number in DWARF."""

    name: str
    dwarf: int
    value: int


@dataclass(frozen=True)
class BeamAsmRegisters:
    """Registers by GDB's names, and how the code of the architecture is described in DWARF.

    `sp` is the thread's stack pointer, `stack` that of the Erlang stack while Erlang code runs. x0 in memory is
    `registers_bias` bytes above where `registers` points, in all Erlang code and shared fragments, and over calls from
    them to C; there `process` holds the `Process`, too. `x_registers` hold x0, x1, ... instead of memory,
    `float_registers` f0, f1, ... `saved_stack` keeps the Erlang stack pointer while C code runs, if `Process.stop` does
    not. `main_saves` are the registers that `process_main` pushes below its return address. `preserved` are all other
    registers that a shared fragment leaves to its caller as they were. `prologue` is the size in bytes, the largest
    of any release, of what comes first in each function, for tracing and NIFs to patch (`BEAM_ASM_FUNC_PROLOGUE_SIZE`,
    beam_asm.h). `y_dwarf` is the number of `stack` in DWARF. `without_x` marks frames that have called another Erlang
    function, so that x registers are not theirs: DWARF has no other way to know, and a register that no call preserves
    is not known there otherwise. `analysis` gives the module that follows the code; without it frames are not unwound.
    """

    target: Target
    pc: str
    sp: str
    registers: str
    registers_dwarf: int
    prologue: int
    y_dwarf: int | None = None
    without_x: Mark | None = None
    stack: str = ""
    process: str = ""
    saved_stack: str = ""
    frame_pointer: str = ""
    preserved: tuple[str, ...] = ()
    main_saves: tuple[str, ...] = ()
    registers_bias: int = 0
    registers_are_struct: bool = False
    """`registers` points at the `ErtsSchedulerRegisters`, so that `registers_bias` depends on the release."""
    x_registers: tuple[HeldXRegister, ...] = ()
    float_registers: tuple[str, ...] = ()
    analysis: Callable[[], ArchitectureModule] | None = None

    def x_location(self, number: int) -> bytes:
        """The DWARF expression that says where an x register is."""
        if number < len(self.x_registers):
            held = self.x_registers[number]
            return reg(held.dwarf) if held.lasting else _unless_calling(self.target, held.dwarf)
        place = breg(self.registers_dwarf, self.registers_bias + self.target.address_size * number)
        unknown = entry_value(reg(self.registers_dwarf))  # no caller gives one
        if self.without_x is not None:
            mark = breg(self.without_x.dwarf) + const(self.without_x.value) + op(DW_OP.ne)
            return mark + branch(self.target, len(unknown)) + unknown + place
        if self.x_registers:
            place += skip(self.target, len(unknown))
            return _is_calling() + branch(self.target, len(place)) + place + unknown
        return place


def _unless_calling(target: Target, register: int) -> bytes:
    """The value of a register on ARM64, but optimized out in a frame that has called another one.

    A debugger takes registers that C code does not save for unchanged, and would show what the callee has made of them.
    So the expression asks there for a value at entry, which no caller gives.
    """
    unknown = entry_value(reg(register))
    value = breg(register) + skip(target, len(unknown))
    return _is_calling() + branch(target, len(value)) + value + unknown + stack_value()


def _is_calling() -> bytes:
    """Whether the instruction before the frame's pc is a call on ARM64: `bl` or `blr` (Arm ARM, C6.2)."""
    called = breg(_DWARF_PC_ARM64, -4) + deref_size(4)
    bl = called + const(26) + op(DW_OP.shr) + const(0b100101) + op(DW_OP.eq)
    blr = called + const(0xFFFFFC1F) + op(DW_OP.and_) + const(0xD63F0000) + op(DW_OP.eq)
    return bl + blr + op(DW_OP.or_)


_DWARF_PC_ARM64 = 32
"""Number of pc (DWARF for the Arm 64-bit Architecture, 4.1)."""


def _x86_64() -> ArchitectureModule:
    from beamgdb.beamasm import x86_64  # not before it is needed: the disassembler takes time to load

    return x86_64


def _aarch64() -> ArchitectureModule:
    from beamgdb.beamasm import aarch64

    return aarch64


BEAMASM_REGISTERS = {
    # beam_asm.hpp of jit/x86: `registers` is centred at x_reg_array.
    ("x86_64", "jit"): BeamAsmRegisters(
        target=Target(8, "little", EM.X86_64),
        pc="rip",
        sp="rsp",
        stack="rsp",
        registers="rbx",
        registers_dwarf=3,
        process="r13",
        saved_stack="rbp",
        frame_pointer="rbp",
        preserved=("rbx", "r12", "r13", "r14", "r15"),
        prologue=8,
        y_dwarf=7,
        without_x=Mark("r11", 11, int.from_bytes(b"not ours", "big")),
        analysis=_x86_64,
    ),
    # beam_asm.hpp of jit/arm. Numbers: DWARF for the Arm 64-bit Architecture, 4.1.
    ("aarch64", "jit"): BeamAsmRegisters(
        target=Target(8, "little", EM.AARCH64),
        pc="pc",
        sp="sp",
        stack="x20",
        registers="x19",
        registers_dwarf=19,
        registers_bias=64,
        registers_are_struct=True,
        x_registers=(
            *(HeldXRegister(f"x{25 + n}", 25 + n, lasting=True) for n in range(4)),
            HeldXRegister("x15", 15, lasting=False),
            HeldXRegister("x16", 16, lasting=False),
        ),
        float_registers=tuple(f"d{8 + n}" for n in range(8)),
        process="x21",
        saved_stack="x20",
        frame_pointer="x29",
        preserved=("x19", "x21", "x22", "x23", "x24", "x29"),
        main_saves=("x29",),
        prologue=16,
        y_dwarf=20,
        analysis=_aarch64,
    ),
    # The port of BeamAsm to 32-bit ARM, a branch of OTP: r4 points at the `ErtsSchedulerRegisters`, where x registers
    # are in memory. What else it uses registers for is not described here.
    ("arm32", "jit"): BeamAsmRegisters(
        target=Target(4, "little", EM.ARM, EF_ARM_EABI_VER5),
        pc="pc",
        sp="sp",
        registers="r4",
        registers_dwarf=4,
        registers_bias=64,
        registers_are_struct=True,
        prologue=0,
    ),
}
"""By architecture and flavour, as `Identity` names them."""


def registers_of(arch: str | None, flavour: str | None, layout: Layout | None) -> BeamAsmRegisters | None:
    """The machine of a VM, None for one whose use of registers is not known."""
    machine = BEAMASM_REGISTERS.get((arch or "", flavour or ""))
    if machine is None or not machine.registers_are_struct or layout is None:
        return machine
    return replace(machine, registers_bias=layout.offset("ErtsSchedulerRegisters", "x_reg_array.d"))
