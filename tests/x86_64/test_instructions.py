"""What each method of the assembler appends is what GNU as makes of the same instruction, and what capstone reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from capstone import CS_ARCH_X86, CS_MODE_64, Cs

from jit.codegen.processor import Called, Jumped, Label, OperandError, RegisterLoaded, RegisterSaved, StackMoved
from jit.x86_64.assembler import Assembler
from jit.x86_64.operands import (
    R11,
    R12,
    R13,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    REGISTERS,
    RSI,
    RSP,
    Condition,
    Memory,
    Register,
    at,
)
from tests.harness.gnu_as import assembled

gnu_as = partial(assembled, tools="x86_64-linux-gnu-", head=[".intel_syntax noprefix"])
#: An instruction as it is written, and the method that appends it, with its arguments.
Case = tuple[str, str, tuple[object, ...], dict[str, bool]]
WIDE, NARROW = {"wide": True}, {"wide": False}

BYTES = {"rax": "al", "rcx": "cl", "rdx": "dl", "rbx": "bl", "rsp": "spl", "rbp": "bpl", "rsi": "sil", "rdi": "dil"}
CONDITIONS = dict(zip(Condition, "o b ae e ne be a l ge le g".split(), strict=True))
FEW = (RAX, RBX, RSI, R11, R13)
NUMBERS = (0, 1, -1, 15, 127, 128, -128, -129, 0x1234567, 0x7FFFFFFF, -0x80000000)
MEMORY = [
    *(at(base, displacement) for base in REGISTERS for displacement in (0, 8, 127, -128, 128, -129, 0x7FFFFFFF)),
    *(at(base, 24, index, 8) for base in (RAX, RSP, RBP, R12, R13) for index in (RAX, RBP, R12, R13)),
    *(at(base, 0, RCX, scale) for base in (RBX, RBP, R13) for scale in (1, 2, 4, 8)),
]


def narrow(one: Register) -> str:
    """Its lower half."""
    return f"{one}d" if one.code > 7 else f"e{one.name[1:]}"


def byte(one: Register) -> str:
    """Its lowest byte."""
    return BYTES.get(one.name, f"{one}b")


def place(one: Memory, size: str = "") -> str:
    index = f" + {one.index}*{one.scale}" if one.index else ""
    return f"{size}[{one.base}{index} + {one.displacement}]".replace("+ -", "- ")


def moves() -> Iterator[Case]:
    for into, source in product(REGISTERS, REGISTERS):
        yield f"mov {into}, {source}", "mov", (into, source), WIDE
        yield f"mov {narrow(into)}, {narrow(source)}", "mov", (into, source), NARROW
        yield f"movsxd {into}, {narrow(source)}", "movsxd", (into, source), {}
        yield f"movzx {narrow(into)}, {byte(source)}", "movzx", (into, source), {}
    for register, memory in product(FEW, MEMORY):
        yield f"mov {register}, {place(memory)}", "mov", (register, memory), WIDE
        yield f"mov {narrow(register)}, {place(memory)}", "mov", (register, memory), NARROW
        yield f"mov {place(memory)}, {register}", "store", (memory, register), {}
        yield f"lea {register}, {place(memory)}", "lea", (register, memory), WIDE
        yield f"lea {narrow(register)}, {place(memory)}", "lea", (register, memory), NARROW
    for into in REGISTERS:
        for number in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            yield f"mov {narrow(into)}, {number}", "constant", (into, number), {}
        for number in (-1, -0x80000000):
            yield f"mov {into}, {number}", "constant", (into, number), {}
        for number in (1 << 32, -(1 << 31) - 1, 1 << 63, (1 << 64) - 1):
            yield f"movabs {into}, {number}", "constant", (into, number), {}


def arithmetic() -> Iterator[Case]:
    for name, options in product(("add", "or", "and", "sub", "xor", "cmp"), (WIDE, NARROW)):
        method, called = f"{name}_" if name in ("or", "and") else name, str if options is WIDE else narrow
        for into in (one for one in REGISTERS if one is not RSP):
            for source in REGISTERS:
                yield f"{name} {called(into)}, {called(source)}", method, (into, source), options
            for number in NUMBERS:
                yield f"{name} {called(into)}, {number}", method, (into, number), options
        for into, memory in product(FEW, MEMORY):
            yield f"{name} {called(into)}, {place(memory)}", method, (into, memory), options
    for memory in MEMORY:
        for number in NUMBERS:
            yield f"cmp {place(memory, 'qword ptr ')}, {number}", "cmp_memory", (memory, number), {}
        yield f"dec {place(memory, 'dword ptr ')}", "dec32", (memory,), {}
    for number, name in product(NUMBERS, ("sub", "add")):
        yield f"{name} rsp, {number}", name, (RSP, number), {}
    for one in REGISTERS:
        yield f"neg {one}", "neg", (one,), {}
        for by, name in product((1, 2, 4, 63), ("shl", "shr", "sar")):
            yield f"{name} {one}, {by}", name, (one, by), {}
        for mask in (1, 15, 0x80, 0xFF):
            yield f"test {byte(one)}, {mask}", "test_bits", (one, mask), {}
        for mask in (0x100, 0x7FFFFFFF, 0xFFFFFFFF):
            yield f"test {narrow(one)}, {mask}", "test_bits", (one, mask), {}
        for other in REGISTERS:
            yield f"test {one}, {other}", "test", (one, other), {}
            yield f"imul {one}, {other}", "imul", (one, other), {}
            for by in (3, 127, -128, 128, 0x7FFFFFFF):
                yield f"imul {one}, {other}, {by}", "imul", (one, other, by), {}


def control() -> Iterator[Case]:
    for one in REGISTERS:
        yield f"push {one}", "push", (one,), {}
        yield f"pop {one}", "pop", (one,), {}
        yield f"call {one}", "call", (one,), {}
        yield f"jmp {one}", "jump_to", (one,), {}
    for memory in MEMORY:
        yield f"call {place(memory, 'qword ptr ')}", "call", (memory,), {}
    yield "ret", "ret", (), {}
    yield "ud2", "ud2", (), {}
    yield "int3", "int3", (), {}


def plain(text: str) -> str:
    """As both write it, but how numbers are written."""
    text = re.sub(r"\b[dq]?word ptr ", "", text)
    text = re.sub(r" - (\w+)\]", lambda found: f" + {-int(found[1], 0)}]", text)
    text = re.sub(r"\*1\b", "", text)
    text = re.sub(r"-?\b(0x[0-9a-f]+|\d+)\b", lambda found: str(int(found[0], 0) & 0xFFFF_FFFF), text)
    return text.replace(" + 0]", "]")


@pytest.mark.parametrize("family", [moves, arithmetic, control])
def test_as_gnu_as_and_capstone(family: Callable[[], Iterator[Case]], tmp_path: Path) -> None:
    a, places, lines = Assembler(), [], []
    for line, method, arguments, options in family():
        places.append(a.offset)
        getattr(a, method)(*arguments, **options)
        lines.append(line)
    data, expected = a.finish().data, gnu_as(lines, tmp_path)
    for line, begin, end in zip(lines, places, [*places[1:], len(data)]):
        assert data[begin:end] == expected[begin:end], (
            f"{line}: {data[begin:end].hex()}, as has {expected[begin:].hex()[:24]}"
        )
    assert data == expected
    read = [f"{one.mnemonic} {one.op_str}".rstrip() for one in Cs(CS_ARCH_X86, CS_MODE_64).disasm(data, 0)]
    assert list(map(plain, read)) == list(map(plain, lines))


def test_branches(tmp_path: Path) -> None:
    """Backward as short as it can be, forward with 32 bits, for nobody knows how far that is."""
    a, lines = Assembler(), []
    ahead, behind = Label(), Label()
    a.bind(behind)
    lines.append("behind:")
    for filler in range(40):
        a.jump(behind)
        a.call(behind)
        a.lea(R11, behind)
        lines += ["jmp behind", "call behind", "lea r11, [rip + behind]"]
        if filler % 4 == 0:
            a.jump(ahead)
            a.call(ahead)
            a.lea(RDI, ahead)
            lines += ["{disp32} jmp ahead", "call ahead", "lea rdi, [rip + ahead]"]
        for condition, name in CONDITIONS.items():
            a.jump_if(condition, behind)
            lines.append(f"j{name} behind")
            if filler == 20:
                a.jump_if(condition, ahead)
                lines.append(f"{{disp32}} j{name} ahead")
    a.bind(ahead)
    lines.append("ahead:")
    assert a.finish().data == gnu_as(lines, tmp_path)


def test_offsets() -> None:
    """Of labels behind and ahead, shifted."""
    a, behind, ahead = Assembler(), Label(), Label()
    a.ret()
    a.bind(behind)
    a.offset_of(RSI, behind, 2)
    a.offset_of(R11, ahead, 2)
    a.bind(ahead)
    assert a.finish().data == bytes.fromhex("c3 be04000000 41bb30000000")


def test_events() -> None:
    a, label = Assembler(), Label()
    a.push(RBX)
    a.sub(RSP, 8)
    a.call(R11)
    a.add(RSP, 8)
    a.pop(RBX)
    a.bind(label)
    a.jump_if(Condition.EQUAL, label)
    a.ret()
    assert a.finish().events == [
        StackMoved(0, 1, 8), RegisterSaved(0, 1, 3, 0), StackMoved(1, 5, 8), Called(5, 8, None), StackMoved(8, 12, -8),
        RegisterLoaded(12, 13, 3, 0), StackMoved(12, 13, -8), Jumped(13, 15, label, always=False),
        Jumped(15, 16, None, always=True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: a.constant(RAX, 1 << 64),
        lambda a: a.add(RAX, 1 << 31),
        lambda a: a.mov(RAX, at(RAX, 1 << 31)),
        lambda a: a.mov(RAX, at(RAX, 0, RSP)),
        lambda a: a.mov(RAX, at(RAX, 0, RCX, 3)),
        lambda a: a.and_(RSP, -16),
        lambda a: a.test_bits(RAX, 1 << 32),
        lambda a: a.imul(RAX, RAX, 1 << 31),
        lambda a: a.shl(RAX, 64),
    ],
)
def test_what_there_is_not(wrong: Callable[[Assembler], None]) -> None:
    """It is refused, and nothing appended."""
    a = Assembler()
    with pytest.raises(OperandError):
        wrong(a)
    assert a.offset == 0


def test_a_label_that_is_nowhere() -> None:
    a = Assembler()
    a.jump(Label("nowhere"))
    with pytest.raises(ValueError, match="nowhere"):
        a.finish()
