"""What each method of the assembler appends is what GNU as makes of the same instruction, and what capstone reads."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import product
from pathlib import Path

import pytest
from capstone import CS_ARCH_RISCV, CS_MODE_RISCV32, CS_MODE_RISCV64, CS_MODE_RISCVC, Cs

from jit.codegen.processor import Called, Jumped, Label, OperandError, RegisterLoaded, RegisterSaved, StackMoved
from jit.riscv.assembler import Assembler
from jit.riscv.operands import A0, A1, A5, RA, REGISTERS, S0, S2, S11, SP, T0, T6, ZERO, Condition
from jit.riscv.text import listing
from tests.harness.gnu_as import assembled

#: An instruction as it is written, and the method that appends it, with its arguments.
Case = tuple[str, str, tuple[object, ...]]

OTHERS = REGISTERS[1:]
FEW = (RA, SP, S0, A5, T6)
PAIRS = (
    *zip(OTHERS, OTHERS),
    *((one, S0) for one in OTHERS),
    *((one, SP) for one in OTHERS),
    *((A5, one) for one in REGISTERS),
    *product(FEW, FEW),
)
MNEMONICS = dict(zip(Condition, ("beq", "bne", "blt", "bge", "bltu", "bgeu"), strict=True))
TWELVE = (1, -1, 31, 32, -32, -33, 2047, -2048)


def gnu_as(word: int, lines: list[str], folder: Path) -> bytes:
    head = [f'.attribute arch, "rv{8 * word}imac"', ".option norelax"]
    return assembled(lines, folder, tools="riscv64-linux-gnu-", head=head)


def moves(word: int) -> Iterator[Case]:
    for one, other in product(OTHERS, OTHERS):
        if one is not other:
            yield f"mv {one}, {other}", "move", (one, other)
    for into, number in product(OTHERS, (0, *TWELVE)):
        yield f"li {into}, {number}", "constant", (into, number)
    for into, upper in product(OTHERS, (1, -1, 31, 32, -32, -33, 0x7FFFF, -0x80000)):
        yield f"lui {into}, {upper & 0xFFFFF:#x}", "lui", (into, upper)
    for size, letter in ((4, "w"), (8, "d"))[: word // 4]:
        for one, base in ((ZERO, S0), *PAIRS):
            for offset in (0, 4, 8, 100, 124, 128, 248, 252, 256, 504, 508, 512, 1, -4, 2047, -2048):
                if one is not ZERO:
                    yield f"l{letter} {one}, {offset}({base})", "load", (one, base, offset, size)
                yield f"s{letter} {one}, {offset}({base})", "store", (one, base, offset, size)
    for one in OTHERS:
        yield f"lw{'u' * (word == 8)} {one}, 4(s2)", "load_unsigned", (one, S2, 4)


def arithmetic(word: int) -> Iterator[Case]:
    for into, one in PAIRS:
        for number in (*TWELVE, 4, 16, 496, -512, 512, 1020, 1024):
            yield f"addi {into}, {one}, {number}", "addi", (into, one, number)
            if word == 8:
                yield f"addiw {into}, {one}, {number}", "addiw", (into, one, number)
            for name in ("andi", "ori", "xori", "slti", "sltiu"):
                yield f"{name} {into}, {one}, {number}", name, (into, one, number)
        for by, name in product((1, 4, 31, 8 * word - 1), ("slli", "srli", "srai")):
            yield f"{name} {into}, {one}, {by}", name, (into, one, by)
    for into, one, other in product((*FEW, A0), FEW, FEW):
        for name in ("add", "sub", "and", "or", "xor", "slt", "sltu", "mul", "mulh"):
            yield f"{name} {into}, {one}, {other}", f"{name}_" if name in ("and", "or") else name, (into, one, other)


def control(_word: int) -> Iterator[Case]:
    for one in OTHERS:
        yield f"jr {one}", "jr", (one,)
        yield f"jr 4({one})", "jr", (one, 4)
        yield f"jalr {one}", "jalr", (one,)
    yield "ret", "ret", ()
    yield "csrrw zero, cycle, zero", "unimp", ()


#: What is written in another way, by mnemonic: the instruction, with operands counted from 0, or others.
ALIASES: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "mv": ("addi", (0, 1, "0")),
    "li": ("addi", (0, "zero", 1)),
    "sext.w": ("addiw", (0, 1, "0")),
    "not": ("xori", (0, 1, "-1")),
    "seqz": ("sltiu", (0, 1, "1")),
    "nop": ("addi", (0, 0, 1)),
    "addi16sp": ("addi", (0, 0, 1)),
    "addi4spn": ("addi", (0, 1, 2)),
    "csrrw": ("unimp", ()),
    "ret": ("jalr", ("zero", "ra", "0")),
}
OF_TWO = frozenset("addi addiw andi slli srli srai add sub and or xor".split())


def plain(text: str) -> tuple[str, list[str]]:
    """As both write it: mnemonic and operands, nothing shortened, and numbers alike."""
    mnemonic, _, rest = text.removeprefix("c.").partition(" ")
    operands = [str(int(one, 0)) if one[0] in "-0123456789" else one for one in re.findall(r"-?\w+", rest)]
    if mnemonic in ("jr", "jalr") and len(operands) < 3:
        offset = operands[0] if len(operands) == 2 else "0"
        return "jalr", ["zero" if mnemonic == "jr" else "ra", operands[-1], offset]
    if mnemonic in ALIASES:
        mnemonic, places = ALIASES[mnemonic]
        return mnemonic, [operands[one] if isinstance(one, int) else one for one in places]
    if mnemonic in OF_TWO and len(operands) == 2:
        operands.insert(0, operands[0])
    if mnemonic in ("add", "and", "or", "xor") and operands[0] == operands[2]:
        operands[1:] = reversed(operands[1:])
    return mnemonic.removesuffix("sp"), operands


@pytest.mark.parametrize("word", [4, 8])
@pytest.mark.parametrize("family", [moves, arithmetic, control])
def test_as_gnu_as_and_capstone(family: Callable[[int], Iterator[Case]], word: int, tmp_path: Path) -> None:
    a, lines, begins = Assembler(word), [], []
    for line, method, arguments in family(word):
        begins.append(a.offset)
        getattr(a, method)(*arguments)
        lines.append(line)
    data, expected = a.finish().data, gnu_as(word, lines, tmp_path)
    for line, begin, end in zip(lines, begins, [*begins[1:], len(data)], strict=True):
        ours, theirs = data[begin:end], expected[begin:end]
        assert ours == theirs, f"{line}: {ours[::-1].hex()} here, {theirs[::-1].hex()} there"
    assert expected[len(data) :] in (b"", b"\1\0")  # a nop
    decoder = Cs(CS_ARCH_RISCV, (CS_MODE_RISCV32 if word == 4 else CS_MODE_RISCV64) | CS_MODE_RISCVC)
    read = [f"{one.mnemonic} {one.op_str}".rstrip() for one in decoder.disasm(data, 0)]
    different = [(there, line) for there, line in zip(read, lines, strict=True) if plain(there) != plain(line)]
    assert different == []


def value_of(word: int, data: bytes) -> int:
    """What instructions leave in a0, read as capstone writes them."""
    value, bits = 0, 8 * word
    decoder = Cs(CS_ARCH_RISCV, (CS_MODE_RISCV32 if word == 4 else CS_MODE_RISCV64) | CS_MODE_RISCVC)
    for one in decoder.disasm(data, 0):
        mnemonic, operands = plain(f"{one.mnemonic} {one.op_str}".rstrip())
        number = int(operands[-1])
        if mnemonic == "lui":
            value = (number & 0xFFFFF) << 12
            value -= (value >> 31) << 32
        elif mnemonic == "slli":
            value <<= number
        else:
            value = (0 if operands[1] == "zero" else value) + number
            if mnemonic == "addiw":
                value = (value & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)
    return value & (1 << bits) - 1


@pytest.mark.parametrize(
    ("word", "value", "size"),
    [
        (4, 0x800, 6), (4, 0x12345678, 8), (4, 0x7FFFFFFF, 6), (4, 0xFFFFFFFF, 2), (4, 1 << 31, 4), (4, -0x12345, 6),
        (8, 0x800, 6), (8, 0x12345678, 8), (8, 0x7FFFFFFF, 6), (8, 0xFFFFFFFF, 6), (8, 1 << 63, 4), (8, -0x12345, 6),
        (8, (1 << 64) - 1, 2), (8, (1 << 63) - 1, 6), (8, 0x123456789ABCDEF0, 28), (8, -0x123456789ABCDEF, 28),
        (8, 1 << 40, 4), (8, 0xFFFF << 48, 4), (8, 0x5555555555555555, 28),
    ],
)  # fmt: skip
def test_constants(word: int, value: int, size: int) -> None:
    """Of several instructions: they have the value, and are not more than these bytes."""
    a = Assembler(word)
    a.constant(A0, value)
    assert value_of(word, a.finish().data) == value & (1 << 8 * word) - 1
    assert a.offset <= size


@pytest.mark.parametrize("word", [4, 8])
def test_branches(word: int, tmp_path: Path) -> None:
    """Of 16 bits where the place is known, and near enough."""
    a, lines = Assembler(word), ["behind:"]
    behind, ahead = Label(), Label()
    a.bind(behind)
    for label, name, option in ((behind, "behind", "rvc"), (ahead, "ahead", "norvc")):
        lines.append(f".option {option}")
        for condition, mnemonic in MNEMONICS.items():
            for one, other in ((A0, ZERO), (T0, ZERO), (ZERO, A0), (S11, A5)):
                a.branch(condition, one, other, label)
                lines.append(f"{mnemonic} {one}, {other}, {name}")
        a.jump(label)
        a.call(label)
        a.call(label, T0)
        a.address(S2, label)
        short = "c." if word == 4 and label is behind else ""
        lines += [f"j {name}", f"{short}jal {name}", f"jal t0, {name}", f"1: auipc s2, %pcrel_hi({name})"]
        lines.append("addi s2, s2, %pcrel_lo(1b)")
    a.bind(ahead)
    lines.append("ahead:")
    data, expected = a.finish().data, bytearray(gnu_as(word, lines, tmp_path))
    for match in re.finditer(rb"\x17\x09\0\0\x13\x09\x09\0", bytes(expected)):  # left to the linker
        place = match.start()
        target = 0 if place < len(data) // 2 else a.offset
        upper, lower = struct.unpack_from("<II", data, place)
        assert (upper >> 12 << 12) + ((lower >> 20 ^ 0x800) - 0x800) & 0xFFFFFFFF == target - place & 0xFFFFFFFF
        expected[place : place + 8] = data[place : place + 8]
    assert data.hex() == expected[: len(data)].hex()


def text_at(word: int, data: bytes, place: int) -> str:
    """An instruction, in which distances count from it."""
    return next(text for _, _, text in listing(word, data[place : place + 4], 4, {}))


def reached(word: int, data: bytes, place: int) -> int:
    """Where control comes to from a branch or jump that is taken, past islands."""
    while True:
        text = text_at(word, data, place)
        if text.startswith("auipc t6"):
            upper, lower = struct.unpack_from("<II", data, place)
            distance = (upper >> 12 << 12) + ((lower >> 20 ^ 0x800) - 0x800)
            place += (distance & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)
        elif found := re.fullmatch(r"(?:c\.)?(?:j|jal|b\w+)(?: \w+,)* (-?0x[0-9a-f]+)", text):
            place += int(found[1], 16)
        else:
            return place


@pytest.mark.parametrize("word", [4, 8])
@pytest.mark.parametrize("count", [1, 40, 1000])
def test_far_branches(word: int, count: int) -> None:
    """As many as stand together, to places that come later, and back."""
    a, begin = Assembler(word), Label()
    a.bind(begin)
    a.ret()
    labels = [Label() for _ in range(count)]
    places = []
    for label in labels:
        a.branch(Condition.LESS, A0, A1, label)
        places.append((a.offset - 4, label))
    for _ in range(1500):
        a.addi(A0, A1, 100)
    for label in labels:
        a.bind(label)
        a.ret()
    back = a.offset
    a.branch(Condition.BELOW, A0, A1, begin)
    data = a.finish().data
    assert [reached(word, data, place) for place, _ in places] == [label.offset for _, label in places]
    assert [text.split()[0] for _, _, text in listing(word, data[back:], 8, {})] == ["bgeu", "j"]


@pytest.mark.parametrize("word", [4, 8])
def test_very_far(word: int) -> None:
    """Jumps and calls over more than a MiB: jumps and calls go to islands of their own."""
    kinds: list[bool] = []

    def apart(called: bool) -> AbstractContextManager[None]:
        kinds.append(called)
        return nullcontext()

    a, begin, end = Assembler(word, apart), Label(), Label()
    a.bind(begin)
    a.ret()
    a.jump(end)
    a.call(end)
    while a.offset < 5 << 18:
        a.lui(T0, 0x7FFFF)
    a.bind(end)
    a.ret()
    back = a.offset
    a.jump(begin)
    a.call(begin, T0)
    data = a.finish().data
    assert kinds == [False, True]
    assert reached(word, data, 2) == reached(word, data, 6) == end.offset
    assert reached(word, data, back) == reached(word, data, back + 8) == 0
    assert [text_at(word, data, at).split()[0] for at in (2, 6, back + 4, back + 12)] == ["j", "jal", "jalr", "jalr"]


def test_offsets() -> None:
    """Of labels behind and ahead, shifted, in no more than they need."""
    for before, within, size in ((0, 256, 8), (0x1000, 256, 6), (0x1000, 1 << 20, 8), (0x9000, 256, 8)):
        a, ahead, behind = Assembler(8), Label(), Label()
        a.bind(behind)
        for _ in range(before // 4):
            a.lui(T0, 0x7FFFF)
        begin = a.offset
        a.offset_of(A0, ahead, 2, within=within)
        end = a.offset
        a.offset_of(A0, behind, 2)
        a.bind(ahead)
        assert ahead.offset is not None
        assert value_of(8, a.finish().data[begin:end]) == ahead.offset * 4
        assert end - begin == size


def test_events() -> None:
    a, label = Assembler(8), Label()
    a.addi(SP, SP, -32)
    a.store(RA, SP, 8)
    a.call(label, T0)
    a.bind(label)
    a.load(RA, SP, 8)
    a.addi(SP, SP, 32)
    a.branch(Condition.EQUAL, A0, ZERO, label)
    a.ret()
    assert a.finish().events == [
        StackMoved(0, 2, 32), RegisterSaved(2, 4, 1, 8), Called(4, 8, label), RegisterLoaded(8, 10, 1, 8),
        StackMoved(10, 12, -32), Jumped(12, 14, label, always=False), Jumped(14, 16, None, always=True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: a.constant(A0, 1 << 32),
        lambda a: a.addi(A0, A0, 2048),
        lambda a: a.andi(A0, A1, -2049),
        lambda a: a.load(A0, A1, 2048),
        lambda a: a.store(A0, A1, -2049),
        lambda a: a.srli(A0, A1, 32),
        lambda a: a.lui(A0, 1 << 19),
    ],
)
def test_what_there_is_not(wrong: Callable[[Assembler], None]) -> None:
    """It is refused, and nothing appended."""
    a = Assembler(4)
    with pytest.raises(OperandError):
        wrong(a)
    assert a.offset == 0


def test_data() -> None:
    """They are filled up to what describes code counts in."""
    a = Assembler(4)
    a.ret()
    a.data(b"12345")
    code = a.finish()
    assert (code.instructions, code.data[2:]) == (2, b"12345\0")
