"""What each processor computes by its own instructions, under qemu as that processor: no other instruction is used."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.cpus import ARM1176, ARMV7_A, CORTEX_A7, CORTEX_A8, CPUS, Cpu, Feature
from jit.arm32.registers import D0, LR, R0, R1, R2, R3
from jit.codegen.processor import Label
from tests.arm32.program import link, run

_MASK = 0xFFFF_FFFF

#: What qemu calls them. Its ARMv7-A is the one that lacks most.
_QEMU = {ARMV7_A: "cortex-a8", ARM1176: "arm1176", CORTEX_A7: "cortex-a7", CORTEX_A8: "cortex-a8"}
#: A main program without libc, whose code Debian has for ARMv7 only: it writes r0 of each function in hexadecimal.
_PROGRAM = """
typedef unsigned (*step)(unsigned, unsigned);
extern step table[];
static void write_all(const char *from, unsigned size)
{
    register unsigned r0 __asm__("r0") = 1, r1 __asm__("r1") = (unsigned)from, r2 __asm__("r2") = size;
    register unsigned r7 __asm__("r7") = 4;
    __asm__ volatile("svc #0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r7) : "memory");
}
void _start(void)
{
    static const unsigned operands[] = {OPERANDS};
    for (unsigned one = 0; one < COUNT; one++)
        for (unsigned pair = 0; pair < sizeof operands / sizeof *operands; pair += 2) {
            unsigned word = table[one](operands[pair], operands[pair + 1]);
            char line[9];
            for (int digit = 0; digit < 8; digit++)
                line[digit] = "0123456789abcdef"[word >> (28 - 4 * digit) & 15];
            line[8] = 10;
            write_all(line, sizeof line);
        }
    register unsigned r0 __asm__("r0") = 0, r7 __asm__("r7") = 1;
    __asm__ volatile("svc #0" : : "r"(r0), "r"(r7));
}
"""

#: Makes r0 of r0 and r1, and what that is.
Step = tuple[Callable[[Assembler], None], Callable[[int, int], int]]


def _steps() -> list[Step]:
    chance = random.Random(6)
    fields = [(lsb, width) for lsb in range(32) for width in range(1, 33 - lsb) if chance.random() < 0.2]
    fields += [(0, 32), (31, 1), (0, 1), (0, 31), (1, 31)]
    constants = [0, 255, 256, 0x101, 0x10100, 0xFFFF, 0x1_0000, 0xF00F, 0xFFFF_00FF, 0xFF0F_F0FF, 0x1234_5678, _MASK]
    constants += [chance.getrandbits(32) for _ in range(20)]
    return [
        *(_insert(lsb, width) for lsb, width in fields),
        *(_extract(lsb, width, signed) for lsb, width in fields for signed in (False, True)),
        *(_constant(value) for value in constants),
        (_multiply_subtract, lambda a, b: a - a * b),
        (_barrier, lambda a, b: a),
        (_float, lambda a, b: a + 3),
        (_address, lambda a, b: 0x600D),
    ]


def _insert(lsb: int, width: int) -> Step:
    field = (1 << width) - 1 << lsb
    return lambda a: a.insert(R0, R1, lsb, width), lambda a, b: a & ~field | b << lsb & field


def _extract(lsb: int, width: int, signed: bool) -> Step:
    upper = 1 << width - 1 if signed else 0
    return (
        lambda a: a.extract(R0, R1, lsb, width, signed=signed),
        lambda a, b: ((b >> lsb & (1 << width) - 1) ^ upper) - upper,
    )


def _constant(value: int) -> Step:
    return lambda a: a.mov_constant(R0, value), lambda a, b: value


def _multiply_subtract(a: Assembler) -> None:
    a.multiply_subtract(R0, R0, R1, R0, scratch=R2)


def _barrier(a: Assembler) -> None:
    a.barrier(R3)


def _float(a: Assembler) -> None:
    """By way of the integer part of 3.0, in the upper half of the double."""
    a.vmov_constant(D0, 3.0)
    a.vmov_from_half(R2, D0, 1)
    a.add_constant(R0, R0, -0x4008_0000 + 3)
    a.add(R0, R0, R2)


def _address(a: Assembler) -> None:
    place, after = Label("place"), Label()
    a.mov_address(R0, place)
    a.bx(R0)
    a.bind(place)
    a.mov_constant(R0, 0x600D)
    a.b(after)
    a.udf()
    a.bind(after)


@pytest.mark.parametrize("cpu", CPUS.values(), ids=CPUS)
def test_it_runs_there(cpu: Cpu, tmp_path: Path) -> None:
    steps, chance = _steps(), random.Random(8)
    a, functions = Assembler(cpu), [Label() for _ in steps]
    for label, (make, _) in zip(functions, steps):
        a.bind(label)
        make(a)
        a.bx(LR)
    a.place_pool()
    a.label("table")
    for label in functions:
        a.word(label)
    operands = [(0, 0), (_MASK, 0), (0, _MASK), *((chance.getrandbits(32), chance.getrandbits(32)) for _ in range(5))]
    source = _PROGRAM.replace("OPERANDS", ", ".join(f"{number}u" for pair in operands for number in pair))
    flags = ("-nostdlib", "-ffreestanding", "-fno-stack-protector", "-mfloat-abi=hard", "-marm", *cpu.flags)
    program = link(a.finish(), source.replace("COUNT", str(len(steps))), tmp_path, *flags)
    answers = iter(run(program, "", "-cpu", _QEMU[cpu]))
    wrong = [
        f"step {number} of {one:#x} and {other:#x}"
        for number, (_, model) in enumerate(steps)
        for one, other in operands
        if int(next(answers), 16) != model(one, other) & _MASK
    ]
    assert wrong == []


def test_what_they_have_beside_each_other() -> None:
    """ARMv7-A is what the others but ARMv6 have in common."""
    assert ARM1176.features < ARMV7_A.features == CORTEX_A8.features < CORTEX_A7.features == set(Feature)
    assert {cpu.name for cpu in CPUS.values()} == set(CPUS)


def test_hardware_capabilities_are_those_of_the_kernel(tmp_path: Path) -> None:
    """By the names of Linux's own header, as a C compiler reads it."""
    names = {ARM1176: "HWCAP_VFP", ARMV7_A: "HWCAP_VFP | HWCAP_VFPv3",
             CORTEX_A7: "HWCAP_VFP | HWCAP_VFPv3 | HWCAP_IDIVA"}  # fmt: skip
    source = tmp_path / "hwcap.c"
    checks = "".join(f'_Static_assert(({text}) == {cpu.told}, "{cpu.name}");\n' for cpu, text in names.items())
    source.write_text("#include <asm/hwcap.h>\n" + checks)
    subprocess.run(["arm-linux-gnueabihf-gcc", "-fsyntax-only", source], check=True)
