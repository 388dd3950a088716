"""What each method of the assembler appends is what GNU as makes of the same instruction, and what capstone reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs

from jit.arm32.conditions import CONDITIONS, EQ, NE
from jit.arm32.registers import CORE, LR, PC, R0, R1, R2, R7, R8, SP
from jit.codegen.processor import Called, Jumped, Label, OperandError, RegisterLoaded, RegisterSaved, StackMoved
from jit.thumb.assembler import Assembler, modified
from tests.harness.gnu_as import assembled

gnu_as = partial(assembled, tools="arm-linux-gnueabihf-")
ARMV6M = (".syntax unified", ".cpu cortex-m0", ".thumb")
ARMV7M = (".syntax unified", ".cpu cortex-m3", ".thumb")
#: An instruction as it is written, and the method that appends it, with its arguments.
Case = tuple[str, str, tuple[object, ...]]

LOW = CORE[:8]
ANY = CORE[:13]
FEW = (R0, R2, R7)


def moves() -> Iterator[Case]:
    for one, other in product((*ANY, LR), (*ANY, LR)):
        yield f"mov {one}, {other}", "mov", (one, other)
    for one, number in product(LOW, (0, 1, 255)):
        yield f"movs {one}, #{number}", "movs", (one, number)
    for one, other in product(LOW, LOW):
        yield f"mvns {one}, {other}", "mvns", (one, other)
        yield f"uxth {one}, {other}", "uxth", (one, other)
        for by, name in product((1, 4, 31), ("lsls", "lsrs", "asrs")):
            yield f"{name} {one}, {other}, #{by}", name, (one, other, by)


def memory() -> Iterator[Case]:
    for one in LOW:
        for base, offset in product(LOW, (0, 4, 64, 124)):
            yield f"ldr {one}, [{base}, #{offset}]", "ldr", (one, base, offset)
            yield f"str {one}, [{base}, #{offset}]", "str", (one, base, offset)
        for offset in (0, 4, 1020):
            yield f"ldr {one}, [sp, #{offset}]", "ldr", (one, SP, offset)
            yield f"str {one}, [sp, #{offset}]", "str", (one, SP, offset)
            yield f"add {one}, pc, #{offset}", "adr", (one, offset)
        for base, index in product(FEW, FEW):
            yield f"ldr {one}, [{base}, {index}]", "ldr_at", (one, base, index)
            yield f"str {one}, [{base}, {index}]", "str_at", (one, base, index)
    for registers in ((R0,), (R1, R2, R7, LR), (R7, LR), LOW):
        text = ", ".join(map(str, registers))
        yield f"push {{{text}}}", "push", registers
        yield f"pop {{{text.replace('lr', 'pc')}}}", "pop", tuple(PC if one is LR else one for one in registers)
    for size in (4, 8, 508):
        yield f"add sp, sp, #{size}", "add_sp", (size,)
        yield f"sub sp, sp, #{size}", "sub_sp", (size,)


def arithmetic() -> Iterator[Case]:
    for into, one in product(LOW, FEW):
        for other in FEW:
            yield f"adds {into}, {one}, {other}", "adds", (into, one, other)
            yield f"subs {into}, {one}, {other}", "subs", (into, one, other)
        if into is not one:
            yield f"adds {into}, {one}, #7", "adds", (into, one, 7)
            yield f"subs {into}, {one}, #1", "subs", (into, one, 1)
    for into, number in product(LOW, (8, 255)):
        yield f"adds {into}, {into}, #{number}", "adds", (into, into, number)
        yield f"subs {into}, {into}, #{number}", "subs", (into, into, number)
        yield f"cmp {into}, #{number}", "cmp", (into, number)
    for one, other in product(LOW, LOW):
        for name in ("ands", "orrs", "eors", "bics", "tst"):
            method = {"ands": "and_", "tst": "tst"}.get(name, name[:-1])
            yield f"{name} {one}, {other}", method, (one, other)
        yield f"muls {one}, {other}, {one}", "muls", (one, other)
    for one, other in product((*ANY, LR), (*ANY, LR)):
        yield f"add {one}, {other}", "add_hi", (one, other)
        yield f"cmp {one}, {other}", "cmp", (one, other)
    yield "add r7, pc", "add_hi", (R7, PC)


def control() -> Iterator[Case]:
    for one in (*ANY, LR):
        yield f"bx {one}", "bx", (one,)
        yield f"blx {one}", "blx", (one,)
    yield "udf #0", "udf", ()


def of_armv7m() -> Iterator[Case]:
    """Those of 32 bits."""
    for one, other in product(LOW, FEW):
        for offset in (128, 252, 4092):
            yield f"ldr.w {one}, [{other}, #{offset}]", "ldr", (one, other, offset)
            yield f"str.w {one}, [{other}, #{offset}]", "str", (one, other, offset)
        yield f"smull {one}, r12, {other}, r8", "smull", (one, CORE[12], other, R8)
        yield f"cmp.w r12, {one}, asr #31", "cmp_sign", (CORE[12], one)
    for one, number in product(LOW, (257, 0x1234, 0xF801, 0xFFFF)):
        yield f"movw {one}, #{number}", "movw", (one, number)
    for one, number in product(LOW, (0x12200000, 0x00AB00AB, 0xAB00AB00, 0xABABABAB, 0x1FE00000)):
        yield f"mov.w {one}, #{number}", "constant", (one, number)
    for one, number in product(LOW, (0xFFFEFFFF, 0xFF01FFFF, 0x7FFFFFFF)):
        yield f"mvn.w {one}, #{~number & 0xFFFFFFFF}", "constant", (one, number)


@pytest.mark.parametrize("family", [moves, memory, arithmetic, control, of_armv7m])
def test_as_gnu_as_and_capstone(family: Callable[[], Iterator[Case]], tmp_path: Path) -> None:
    """Where ARMv6-M is asked for, GNU as takes nothing else."""
    thumb2 = family is of_armv7m
    a, lines, places = Assembler(thumb2=thumb2), [], []
    for line, method, arguments in family():
        places.append(a.offset)
        getattr(a, method)(*arguments)
        lines.append(line)
        assert a.offset == places[-1] + (4 if thumb2 else 2), line
    data, expected = a.finish().data, gnu_as(lines, tmp_path, head=ARMV7M if thumb2 else ARMV6M)
    size = 4 if thumb2 else 2
    for at, line in zip(places, lines):
        ours, theirs = data[at : at + size], expected[at : at + size]
        assert ours == theirs, f"{line}: {ours.hex()} here, {theirs.hex()} there"
    assert data == expected
    decoder = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
    read = [f"{one.mnemonic} {one.op_str}".rstrip() for one in decoder.disasm(data, 0)]
    assert len(read) == len(lines)
    assert [pair for pair in zip(map(plain, read), map(plain, lines)) if pair[0] != pair[1]] == []


def plain(text: str) -> str:
    """As both write it, but how numbers are written, and registers that are written once or twice."""
    for name, number in (("sb", 9), ("sl", 10), ("fp", 11), ("ip", 12)):
        text = re.sub(rf"\b{name}\b", f"r{number}", text)
    text = re.sub(r"#(-?\w+)", lambda found: f"#{int(found[1], 0) & 0xFFFFFFFF}", text.replace("sp, sp", "sp"))
    text = re.sub(r"^(adds|subs|muls) (\w+), \2, ", r"\1 \2, ", text).replace(", #0]", "]")
    text = re.sub(r"^muls (\w+), (\w+), \1$", r"muls \1, \2", text).replace("mvn.w", "mvn").replace("adr ", "add ")
    return re.sub(r"^add (\w+), (?:pc, )?#", r"add \1, #", text)


CONSTANTS = (
    0, 1, 255, 256, 510, 511, 0x1000, 0x3FC, 0x7F800000, 0xFFFF, 0x12345, 0x12345678, 1 << 31, -1, -256, -257,
    -(1 << 31),
)  # fmt: skip


@pytest.mark.parametrize("thumb2", [False, True])
def test_constants(thumb2: bool) -> None:
    """Of several instructions, or in memory: they have the value."""
    for value in CONSTANTS:
        a = Assembler(thumb2=thumb2)
        a.constant(R2, value)
        a.bx(LR)
        code = a.finish()
        result = 0
        for one in Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS).disasm(code.data, 0):
            numbers = [int(number, 0) for number in re.findall(r"#(-?\w+)", one.op_str)]
            match one.mnemonic:
                case "movs" | "movw" | "mov" | "mov.w":
                    (result,) = numbers
                case "mvn" | "mvn.w":
                    result = ~numbers[0]
                case "mvns":
                    result = ~result
                case "lsls":
                    result <<= numbers[0]
                case "adds":
                    result += numbers[0]
                case "ldr":
                    at = 4 + numbers[0]
                    result = int.from_bytes(code.data[at : at + 4], "little")
                    assert code.mapping == [(0, "$t"), (at, "$d")]
                case "bx":
                    break
        assert result & 0xFFFFFFFF == value & 0xFFFFFFFF


def test_modified_constants(tmp_path: Path) -> None:
    """GNU as takes them for mov.w, and the others not."""
    ones = {byte << by for byte in range(0x80, 0x100) for by in range(1, 25)}
    values = sorted(
        value
        for byte in (1, 0x5A, 0x80, 0xFF)
        for value in {byte, byte | byte << 16, byte << 8 | byte << 24, byte * 0x01010101}
    ) + sorted(ones)
    fields = [modified(value) for value in values]
    assert None not in fields
    expected = gnu_as([f"mov.w r0, #{value}" for value in values], tmp_path, head=ARMV7M)
    words = [0xF04F0000 | (one or 0) for one in fields]
    assert b"".join((one >> 16 | (one & 0xFFFF) << 16).to_bytes(4, "little") for one in words) == expected
    assert all(modified(value) is None for value in (0x101, 0x12345, 0xFF01FF00, 0x80000001, 0x1FF))


@pytest.mark.parametrize("thumb2", [False, True])
def test_branches(tmp_path: Path, thumb2: bool) -> None:
    """Near ones, forward and back, and calls."""
    a, lines = Assembler(thumb2=thumb2), ["behind:"]
    behind, ahead = Label(), Label()
    a.bind(behind)
    for label, name in ((behind, "behind"), (ahead, "ahead"), (behind, "behind")):
        a.bl(label)
        a.jump_far(label)
        lines += [f"bl {name}", f"{'b.w' if thumb2 else 'bl'} {name}"]
        for condition in CONDITIONS[:14]:
            a.jump_if(condition, label)
            lines.append(f"b{condition} {name}")
        a.jump(label)
        lines.append(f"b {name}")
    a.bind(ahead)
    a.mov(R8, R8)
    lines += ["ahead:", "mov r8, r8"]
    assert a.finish().data == gnu_as(lines, tmp_path, head=ARMV7M if thumb2 else ARMV6M)


def reached(data: bytes, offset: int) -> int:
    """Where the branch at an offset leads to in the end, through islands."""
    decoder = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
    (one,) = decoder.disasm(data[offset : offset + 4], offset, 1)
    target = int(one.op_str.removeprefix("#"), 0)
    (there,) = decoder.disasm(data[target : target + 4], target, 1)
    return int(there.op_str.removeprefix("#"), 0) if there.mnemonic in ("b.w", "bl") else target


@pytest.mark.parametrize("thumb2", [False, True])
@pytest.mark.parametrize("filling", [1, 7, 60, 400, 5000])
def test_reach(thumb2: bool, filling: int) -> None:
    """Branches and loads find what they refer to, whatever is between: also many of them, and many labels."""
    a = Assembler(thumb2=thumb2)
    labels = [Label() for _ in range(300)]
    branches, loads = [], []
    for number, label in enumerate(labels):
        a.together(16)
        branches.append((a.offset, label))
        a.jump_if(EQ if number % 3 else NE, label)
        if number % 5 == 0:
            branches.append((a.offset, label))
            a.jump(label)
        a.together(16)
        loads.append((a.offset, 0x10000001 + number % 70 * 0x1001))
        a.constant(R1, loads[-1][1])
        for _ in range(filling if number % 50 == 0 else 1):
            a.mov(R8, R8)
        if number >= 40 and number % 2:
            a.bind(labels[number // 2])
            a.mov(R8, R8)
    for label in labels:
        if label.offset is None:
            a.bind(label)
            a.mov(R8, R8)
    data = a.finish().data
    assert [reached(data, offset) for offset, _ in branches] == [label.offset for _, label in branches]
    for offset, value in loads:
        half = int.from_bytes(data[offset : offset + 2], "little")
        if half >> 8 == 0x49:
            place = (offset + 4 & ~3) + 4 * (half & 0xFF)
            assert int.from_bytes(data[place : place + 4], "little") == value


def test_events() -> None:
    a, label = Assembler(), Label()
    a.push(R0, R7, LR)
    a.sub_sp(8)
    a.str(R1, SP, 4)
    a.bl(label)
    a.bind(label)
    a.ldr(R1, SP, 4)
    a.mov(LR, R1, restores=16)
    a.add_sp(8)
    a.jump_if(EQ, label)
    a.pop(R0, R7, PC)
    assert a.finish().events == [
        StackMoved(0, 2, 12), RegisterSaved(0, 2, 0, 0), RegisterSaved(0, 2, 7, 4), RegisterSaved(0, 2, 14, 8),
        StackMoved(2, 4, 8), RegisterSaved(4, 6, 1, 4), Called(6, 10, label), RegisterLoaded(10, 12, 1, 4),
        RegisterLoaded(12, 14, 14, 16), StackMoved(14, 16, -8), Jumped(16, 18, label, always=False),
        RegisterLoaded(18, 20, 0, 0), RegisterLoaded(18, 20, 7, 4), StackMoved(18, 20, -12),
        Jumped(18, 20, None, always=True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: a.constant(R0, 1 << 32),
        lambda a: a.movs(R0, 256),
        lambda a: a.movs(R8, 1),
        lambda a: a.adds(R0, R1, 8),
        lambda a: a.ldr(R0, R1, 128),
        lambda a: a.ldr(R0, R1, 2),
        lambda a: a.str(R0, SP, 1024),
        lambda a: a.lsls(R0, R1, 32),
        lambda a: a.lsrs(R0, R1, 0),
        lambda a: a.push(R8),
        lambda a: a.pop(R0, LR),
        lambda a: a.movw(R0, 1),
        lambda a: a.smull(R0, R1, R2, R7),
    ],
)
def test_what_there_is_not(wrong: Callable[[Assembler], None]) -> None:
    """It is refused, and nothing appended."""
    a = Assembler()
    with pytest.raises(OperandError):
        wrong(a)
    assert a.offset == 0


def test_labels_without_a_place() -> None:
    a = Assembler()
    a.jump_if(EQ, Label("nowhere"))
    with pytest.raises(ValueError, match="labels used but not bound: nowhere"):
        a.finish()
