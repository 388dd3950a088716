"""Calls of the assembler's methods with the line that GNU as is to be given for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from jit.arm32.conditions import AL, CONDITIONS, Condition
from jit.arm32.immediates import expand_float, expand_modified
from jit.arm32.operands import asr, at, lsl, lsr, minus, post, pre, ror, rrx
from jit.arm32.registers import CORE, DOUBLES, PC, SINGLES, SP, Double, Register, Single
from jit.arm32.synchronization import BARRIER_OPTIONS


@dataclass(frozen=True)
class Call:
    """``Assembler.<method>(*arguments)`` and what it means."""

    method: str
    arguments: tuple[Any, ...]
    line: str
    keywords: dict[str, Any] = field(default_factory=dict)


Calls = st.SearchStrategy[Call]
Operand = st.SearchStrategy[tuple[Any, str]]

core = st.sampled_from(CORE[:15])
with_pc = st.sampled_from(CORE)
singles = st.sampled_from(SINGLES)
doubles = st.sampled_from(DOUBLES)
conditions = st.sampled_from(CONDITIONS)

_SHIFTS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "lsl": (lsl, 0, 31), "lsr": (lsr, 1, 32), "asr": (asr, 1, 32), "ror": (ror, 1, 31),
}  # fmt: skip


@st.composite
def _shifted(draw: st.DrawFn) -> tuple[Any, str]:
    rm = draw(core)
    name = draw(st.sampled_from([*_SHIFTS, "rrx"]))
    if name == "rrx":
        return rrx(rm), f"{rm}, rrx"
    shift, least, most = _SHIFTS[name]
    by = draw(st.integers(least, most))
    return shift(rm, by), f"{rm}, {name} #{by}"


@st.composite
def _register_shifted(draw: st.DrawFn) -> tuple[Any, str]:
    rm, rs = draw(core), draw(core)
    name = draw(st.sampled_from(list(_SHIFTS)))
    return _SHIFTS[name][0](rm, rs), f"{rm}, {name} {rs}"


def _signed(value: int) -> int:
    return (value ^ 1 << 31) - (1 << 31)


_unsigned_constants = st.integers(0, 4095).map(expand_modified)
_constants = _unsigned_constants | _unsigned_constants.map(_signed)
constants: Operand = _constants.map(lambda value: (value, f"#{value & 0xFFFF_FFFF}"))
plain: Operand = core.map(lambda register: (register, str(register)))
operand2: Operand = constants | plain | _shifted() | _register_shifted()

_CALCULATIONS = ("and_", "eor", "sub", "rsb", "add", "adc", "sbc", "rsc", "orr", "bic")


def _call(method: str, cond: Condition, operands: tuple[Any, ...], text: str, types: str = "") -> Call:
    stem = method.rstrip("_")
    arguments = operands if cond is AL else (*operands, cond)
    return Call(method, arguments, f"{stem}{cond if cond is not AL else ''}{types} {text}".strip())


@st.composite
def data_processing(draw: st.DrawFn) -> Call:
    method = draw(st.sampled_from([*_CALCULATIONS, "mov", "mvn", "tst", "teq", "cmp", "cmn"]))
    value, text = draw(operand2)
    cond, rd, rn = draw(conditions), draw(core), draw(core)
    if method in ("tst", "teq", "cmp", "cmn"):
        return _call(method, cond, (rn, value), f"{rn}, {text}")
    method = method.rstrip("_") + "s" if draw(st.booleans()) else method
    if method[:3] in ("mov", "mvn"):
        return _call(method, cond, (rd, value), f"{rd}, {text}")
    return _call(method, cond, (rd, rn, value), f"{rd}, {rn}, {text}")


@st.composite
def shifts(draw: st.DrawFn) -> Call:
    name = draw(st.sampled_from([*_SHIFTS, "rrx"]))
    method = name + draw(st.sampled_from(["", "s"]))
    cond, rd, rm = draw(conditions), draw(core), draw(core)
    if name == "rrx":
        return _call(method, cond, (rd, rm), f"{rd}, {rm}")
    _, least, most = _SHIFTS[name]
    by = draw(st.integers(least, most) | core)
    return _call(method, cond, (rd, rm, by), f"{rd}, {rm}, {'#' if isinstance(by, int) else ''}{by}")


@st.composite
def halves(draw: st.DrawFn) -> Call:
    rd, value = draw(core), draw(st.integers(0, 0xFFFF))
    return _call(draw(st.sampled_from(["movw", "movt"])), draw(conditions), (rd, value), f"{rd}, #{value}")


@st.composite
def multiply(draw: st.DrawFn) -> Call:
    cond = draw(conditions)
    count, methods = draw(
        st.sampled_from([
            (3, ["mul", "muls", "smmul", "sdiv", "udiv"]),
            (4, ["mla", "mlas", "mls"]),
            (4, ["umaal", "umull", "umulls", "umlal", "umlals", "smull", "smulls", "smlal", "smlals"]),
        ])
    )  # fmt: skip
    registers = draw(st.lists(core, min_size=count, max_size=count, unique=methods[0] == "umaal"))
    return _call(draw(st.sampled_from(methods)), cond, tuple(registers), ", ".join(map(str, registers)))


@st.composite
def bits(draw: st.DrawFn) -> Call:
    cond, rd, rn, rm = draw(conditions), draw(core), draw(core), draw(core)
    method = draw(st.sampled_from(["clz", "rbit", "rev", "rev16", "revsh", "ubfx", "sbfx", "bfi", "bfc", "extend",
                                   "extend_add", "ssat", "usat"]))  # fmt: skip
    lsb = draw(st.integers(0, 31))
    width = draw(st.integers(1, 32 - lsb))
    if method in ("ubfx", "sbfx", "bfi"):
        return _call(method, cond, (rd, rn, lsb, width), f"{rd}, {rn}, #{lsb}, #{width}")
    if method == "bfc":
        return _call(method, cond, (rd, lsb, width), f"{rd}, #{lsb}, #{width}")
    if method.startswith("extend"):
        return _extension(draw, cond, rd, rn, rm, add=method == "extend_add")
    if method.endswith("sat"):
        limit = draw(st.integers(1, 32) if method == "ssat" else st.integers(0, 31))
        value, text = draw(plain | _shifted().filter(lambda shifted: shifted[1].split()[1] in ("lsl", "asr")))
        return _call(method, cond, (rd, limit, value), f"{rd}, #{limit}, {text}")
    return _call(method, cond, (rd, rm), f"{rd}, {rm}")


def _extension(draw: st.DrawFn, cond: Condition, rd: Register, rn: Register, rm: Register, *, add: bool) -> Call:
    rotation = draw(st.sampled_from([0, 8, 16, 24]))
    kind = draw(st.sampled_from(["sxt{}b", "sxt{}h", "uxt{}b", "uxt{}h"]))
    text = f"{rm}, ror #{rotation}"
    if add:
        return _call(kind.format("a"), cond, (rd, rn, rm, rotation), f"{rd}, {rn}, {text}")
    return _call(kind.format(""), cond, (rd, rm, rotation), f"{rd}, {text}")


@st.composite
def addresses(draw: st.DrawFn, limit: int, *, shifted: bool, not_back: tuple[Register, ...]) -> tuple[Any, str]:
    """An address whose base is not written back to *not_back*, and whose offset register is none of them."""
    rn = draw(core)
    offset: Any
    if draw(st.booleans()):
        offset = draw(st.integers(-limit, limit))
        text = f"#{offset}"
    else:
        free = plain | _shifted() if shifted else plain
        offset, text = draw(free.filter(lambda operand: operand[1].split(",")[0] not in map(str, not_back)))
        if draw(st.booleans()):
            offset, text = minus(offset), f"-{text}"
    if rn in not_back or draw(st.booleans()):
        return at(rn, offset), f"[{rn}, {text}]"
    if draw(st.booleans()):
        return pre(rn, offset), f"[{rn}, {text}]!"
    return post(rn, offset), f"[{rn}], {text}"


@st.composite
def load_store(draw: st.DrawFn) -> Call:
    cond, rt = draw(conditions), draw(core)
    method = draw(st.sampled_from(["ldr", "str", "ldrb", "strb", "ldrh", "strh", "ldrsb", "ldrsh", "ldrd", "strd"]))
    wide = method in ("ldr", "str", "ldrb", "strb")
    registers: tuple[Register, ...] = (rt,)
    if method in ("ldrd", "strd"):
        number = draw(st.integers(0, 6)) * 2
        registers = CORE[number : number + 2]
    address, text = draw(addresses(4095 if wide else 255, shifted=wide, not_back=registers))
    return _call(method, cond, (*registers, address), f"{', '.join(map(str, registers))}, {text}")


@st.composite
def load_store_multiple(draw: st.DrawFn) -> Call:
    cond, rn = draw(conditions), draw(core)
    registers = sorted(draw(st.sets(core, min_size=2)), key=lambda register: register.number)
    names = "{" + ", ".join(map(str, registers)) + "}"
    if draw(st.booleans()):
        method = draw(st.sampled_from(["push", "pop"]))
        without_sp = [register for register in registers if register is not SP]
        names = "{" + ", ".join(map(str, without_sp)) + "}"
        suffix = "" if cond is AL else str(cond)
        return Call(method, tuple(without_sp), f"{method}{suffix} {names}", {"cond": cond})
    writeback = rn not in registers and draw(st.booleans())
    method = draw(st.sampled_from(["ldm", "ldmda", "ldmdb", "ldmib", "stm", "stmda", "stmdb", "stmib"]))
    return _call(method, cond, (rn, registers, writeback), f"{rn}{'!' if writeback else ''}, {names}")


@st.composite
def synchronization(draw: st.DrawFn) -> Call:
    method = draw(st.sampled_from(["dmb", "dsb", "isb", "mcr_dmb", "clrex", "ldrex", "ldrexb", "ldrexh", "ldrexd",
                                   "strex", "strexb", "strexh", "strexd"]))  # fmt: skip
    if method in ("dmb", "dsb"):
        option = draw(st.sampled_from(list(BARRIER_OPTIONS)))
        return Call(method, (option,), f"{method} {option}")
    if method in ("isb", "clrex"):
        return Call(method, (), method)
    if method == "mcr_dmb":
        cond, register = draw(conditions), draw(core)
        call = _call("mcr", cond, (register,), f"p15, 0, {register}, c7, c10, 5")
        return Call(method, call.arguments, call.line)
    number = draw(st.integers(0, 6)) * 2
    registers = CORE[number : number + 2] if method.endswith("d") else CORE[number : number + 1]
    others = core.filter(lambda register: register not in registers)
    rn, rd = draw(st.lists(others, min_size=2, max_size=2, unique=True))
    operands = (rd, *registers) if method.startswith("st") else registers
    return _call(method, draw(conditions), (*operands, rn), f"{', '.join(map(str, operands))}, [{rn}]")


@st.composite
def system(draw: st.DrawFn) -> Call:
    method = draw(st.sampled_from(["nop", "udf", "bkpt", "svc", "mrs", "msr", "bx", "blx"]))
    cond, register = draw(conditions), draw(core)
    if method in ("udf", "bkpt"):
        value = draw(st.integers(0, 0xFFFF))
        return Call(method, (value,), f"{method} #{value}")
    if method == "svc":
        value = draw(st.integers(0, 0xFF_FFFF))
        return _call(method, cond, (value,), f"#{value}")
    if method == "nop":
        return _call(method, cond, (), "")
    text = {"mrs": f"{register}, apsr", "msr": f"apsr_nzcvq, {register}"}.get(method, str(register))
    return _call(method, cond, (register,), text)


_FLOATS: dict[str, st.SearchStrategy[Any]] = {"f32": singles, "f64": doubles, "s32": singles, "u32": singles}
_CONVERSIONS = [
    ("vcvt", "f64", "f32"), ("vcvt", "f32", "f64"),
    *(("vcvt", to, source) for to in ("f32", "f64") for source in ("s32", "u32")),
    *((method, to, source) for method in ("vcvt", "vcvtr") for to in ("s32", "u32") for source in ("f32", "f64")),
]  # fmt: skip


@st.composite
def float_arithmetic(draw: st.DrawFn) -> Call:
    cond, kind = draw(conditions), draw(st.sampled_from(["f32", "f64"]))
    registers = _FLOATS[kind]
    dd, dn, dm = draw(registers), draw(registers), draw(registers)
    method = draw(
        st.sampled_from(["vadd", "vsub", "vmul", "vnmul", "vdiv", "vmla", "vmls", "vnmla", "vnmls", "vabs", "vneg",
                         "vsqrt", "vcmp", "vcmpe", "vcmp_zero", "vcmpe_zero", "vcvt"])
    )  # fmt: skip
    if method == "vcvt":
        name, to, source = draw(st.sampled_from(_CONVERSIONS))
        d, m = draw(_FLOATS[to]), draw(_FLOATS[source])
        call = _call(name, cond, (d, m), f"{d}, {m}", f".{to}.{source}")
        return Call(f"{name}_{to}_{source}", call.arguments, call.line)
    if method.endswith("_zero"):
        call = _call(method[:-5], cond, (dd,), f"{dd}, #0", f".{kind}")
        return Call(method, call.arguments, call.line)
    if method in ("vabs", "vneg", "vsqrt", "vcmp", "vcmpe"):
        return _call(method, cond, (dd, dm), f"{dd}, {dm}", f".{kind}")
    return _call(method, cond, (dd, dn, dm), f"{dd}, {dn}, {dm}", f".{kind}")


@st.composite
def float_moves(draw: st.DrawFn) -> Call:
    cond, rt, rt2, s, d = draw(conditions), *draw(st.tuples(core, core, singles, doubles))
    half, value = draw(st.integers(0, 1)), expand_float(draw(st.integers(0, 255)))
    other_s, other_d = draw(singles), draw(doubles)
    suffix = "" if cond is AL else str(cond)
    cases: list[tuple[str, tuple[Any, ...], str]] = [
        ("vmov", (s, other_s), f".f32 {s}, {other_s}"),
        ("vmov", (d, other_d), f".f64 {d}, {other_d}"),
        ("vmov", (s, value), f".f32 {s}, #{value}"),
        ("vmov", (d, value), f".f64 {d}, #{value}"),
        ("vmov", (s, rt), f" {s}, {rt}"),
        ("vmov", (rt, s), f" {rt}, {s}"),
        ("vmov_to_double", (d, rt, rt2), f" {d}, {rt}, {rt2}"),
        ("vmov_to_half", (d, half, rt), f".32 {d}[{half}], {rt}"),
        ("vmov_from_half", (rt, d, half), f".32 {rt}, {d}[{half}]"),
        ("vmrs", (PC,), " apsr_nzcv, fpscr"),
        ("vmrs", (rt,), f" {rt}, fpscr"),
        ("vmsr", (rt,), f" fpscr, {rt}"),
    ]
    if rt is not rt2:
        cases.append(("vmov_from_double", (rt, rt2, d), f" {rt}, {rt2}, {d}"))
    method, operands, text = draw(st.sampled_from(cases))
    return Call(method, (*operands, cond), f"{method.split('_')[0]}{suffix}{text}")


@st.composite
def float_memory(draw: st.DrawFn) -> Call:
    cond, rn = draw(conditions), draw(core)
    first: Single | Double = draw(singles | doubles)
    if draw(st.booleans()):
        offset = draw(st.integers(-255, 255)) * 4
        method = draw(st.sampled_from(["vldr", "vstr"]))
        return _call(method, cond, (first, at(rn, offset)), f"{first}, [{rn}, #{offset}]")
    kind: tuple[Any, ...] = SINGLES if isinstance(first, Single) else DOUBLES
    registers = kind[first.number : first.number + draw(st.integers(1, 16))]
    names = "{" + ", ".join(map(str, registers)) + "}"
    method = draw(st.sampled_from(["vldmia", "vldmdb", "vstmia", "vstmdb", "vpush", "vpop"]))
    if method in ("vpush", "vpop"):
        return _call(method, cond, (registers,), names)
    if method.endswith("db"):
        return _call(method, cond, (rn, registers), f"{rn}!, {names}")
    writeback = draw(st.booleans())
    return _call(method, cond, (rn, registers, writeback), f"{rn}{'!' if writeback else ''}, {names}")


#: One for each family of instructions.
FAMILIES: dict[str, Calls] = {
    "data_processing": data_processing(), "shifts": shifts(), "halves": halves(), "multiply": multiply(),
    "bits": bits(), "load_store": load_store(), "load_store_multiple": load_store_multiple(),
    "synchronization": synchronization(), "system": system(), "float_arithmetic": float_arithmetic(),
    "float_moves": float_moves(), "float_memory": float_memory(),
}  # fmt: skip
