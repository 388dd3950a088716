"""Macro operations in Thumb code, of which most instructions know eight registers only: each with registers of both
kinds, and with numbers that instructions hold and others, does what it is to do and leaves all else alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from jit.arm32.registers import PC, R0, R1, R2, R3, R5, R8, Register
from jit.atomvm import terms
from jit.atomvm.armv6m.conventions import SCRATCH
from jit.atomvm.armv6m.macros import Armv6mMacros
from jit.atomvm.formats import F1
from jit.atomvm.macros import Condition
from jit.codegen.processor import Label
from tests.atomvm.host import TOOLS
from tests.harness.patience import PATIENCE

SOURCE = Path(__file__).with_name("macro_cases.c")
MASK = 0xFFFF_FFFF
#: What stands for the address of memory, whose words are 0x1000 and up.
BASE, FIRST = 0xBA5E, 0x1000
#: Of r0 to r8, some of which are terms of small integers; that of r7 does not matter.
VALUES = (0x2F, 1, BASE, 0xFFFF_FFFF, 0x12345678, 0x1F, 0x8000_0000, 0, 0x3C)
REGISTERS = (R0, R3, R5, R8)
NUMBERS: tuple[int, ...] = (0, 1, 7, 8, 63, 255, 256, 0x1000, 0x12345, -1, -16, -4000, 0x7FFF_FFFF)
OPERANDS: tuple[Register | int, ...] = (*REGISTERS, *NUMBERS)
#: The largest small integer of 32 bits.
LARGEST = (1 << 27) - 1
#: Calls of macro operations.
Calls = tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True)
class Case:
    """A macro operation with its arguments, behind some other; registers and words of memory that it changes; and
    whether it branches, which r1 then tells."""

    name: str
    arguments: tuple[Any, ...]
    changed: Mapping[Register, int]
    memory: Mapping[int, int] = field(default_factory=dict)
    before: Calls = ()
    branches: bool = False


def value(one: Register | int) -> int:
    return one & MASK if isinstance(one, int) else VALUES[one.number]


def term(integer: int) -> int:
    """A small integer, signed as the macro operations have numbers."""
    return integer << terms.TAG_BITS | terms.INTEGER


def signed(word: int) -> int:
    return (word & MASK ^ 0x8000_0000) - 0x8000_0000


OF_TWO: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "and_": lambda a, b: a & b,
    "or_": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}
COMPARE: dict[Condition, Callable[[int, int], bool]] = {
    Condition.LESS: lambda a, b: signed(a) < signed(b),
    Condition.LESS_EQUAL: lambda a, b: signed(a) <= signed(b),
    Condition.GREATER: lambda a, b: signed(a) > signed(b),
    Condition.GREATER_EQUAL: lambda a, b: signed(a) >= signed(b),
    Condition.EQUAL: lambda a, b: a == b,
    Condition.DIFFERENT: lambda a, b: a != b,
    Condition.BELOW: lambda a, b: a < b,
    Condition.ABOVE: lambda a, b: a > b,
}


def words() -> Iterator[Case]:
    for into, number in product(REGISTERS, NUMBERS):
        yield Case("constant", (into, number), {into: number & MASK})
    for name, into, one, other in product(OF_TWO, REGISTERS, REGISTERS, OPERANDS):
        yield Case(name, (into, one, other), {into: OF_TWO[name](value(one), value(other)) & MASK})
    for into, one, by in product(REGISTERS, REGISTERS, (1, 4, 31)):
        yield Case("shift_left", (into, one, by), {into: value(one) << by & MASK})
        yield Case("shift_right", (into, one, by), {into: value(one) >> by})
    for into, one, by in product(REGISTERS, REGISTERS, (3, 12, 1000)):
        yield Case("multiply_low", (into, one, by), {into: value(one) * by & MASK})


def memory() -> Iterator[Case]:
    """The base is moved into its register first."""
    for base, into, word in product(REGISTERS, REGISTERS, (0, 31, 32, 63, 64, 255)):
        moved: Calls = (("add", (base, R2, 0)),)
        kept = {} if base is into else {base: BASE}
        yield Case("load", (into, base, word), {**kept, into: FIRST + word}, {}, moved)
        stored = BASE if into is base else value(into)
        yield Case("store", (into, base, word), {base: BASE}, {word: stored}, moved)
    for base, index, one in product(REGISTERS, REGISTERS, REGISTERS):
        if base is index:
            continue
        moved = (("add", (base, R2, 0)), ("constant", (index, 5)))
        there = {base: BASE, index: 5}
        yield Case("load_at", (one, base, index, 2), {**there, one: FIRST + 7}, {}, moved)
        yield Case("store_at", (one, base, index, 2), there, {7: there.get(one, value(one))}, moved)
    for one, other in product(REGISTERS, REGISTERS):
        yield Case("take", (other,), {other: value(one)}, {}, (("keep", (one,)),))


def branches() -> Iterator[Case]:
    for condition, one, other in product(Condition, REGISTERS, OPERANDS):
        taken = COMPARE[condition](value(one), value(other))
        yield Case("branch_if", (condition, one, other), {R1: taken}, branches=True)
    for one, mask in product(REGISTERS, (1, 3, 15, 63, 0xF0)):
        yield Case("branch_if_any", (one, mask), {R1: value(one) & mask != 0}, branches=True)
        for number, equal in product((0, 2, mask), (False, True)):
            condition = Condition.EQUAL if equal else Condition.DIFFERENT
            taken = (value(one) & mask == number) == equal
            yield Case("branch_if_bits", (condition, one, mask, number), {R1: taken}, branches=True)


def sums() -> Iterator[Case]:
    """Of small integers, with a constant and with a register: slow where the result is none."""
    integers = (-LARGEST - 1, -LARGEST, -1, 0, 1, LARGEST)
    for name, one, other in product(("add_smalls", "subtract_smalls"), integers, integers):
        result = one + other if name == "add_smalls" else one - other
        is_slow = not -LARGEST - 1 <= result <= LARGEST
        # (A result that is none may be left in a register of its own.)
        for in_register, into in product((False, True), (R3,) if is_slow else (R0, R3)):
            loaded = {R3: term(one), **({R5: term(other)} if in_register else {})}
            changed = {register: word & MASK for register, word in loaded.items()}
            changed |= {R1: is_slow} if is_slow else {R1: is_slow, into: term(result) & MASK}
            before = tuple(("constant", (register, word)) for register, word in loaded.items())
            arguments = (into, R3, R5 if in_register else term(other))
            yield Case(name, arguments, changed, before=before, branches=True)


def code(cases: list[Case], target: str) -> tuple[bytes, list[int]]:
    """All of them, and where each begins."""
    m, places = Armv6mMacros(F1, F1.targets[target]), []
    for case in cases:
        m.a.together(16)
        places.append(m.a.offset)
        for name, arguments in case.before:
            getattr(m, name)(*arguments)
        if case.branches:
            taken, end = Label(), Label()
            known = {"checked": (True, True)} if case.name.endswith("_smalls") else {}
            getattr(m, case.name)(*case.arguments, taken, **known)
            m.a.movs(R1, 0)
            m.a.jump(end)
            m.a.bind(taken)
            m.a.movs(R1, 1)
            m.a.bind(end)
        else:
            getattr(m, case.name)(*case.arguments)
        m.a.pop(PC)
    m.finish(lambda: b"")
    return m.code().data, places


@pytest.mark.parametrize("target", ["armv6m", "armv6m+thumb2"])
def test_they_do_what_they_say(tmp_path: Path, target: str) -> None:
    cases = [*words(), *memory(), *branches(), *sums()]
    data, places = code(cases, target)
    values = ", ".join(map(str, VALUES))
    (tmp_path / "cases.h").write_text(
        f"enum {{ BASE = {BASE} }};\n#define REGISTERS {values}\n"
        f"static const uint8_t code[] = {{ {','.join(map(str, data))} }};\n"
        f"static const uint32_t CASES[] = {{ {','.join(map(str, places))} }};\n",
        encoding="utf-8",
    )
    compiler, runner = TOOLS[target]
    program = tmp_path / "cases"
    subprocess.run([compiler, "-O1", "-static", "-I", tmp_path, "-o", program, SOURCE], check=True, timeout=PATIENCE)
    told = subprocess.run([*runner, program], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    wrong = []
    for case, line in zip(cases, told.splitlines(), strict=True):
        registers, changed = line.split()[: len(VALUES)], line.split()[len(VALUES) :]
        expected = list(VALUES)
        for register, number in case.changed.items():
            expected[register.number] = int(number)
        there = {int(at): int(word, 16) for at, word in (one.split(":") for one in changed)}
        found = [int(one, 16) for one in registers]
        found[SCRATCH.number] = expected[SCRATCH.number]
        if (found, there) != (expected, case.memory):
            wrong.append(f"{case.name} {case.arguments}: {line}")
    assert wrong == []
