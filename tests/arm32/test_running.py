"""Code that runs: linked with C by GNU ld, under qemu-arm, its results compared with Python's."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.buffer import FinishedCode
from jit.arm32.conditions import CC, CS, EQ, GT, HI, LT, MI, NE, VS
from jit.arm32.cpus import CORTEX_A7
from jit.arm32.operands import asr, at, lsl, post, pre
from jit.arm32.registers import D0, D1, D2, D3, LR, PC, R0, R1, R2, R3, R4, R5, R6, R12, S0, S1, S4, SP
from jit.arm32.relocations import External
from jit.codegen.processor import Label
from tests.arm32.program import link, run

_MASK = 0xFFFF_FFFF
_INTERESTING = [0, 1, 2, 15, 16, 31, 32, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]


def _signed(value: int) -> int:
    value &= _MASK
    return value - (1 << 32) if value >> 31 else value


# Each makes r0 of r0 and r1, and may change r2, r3 and r12; what it computes is said in Python.
Step = tuple[Callable[[Assembler], object], Callable[[int, int], int]]


def _compare(assembler: Assembler) -> None:
    """1 for less, 2 for equal, 3 for more, as signed; plus 4 if lower as unsigned."""
    assembler.mov(R2, 3)
    assembler.cmp(R0, R1)
    assembler.mov(R2, 1, LT)
    assembler.mov(R2, 2, EQ)
    assembler.add(R2, R2, 4, CC)
    assembler.mov(R0, R2)


def _overflow(assembler: Assembler) -> None:
    assembler.adds(R0, R0, R1)
    assembler.mvn(R0, 0, VS)


def _multiply_high(assembler: Assembler) -> None:
    assembler.smull(R2, R3, R0, R1)
    assembler.mov(R0, R3)


def _add_with_carry(assembler: Assembler) -> None:
    """The upper half of r0:r1 + r1:r0."""
    assembler.adds(R2, R1, R0)
    assembler.adc(R0, R0, R1)


def _stack(assembler: Assembler) -> None:
    assembler.push(R0, R1, R4, LR)
    assembler.ldr(R2, at(SP, 4))
    assembler.strh(R2, at(SP, 2))
    assembler.ldrsb(R3, at(SP, 1))
    assembler.str(R3, at(SP, 4))
    assembler.pop(R0, R1, R4, LR)
    assembler.eor(R0, R0, R1)


def _stacked(a: int, b: int) -> int:
    halves = a & 0xFFFF | (b & 0xFFFF) << 16
    byte = halves >> 8 & 0xFF
    return halves ^ (byte - 256 if byte > 127 else byte) & _MASK


def _tagged(assembler: Assembler) -> None:
    """What Erlang's small integers are made of: shift out the tag, add, put it in."""
    assembler.mov(R0, asr(R0, 4))
    assembler.add(R0, R0, asr(R1, 4))
    assembler.mov(R2, 15)
    assembler.orr(R0, R2, lsl(R0, 4))


STEPS: dict[str, Step] = {
    "add": (lambda s: s.add(R0, R0, R1), lambda a, b: a + b),
    "rsb": (lambda s: s.rsb(R0, R0, lsl(R1, 3)), lambda a, b: (b << 3) - a),
    "lsl by register": (lambda s: s.lsl(R0, R0, R1), lambda a, b: a << (b & 255) if b & 255 < 32 else 0),
    "asr by register": (lambda s: s.asr(R0, R0, R1), lambda a, b: _signed(a) >> (b & 255)),
    "ror": (lambda s: s.ror(R0, R0, 5), lambda a, b: a >> 5 | a << 27),
    "bic": (lambda s: s.bic(R0, R0, R1), lambda a, b: a & ~b),
    "mls": (lambda s: s.mls(R0, R0, R1, R1), lambda a, b: b - a * b),
    "smull": (_multiply_high, lambda a, b: _signed(a) * _signed(b) >> 32),
    "smmul": (lambda s: s.smmul(R0, R0, R1), lambda a, b: _signed(a) * _signed(b) >> 32),
    "sdiv": (lambda s: s.sdiv(R0, R0, R1), lambda a, b: _divide(_signed(a), _signed(b))),
    "udiv": (lambda s: s.udiv(R0, R0, R1), lambda a, b: a // b if b else 0),
    "clz": (lambda s: s.clz(R0, R0), lambda a, b: 32 - a.bit_length()),
    "rbit": (lambda s: s.rbit(R0, R0), lambda a, b: int(f"{a:032b}"[::-1], 2)),
    "rev": (lambda s: s.rev(R0, R0), lambda a, b: int.from_bytes(a.to_bytes(4, "little"), "big")),
    "ubfx": (lambda s: s.ubfx(R0, R0, 5, 11), lambda a, b: a >> 5 & 0x7FF),
    "sbfx": (lambda s: s.sbfx(R0, R0, 20, 12), lambda a, b: _signed(a) >> 20),
    "bfi": (lambda s: s.bfi(R0, R1, 4, 8), lambda a, b: a & ~0xFF0 | (b & 0xFF) << 4),
    "sxtah": (lambda s: s.sxtah(R0, R0, R1, 8), lambda a, b: a + (((b >> 8 & 0xFFFF) ^ 0x8000) - 0x8000)),
    "ssat": (lambda s: s.ssat(R0, 9, R0), lambda a, b: max(-256, min(255, _signed(a)))),
    "adc": (_add_with_carry, lambda a, b: ((a << 32 | b) + (b << 32 | a)) >> 32),
    "conditions": (_compare, lambda a, b: 2 + (_signed(a) > _signed(b)) - (_signed(a) < _signed(b)) + 4 * (a < b)),
    "overflow": (
        _overflow,
        lambda a, b: a + b if -(1 << 31) <= _signed(a) + _signed(b) < 1 << 31 else _MASK,
    ),
    "loads and stores": (_stack, _stacked),
    "tagged": (_tagged, lambda a, b: ((_signed(a) >> 4) + (_signed(b) >> 4) << 4) | 15),
}


def _divide(a: int, b: int) -> int:
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_CALL_TABLE = """
#include <stdio.h>
typedef unsigned (*step)(unsigned, unsigned);
extern step table[];
int main(void) {
    unsigned number, a, b;
    while (scanf("%u %x %x", &number, &a, &b) == 3)
        printf("%08x\\n", table[number](a, b));
    return 0;
}
"""


def _pairs(count: int) -> list[tuple[int, int]]:
    chance = random.Random(7)
    some = [(chance.choice(_INTERESTING), chance.choice(_INTERESTING)) for _ in range(count)]
    return some + [(chance.getrandbits(32), chance.getrandbits(chance.choice((5, 32)))) for _ in range(count)]


def test_integer_arithmetic(tmp_path: Path) -> None:
    assembler = Assembler(CORTEX_A7)
    functions = [Label(name.replace(" ", "_")) for name in STEPS]
    for label, (make, _) in zip(functions, STEPS.values()):
        assembler.bind(label)
        make(assembler)
        assembler.bx(LR)
    assembler.label("table")
    for label in functions:
        assembler.word(label)
    program = link(assembler.finish(), _CALL_TABLE, tmp_path)
    questions = [(number, a, b) for number in range(len(STEPS)) for a, b in _pairs(100)]
    answers = run(program, "".join(f"{number} {a:x} {b:x}\n" for number, a, b in questions))
    names, models = list(STEPS), [model for _, model in STEPS.values()]
    wrong = [
        f"{names[number]}({a:#x}, {b:#x}): {answer}"
        for (number, a, b), answer in zip(questions, answers, strict=True)
        if int(answer, 16) != models[number](a, b) & _MASK
    ]
    assert wrong == []


def _constants() -> list[int]:
    chance = random.Random(11)
    sums = [(chance.getrandbits(8) << chance.randrange(25)) + (chance.getrandbits(8) << 4) for _ in range(60)]
    negative = [-value for value in _INTERESTING[:-3]]
    return [*_INTERESTING, *negative, *sums, *(chance.getrandbits(32) for _ in range(60))]


def test_operations_with_any_constant(tmp_path: Path) -> None:
    """Six functions for each constant, one for each of _OPERATIONS."""
    assembler = Assembler()
    functions: list[Label] = []
    constants = _constants()
    for value in constants:
        for make in _OPERATIONS:
            functions.append(assembler.label())
            make(assembler, value)
            assembler.bx(LR)
    assembler.place_pool()
    assembler.label("table")
    for label in functions:
        assembler.word(label)
    program = link(assembler.finish(), _CALL_TABLE, tmp_path)
    questions = [(number, a) for number in range(len(functions)) for a in (0, 0x1234_5678, 0xFFFF_FFFF)]
    questions += [(6 * index + 5, value & _MASK) for index, value in enumerate(constants)]
    answers = run(program, "".join(f"{number} {a:x} 0\n" for number, a in questions))
    wrong = []
    for (number, a), answer in zip(questions, answers, strict=True):
        value = constants[number // 6] & _MASK
        expected = (value, value, a + value, a + value, a & value, _comparison(a, value))[number % 6] & _MASK
        if int(answer, 16) != expected:
            wrong.append(f"operation {number % 6} with {value:#x} of {a:#x}: {answer}")
    assert wrong == []


def _compare_constant(assembler: Assembler, value: int) -> None:
    assembler.cmp_constant(R0, value)
    assembler.mov(R0, 0)
    for bit, condition in enumerate((EQ, CS, MI, VS, GT, HI)):
        assembler.orr(R0, R0, 1 << bit, condition)


def _comparison(a: int, value: int) -> int:
    difference = _signed(a) - _signed(value)
    wrapped = _signed(difference)
    flags = (a == value, a >= value, wrapped < 0, wrapped != difference, difference > 0, a > value)
    return sum(flag << bit for bit, flag in enumerate(flags))


def _add_elsewhere(assembler: Assembler, value: int) -> None:
    assembler.mov(R2, R0)
    assembler.add_constant(R0, R2, value, scratch=R3)


_OPERATIONS: list[Callable[[Assembler, int], None]] = [
    lambda assembler, value: assembler.mov_constant(R0, value),
    lambda assembler, value: assembler.mov_constant(R0, value, literal=True),
    lambda assembler, value: assembler.add_constant(R0, R0, value),
    _add_elsewhere,
    lambda assembler, value: assembler.and_constant(R0, R0, value),
    _compare_constant,
]


def test_literals_and_branches_over_many_pools(tmp_path: Path) -> None:
    """One function of 60 KB without a jump out: 4,000 different literals, and a loop around all of it."""
    chance = random.Random(3)
    literals = [chance.getrandbits(32) | 1 << 30 for _ in range(4000)]
    assembler = Assembler()
    assembler.label("step")
    out, total = Label(), R0
    assembler.push(R4, LR)
    assembler.mov(R4, 3)
    assembler.mov(total, 0)
    again = assembler.label()
    for number, value in enumerate(literals):
        assembler.ldr_literal(R2, value)
        assembler.add(total, total, R2)
        if number % 7 == 0:
            assembler.vldr_literal(D0, value + 0.5)
            assembler.vmov_from_double(R2, R3, D0)
            assembler.eor(total, total, R3)
    assembler.subs(R4, R4, 1)
    assembler.b(out, EQ)
    assembler.b(again)
    assembler.bind(out)
    assembler.pop(R4, PC)
    code = assembler.finish()
    assert len(code.data) > 50_000
    source = '#include <stdio.h>\nunsigned step(void);\nint main(void) { printf("%08x\\n", step()); return 0; }\n'
    expected = 0
    for number, value in list(enumerate(literals)) * 3:
        expected = expected + value & _MASK
        if number % 7 == 0:
            expected ^= struct.unpack("<2I", struct.pack("<d", value + 0.5))[1]
    assert run(link(code, source, tmp_path)) == [f"{expected:08x}"]


_FOREIGN = """
#include <stdio.h>
int data[4] = {10, 20, 30, 40};
int doubled(int x) { return 2 * x; }
int sum(int);
unsigned increment(unsigned *);
char *copy(char *, const char *, unsigned);
int pick(int);
int main(void) {
    char buffer[32] = {0};
    unsigned counter = 41;
    printf("%d\\n", sum(5));
    for (int i = 0; i < 5; i++)
        printf("%d\\n", pick(i));
    copy(buffer, "copied backwards", 17);
    printf("%u %u %s\\n", increment(&counter), counter, buffer);
    return 0;
}
"""


@pytest.mark.parametrize("instructions", ["-marm", "-mthumb"])
def test_calls_of_c_and_its_data(instructions: str, tmp_path: Path) -> None:
    """Each kind of relocation, resolved by the linker, against ARM and Thumb code."""
    assembler = Assembler()
    _emit_sum(assembler)
    _emit_pick(assembler)
    _emit_increment(assembler)
    _emit_copy(assembler)
    program = link(assembler.finish(), _FOREIGN, tmp_path, instructions)
    picked = ["100", "101", "102", "103", "-1"]
    assert run(program) == [str(4 * (2 * 5) + 20 + 40 + 30), *picked, "42 42 copied backwards"]


def _emit_sum(assembler: Assembler) -> None:
    """Four calls of doubled, by relocated and computed branches, and three ways to data."""
    address = Label()
    assembler.label("sum")
    assembler.push(R4, R5, R6, LR)
    assembler.mov(R4, R0)
    assembler.bl(External("doubled"))
    assembler.mov(R5, R0)
    loads: list[Callable[[], None]] = [
        lambda: assembler.mov_address(R12, External("doubled")),
        lambda: assembler.ldr_literal(R12, External("doubled")),
        lambda: assembler.ldr_label(R12, address),
    ]
    for load in loads:
        assembler.mov(R0, R4)
        load()
        assembler.blx(R12)
        assembler.add(R5, R5, R0)
    assembler.mov_address(R1, External("data", 4))
    assembler.ldr(R2, at(R1))
    assembler.ldr(R3, at(R1, 8))
    assembler.add(R5, R5, R2)
    assembler.add(R5, R5, R3)
    assembler.ldr_literal(R1, External("data", 8))
    assembler.ldr(R2, at(R1))
    assembler.add(R0, R5, R2)
    assembler.pop(R4, R5, R6, PC)
    assembler.bind(address)
    assembler.word(External("doubled"))


def _emit_pick(assembler: Assembler) -> None:
    """A jump through a table of addresses, one through a table of distances, chosen by the lowest bit."""
    cases = [Label() for _ in range(4)]
    other, odd = Label(), Label()
    assembler.label("pick")
    assembler.cmp(R0, 4)
    assembler.b(other, CS)
    assembler.tst(R0, 1)
    assembler.b(odd, NE)
    assembler.together(6)
    assembler.ldr(PC, at(PC, lsl(R0, 2)))
    assembler.nop()
    for case in cases:
        assembler.word(case)
    assembler.bind(odd)
    table = Label()
    assembler.adr(R1, table)
    assembler.ldr(R2, at(R1, lsl(R0, 2)))
    assembler.add(PC, R1, R2)
    assembler.bind(table)
    for case in cases:
        assembler.distance(case, table)
    for number, case in enumerate(cases):
        assembler.bind(case)
        assembler.mov(R0, 100 + number)
        assembler.bx(LR)
    assembler.bind(other)
    assembler.mvn(R0, 0)
    assembler.bx(LR)


def _emit_increment(assembler: Assembler) -> None:
    """An atomic addition."""
    assembler.label("increment")
    again = assembler.label()
    assembler.ldrex(R1, R0)
    assembler.add(R1, R1, 1)
    assembler.strex(R2, R1, R0)
    assembler.cmp(R2, 0)
    assembler.b(again, NE)
    assembler.dmb("ish")
    assembler.mov(R0, R1)
    assembler.bx(LR)


def _emit_copy(assembler: Assembler) -> None:
    """Bytes from the last to the first, with the addressing modes that move a base."""
    assembler.label("copy")
    done = Label()
    assembler.add(R1, R1, R2)
    assembler.add(R12, R0, R2)
    again = assembler.label()
    assembler.subs(R2, R2, 1)
    assembler.b(done, MI)
    assembler.ldrb(R3, pre(R1, -1))
    assembler.sub(R12, R12, 1)
    assembler.strb(R3, post(R12, 4))
    assembler.sub(R12, R12, 4)
    assembler.b(again)
    assembler.bind(done)
    assembler.bx(LR)


_FLOAT_MAIN = """
#include <stdio.h>
double polynomial(double, double);
double hypotenuse(double, double);
double narrowed(double, double);
int truncated(double);
unsigned rounded(double);
int ordered(double, double);
double seventh(int);
int main(void) {
    double a, b;
    while (scanf("%la %la", &a, &b) == 2)
        printf("%a %a %a %d %u %d %a\\n", polynomial(a, b), hypotenuse(a, b), narrowed(a, b), truncated(a),
               rounded(a), ordered(a, b), seventh(truncated(a)));
    return 0;
}
"""


def test_floats(tmp_path: Path) -> None:
    program = link(_float_functions(), _FLOAT_MAIN, tmp_path)
    chance = random.Random(5)
    pairs = [(chance.uniform(-1e6, 1e6), chance.uniform(-10, 10)) for _ in range(300)]
    pairs += [(a, b) for a in (0.0, -0.0, 1.5, -2.5, 1e300, math.inf) for b in (0.0, 2.5, -2.5, math.nan)]
    answers = run(program, "".join(f"{a.hex()} {b.hex()}\n" for a, b in pairs))
    wrong = [
        f"{a}, {b}: {answer}, expected {expected}"
        for (a, b), answer in zip(pairs, answers, strict=True)
        if _read(answer) != (expected := _floats(a, b))
    ]
    assert wrong == []


Answer = tuple[str, str, str, int, int, int, str]


def _read(answer: str) -> Answer:
    polynomial, hypotenuse, narrowed, truncated, rounded, ordered, seventh = answer.split()
    floats = [_text(float.fromhex(number)) for number in (polynomial, hypotenuse, narrowed, seventh)]
    return floats[0], floats[1], floats[2], int(truncated), int(rounded), int(ordered), floats[3]


def _text(value: float) -> str:
    """Exact, and with one kind of NaN."""
    return "nan" if math.isnan(value) else value.hex()


def _floats(a: float, b: float) -> Answer:
    """What Python, whose floats are IEEE doubles too, makes of the functions below."""
    truncated = int(_clamp(a, -(1 << 31), (1 << 31) - 1))
    order = 8 if math.isnan(b) else 1 if a < b else 2 if a == b else 4
    return (
        _text(-(1.5 + a * b) / 0.1 - a),
        _text(math.sqrt(a * a + b * b)),
        _text(abs(_single(a))),
        truncated,
        round(_clamp(a, 0, (1 << 32) - 1)),
        order + 16 * (a == 0),
        _text(truncated / 7),
    )


def _clamp(value: float, least: int, most: int) -> float:
    return max(float(least), min(float(most), value))


def _single(value: float) -> float:
    try:
        [narrow] = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        return math.copysign(math.inf, value)
    return float(narrow)


def _float_functions() -> FinishedCode:
    assembler = Assembler()
    assembler.label("polynomial")  # -(a * b + 1.5) / 0.1 - a
    assembler.vmov_constant(D2, 1.5)
    assembler.vmla(D2, D0, D1)
    assembler.vneg(D2, D2)
    assembler.vmov_constant(D3, 0.1)
    assembler.vdiv(D2, D2, D3)
    assembler.vsub(D0, D2, D0)
    assembler.bx(LR)
    assembler.label("hypotenuse")
    assembler.vpush([D0, D1])
    assembler.vldmia(SP, [D2, D3], writeback=True)
    assembler.vmul(D0, D2, D2)
    assembler.vmul(D1, D3, D3)
    assembler.vadd(D0, D0, D1)
    assembler.vsqrt(D0, D0)
    assembler.bx(LR)
    assembler.label("narrowed")  # by way of memory, a core register and a single
    assembler.vstr(D0, at(SP, -8))
    assembler.ldrd(R0, R1, at(SP, -8))
    assembler.vmov_to_double(D2, R0, R1)
    assembler.vcvt_f32_f64(S0, D2)
    assembler.vmov(R0, S0)
    assembler.vmov(S1, R0)
    assembler.vabs(S1, S1)
    assembler.vcvt_f64_f32(D0, S1)
    assembler.bx(LR)
    assembler.label("truncated")
    assembler.vcvt_s32_f64(S4, D0)
    assembler.vmov(R0, S4)
    assembler.bx(LR)
    assembler.label("rounded")
    assembler.vcvtr_u32_f64(S4, D0)
    assembler.vmov(R0, S4)
    assembler.bx(LR)
    assembler.label("ordered")  # 1 less, 2 equal, 4 more, 8 unordered; 16 if a is zero
    assembler.mov(R0, 0)
    assembler.vcmp(D0, D1)
    assembler.vmrs(PC)
    for bit, condition in ((1, MI), (2, EQ), (4, GT), (8, VS)):
        assembler.orr(R0, R0, bit, condition)
    assembler.vcmp_zero(D0)
    assembler.vmrs(PC)
    assembler.orr(R0, R0, 16, EQ)
    assembler.bx(LR)
    assembler.label("seventh")
    assembler.vmov(S4, R0)
    assembler.vcvt_f64_s32(D0, S4)
    assembler.vmov_constant(D1, 7.0)
    assembler.vdiv(D0, D0, D1)
    assembler.bx(LR)
    return assembler.finish()
