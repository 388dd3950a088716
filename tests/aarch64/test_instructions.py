"""What each method of the assembler appends is what GNU as makes of the same instruction, and what capstone reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from capstone import CS_ARCH_ARM64, CS_MODE_ARM, Cs

from jit.aarch64.assembler import Assembler, Operand
from jit.aarch64.operands import REGISTERS, SP, X0, X1, X16, X19, X29, X30, Condition, Shifted, asr, bitmask, lsl, lsr
from jit.codegen.processor import Called, Jumped, Label, OperandError, RegisterLoaded, RegisterSaved, StackMoved
from tests.harness.gnu_as import assembled

gnu_as = partial(assembled, tools="aarch64-linux-gnu-")
#: An instruction as it is written, and the method that appends it, with its arguments.
Case = tuple[str, str, tuple[object, ...], dict[str, bool]]

CORE = REGISTERS[:-1]
FEW = (X0, X16, X30)
CONDITIONS = dict(zip(Condition, "eq ne lo vs hi ge lt gt le".split(), strict=True))
MASKS = (
    1,
    3,
    15,
    0x3F,
    0xFF,
    0xFFFF,
    1 << 63,
    -2,
    -16,
    -(1 << 60),
    0x5555555555555555,
    0xFF00FF00FF00FF00,
    0x7FFFFFFF0,
)
#: Numbers, and by how many instructions of which kind they are made.
CONSTANTS = (0, 1, 0xFFFF, 0x10000, 0xFFFF0000, 0xFFFF << 48, -1, -2, -0x10000, ~(0xFFFF << 32))


def named(one: Operand) -> str:
    """A last operand as it is written."""
    if isinstance(one, Shifted):
        return f"{one.register}, {('lsl', 'lsr', 'asr')[one.type]} #{one.amount}"
    return f"#{one}" if isinstance(one, int) else str(one)


def moves() -> Iterator[Case]:
    for one, other in product(CORE, CORE):
        yield f"mov {one}, {other}", "mov", (one, other), {}
        yield f"sxtw {one}, w{other.number}", "sxtw", (one, other), {}
        yield f"uxtb w{one.number}, w{other.number}", "uxtb", (one, other), {}
    for into, number in product(CORE, CONSTANTS):
        yield f"mov {into}, #{number}", "constant", (into, number), {}
    for into, mask in product(CORE, (0x0F0F0F0F0F0F0F0F, 0x7FFFFFFF0)):
        yield f"mov {into}, #{mask}", "constant", (into, mask), {}
    for into, base in product(CORE, REGISTERS):
        for offset in (0, 8, 0x7FF8):
            yield f"ldr {into}, [{base}, #{offset}]", "ldr", (into, base, offset), {}
            yield f"str {into}, [{base}, #{offset}]", "str", (into, base, offset), {}
        for offset in (-8, -256, 255, 1):
            yield f"ldur {into}, [{base}, #{offset}]", "ldr", (into, base, offset), {}
            yield f"stur {into}, [{base}, #{offset}]", "str", (into, base, offset), {}
        for offset in (0, 16, 0x3FFC):
            yield f"ldr w{into.number}, [{base}, #{offset}]", "ldr", (into, base, offset), {"wide": False}
            yield f"str w{into.number}, [{base}, #{offset}]", "str", (into, base, offset), {"wide": False}
        for index in FEW:
            yield f"ldr {into}, [{base}, {index}, lsl #3]", "ldr_at", (into, base, index), {}
            yield f"str {into}, [{base}, {index}, lsl #3]", "str_at", (into, base, index), {}
    for one, other in product(FEW, (X1, X19, X29)):
        for place in (0, 16, 504, -512):
            yield f"stp {one}, {other}, [sp, #{place}]", "stp", (one, other, place), {}
            yield f"ldp {one}, {other}, [sp, #{place}]", "ldp", (one, other, place), {}
        for size in (16, 80, 496):
            yield f"stp {one}, {other}, [sp, #-{size}]!", "push", (one, other, size), {}
            yield f"ldp {one}, {other}, [sp], #{size}", "pop", (one, other, size), {}


def arithmetic() -> Iterator[Case]:
    shifted: list[Operand] = [kind(X1, amount) for kind in (lsl, lsr, asr) for amount in (1, 3, 63)]
    for into, one in product(CORE, FEW):
        for other in [X0, X19, *shifted, 0, 1, 4095, 4096, 0xFFF000]:
            for name in ("add", "sub", "adds", "subs"):
                yield f"{name} {into}, {one}, {named(other)}", name, (into, one, other), {}
            if isinstance(other, int):
                yield f"subs w{into.number}, w{one.number}, #{other}", "subs32", (into, one, other), {}
            yield f"cmp {one}, {named(other)}", "cmp", (one, other), {}
            yield f"cmn {one}, {named(other)}", "cmn", (one, other), {}
        for other in [X0, X19, *shifted, *MASKS]:
            for name in ("and", "orr", "eor"):
                yield (
                    f"{name} {into}, {one}, {named(other)}",
                    f"{name}_" if name == "and" else name,
                    (into, one, other),
                    {},
                )
            yield f"tst {one}, {named(other)}", "tst", (one, other), {}
        for by, name in product((1, 4, 63), ("lsl", "lsr", "asr")):
            yield f"{name} {into}, {one}, #{by}", name, (into, one, by), {}
        for factor in FEW:
            yield f"mul {into}, {one}, {factor}", "mul", (into, one, factor), {}
            yield f"smulh {into}, {one}, {factor}", "smulh", (into, one, factor), {}


def control() -> Iterator[Case]:
    for one in CORE:
        yield f"br {one}", "br", (one,), {}
        yield f"blr {one}", "blr", (one,), {}
    yield "ret", "ret", (), {}


def plain(text: str) -> str:
    """As both write it, but how numbers are written."""
    text = re.sub(r"#(-?\w+)", lambda found: f"#{int(found[1], 0) & (1 << 64) - 1}", text)
    return text.replace(", #0]", "]").replace("#16773120", "#4095, lsl #12").replace("#4096", "#1, lsl #12")


@pytest.mark.parametrize("family", [moves, arithmetic, control])
def test_as_gnu_as_and_capstone(family: Callable[[], Iterator[Case]], tmp_path: Path) -> None:
    a, lines = Assembler(), []
    for line, method, arguments, options in family():
        getattr(a, method)(*arguments, **options)
        lines.append(line)
        assert a.offset == 4 * len(lines), line
    data, expected = a.finish().data, gnu_as(lines, tmp_path)
    for at, line in enumerate(lines):
        ours, theirs = data[4 * at : 4 * at + 4], expected[4 * at : 4 * at + 4]
        assert ours == theirs, f"{line}: {ours[::-1].hex()} here, {theirs[::-1].hex()} there"
    assert data == expected
    read = [f"{one.mnemonic} {one.op_str}".rstrip() for one in Cs(CS_ARCH_ARM64, CS_MODE_ARM).disasm(data, 0)]
    different = [
        (there, line) for there, line in zip(map(plain, read), map(plain, lines), strict=True) if there != line
    ]
    assert [
        pair for pair in different if pair[0].split()[0] not in ("movz", "movn", "orr")
    ] == []  # which mov is as well


@pytest.mark.parametrize(
    "value", [0x12345, -0x12345, 0x123456789ABCDEF0, -0x123456789ABCDEF, 0xFFFF_1234_FFFF_FFFF, 1 << 63]
)
def test_constants(value: int, tmp_path: Path) -> None:
    """Of several instructions: they are as many as are needed, and have the value."""
    a = Assembler()
    a.constant(X0, value)
    result = 0
    for one in Cs(CS_ARCH_ARM64, CS_MODE_ARM).disasm(a.finish().data, 0):
        number, _, shift = one.op_str.removeprefix("x0, #").partition(", lsl #")
        bits = int(number, 0) << int(shift or "0", 0)
        if one.mnemonic == "movk":
            result = result & ~(0xFFFF << int(shift or "0", 0)) | bits
        else:
            result = ~bits if one.mnemonic == "movn" else bits
    assert result & (1 << 64) - 1 == value & (1 << 64) - 1
    assert a.offset <= 4 * sum(half not in (0, 0xFFFF) for half in ((value >> 16 * at) & 0xFFFF for at in range(4))) + 4


def test_bit_masks(tmp_path: Path) -> None:
    """GNU as knows just those that are told of here."""
    for value in (0, -1, 5, 0x1234, 0xFF0F, 1 << 63 | 2):
        assert bitmask(value) is None
    ones = [(1 << length) - 1 for length in range(1, 64)]
    values = sorted({(one << by | one >> 64 - by) & (1 << 64) - 1 for one in ones for by in range(64)})
    a = Assembler()
    for value in values:
        a.and_(X0, X1, value)
    assert a.finish().data == gnu_as([f"and x0, x1, #{value:#x}" for value in values], tmp_path)


def test_branches(tmp_path: Path) -> None:
    a, lines = Assembler(), ["behind:"]
    behind, ahead = Label(), Label()
    a.bind(behind)
    for label, name in ((behind, "behind"), (ahead, "ahead"), (behind, "behind")):
        a.jump(label)
        a.bl(label)
        a.adr(X16, label)
        a.cbz(X19, label)
        a.cbnz(X30, label)
        lines += [f"{one} {name}" for one in ("b", "bl", "adr x16,", "cbz x19,", "cbnz x30,")]
        for condition, suffix in CONDITIONS.items():
            a.jump_if(condition, label)
            lines.append(f"b.{suffix} {name}")
    a.bind(ahead)
    lines.append("ahead:")
    assert a.finish().data == gnu_as(lines, tmp_path)


def test_offsets() -> None:
    """Of labels behind and ahead, shifted, in one instruction where that is enough."""
    a, behind, ahead = Assembler(), Label(), Label()
    a.ret()
    a.bind(behind)
    a.offset_of(X0, behind, 2)
    a.offset_of(X1, ahead, 2, within=64)
    a.offset_of(X16, ahead, 16)
    a.bind(ahead)
    words = [0xD65F03C0, 0xD2800200, 0xD2800001 | 20 * 4 << 5, 0xD2800010, 0xF2A00010 | 20 << 5]
    assert a.finish().data == b"".join(word.to_bytes(4, "little") for word in words)


def test_events() -> None:
    a, label = Assembler(), Label()
    a.push(X29, X30, 32)
    a.stp(X19, X0, 16)
    a.bl(label)
    a.bind(label)
    a.ldp(X19, X0, 16)
    a.pop(X29, X30, 32)
    a.cbz(X0, label)
    a.ret()
    assert a.finish().events == [
        StackMoved(0, 4, 32), RegisterSaved(0, 4, 29, 0), RegisterSaved(0, 4, 30, 8), RegisterSaved(4, 8, 19, 16),
        RegisterSaved(4, 8, 0, 24), Called(8, 12, label), RegisterLoaded(12, 16, 19, 16), RegisterLoaded(12, 16, 0, 24),
        RegisterLoaded(16, 20, 29, 0), RegisterLoaded(16, 20, 30, 8), StackMoved(16, 20, -32),
        Jumped(20, 24, label, always=False), Jumped(24, 28, None, always=True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: a.constant(X0, 1 << 64),
        lambda a: a.add(X0, X0, 4097),
        lambda a: a.add(X0, SP, X1),
        lambda a: a.and_(X0, X0, 5),
        lambda a: a.ldr(X0, X1, 0x8000),
        lambda a: a.ldr(X0, X1, 257),
        lambda a: a.stp(X0, X1, 512),
        lambda a: a.lsr(X0, X1, 64),
        lambda a: a.add(X0, X0, lsl(X1, 64)),
    ],
)
def test_what_there_is_not(wrong: Callable[[Assembler], None]) -> None:
    """It is refused, and nothing appended."""
    a = Assembler()
    with pytest.raises(OperandError):
        wrong(a)
    assert a.offset == 0


def test_data() -> None:
    """They are filled up to a whole word: what describes code counts in words."""
    a = Assembler()
    a.ret()
    a.data(b"12345")
    code = a.finish()
    assert (code.instructions, code.data[4:]) == (4, b"12345\0\0\0")


def test_too_far() -> None:
    a, label = Assembler(), Label()
    a.cbz(X0, label)
    a.data(bytes(1 << 20))
    with pytest.raises(OperandError):
        a.bind(label)
