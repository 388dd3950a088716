"""64-bit ARM (Arm Architecture Reference Manual ARMv8-A, C6; Procedure Call Standard for the Arm 64-bit
Architecture)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from beamgdb.interpreter.symbolic.steps import Call, Fork, Goto, Leave, Next, Onward, Stop
from beamgdb.interpreter.symbolic.values import UNKNOWN, Constant, Mixed, SymbolicState, Value, plus, total
from beamgdb.machine_code import aarch64
from beamgdb.machine_code.aarch64 import MEMORY, SIZE, to_number

SP = "sp"

WORD = 8

ARGUMENTS: tuple[str, ...] = (
    *(f"x{number}" for number in (*range(19), 30)), *(f"v{number}" for number in (*range(8), *range(16, 32))),
)  # fmt: skip
"""Registers that a called C function does not keep."""

_REGISTER = re.compile(r"([xwqvdshb])(\d+)")
_ZERO = ("xzr", "wzr")
_SIZES = {"q": 16, "x": 8, "d": 8, "w": 4, "s": 4, "h": 2, "b": 1}
"""Bytes of a register, by the first letter of its name."""

_BRANCHES = ("b.", "cbz", "cbnz", "tbz", "tbnz")
_STOPS = ("ret", "brk", "udf", "svc", "hlt", "eret")
_NOTHING = (
    "cmp", "cmn", "tst", "ccmp", "ccmn", "fcmp", "fcmpe", "nop", "prfm", "dmb", "dsb", "isb", "hint", "bti", "paciasp",
    "autiasp", "yield", "clrex",
)  # fmt: skip
"""Instructions that change no register; those that sign and authenticate x30 do not change what it stands for."""


class _Placed(NamedTuple):
    """An instruction, and where it is."""

    address: int
    name: str
    operands: str

    @property
    def size(self) -> int:
        return SIZE


class _Access(NamedTuple):
    """Memory that an instruction uses: the address, the register that it moves on, and to what."""

    address: Value
    base: str
    after: Value | None


def instructions(code: bytes, address: int) -> Iterator[_Placed]:
    """The instructions of code at an address."""
    return (_Placed(*one) for one in aarch64.instructions(code[: len(code) & -SIZE], address))


def step(instruction: _Placed, state: SymbolicState) -> Onward:
    """Apply an instruction to the state; what comes next."""
    name, operands = instruction.name, instruction.operands
    if name in ("bl", "blr"):
        return Call()
    if name == "b":
        return Goto(_number(operands))
    if name == "br":
        return Leave(_register(operands, state))
    if name.startswith(_BRANCHES):
        return Fork(_number(operands.rpartition(", ")[2]))
    if name.startswith(_STOPS):
        return Stop()
    if name not in _NOTHING:
        effect = _EFFECTS.get(name)
        if effect is None or not effect(instruction, state):
            _unknown(instruction, state)
    return Next()


def _number(text: str) -> int:
    return to_number(text.removeprefix("#"))


def _place(name: str) -> str:
    """The name of the whole register in GDB."""
    found = _REGISTER.match(name)
    if found is None:
        return "sp" if name == "wsp" else name
    return ("x" if found[1] in "xw" else "v") + found[2]


def _register(name: str, state: SymbolicState) -> Value:
    """What a register holds; of less than a word, something computed from the whole."""
    if name in _ZERO:
        return Constant(0)
    value = state[_place(name)]
    is_whole = name.startswith(("x", "sp", "q", "d")) or isinstance(value, Constant)
    return value if is_whole else Mixed((value,))


def _set(name: str, state: SymbolicState, value: Value) -> None:
    if name not in _ZERO:
        is_whole = name.startswith(("x", "sp", "q", "d")) or isinstance(value, Constant)
        state[_place(name)] = value if is_whole else Mixed((value,))


def _access(operands: str, state: SymbolicState) -> _Access | None:
    """The memory operand of an instruction, None without one."""
    start = operands.find("[")
    found = MEMORY.match(operands[start:]) if start >= 0 else None
    if found is None:
        return None
    base, displacement, index, before, after = found.groups()
    address = _register(base, state)
    if displacement:
        address = plus(address, to_number(displacement))
    elif index:
        offset = _register(index, state)
        is_plain = operands[start:].endswith(f", {index}]")
        address = total(address, offset if is_plain else Mixed((offset,)))
    moved = plus(address, to_number(after)) if after else address if before else None
    return _Access(address, base, moved)


def _registers(operands: str) -> list[str]:
    """The registers before a memory operand."""
    return [name for name in operands.partition("[")[0].split(", ") if _REGISTER.match(name) or name in _ZERO]


def _load(instruction: _Placed, state: SymbolicState) -> bool:
    """ldr, ldp and their like: of less than a word, something computed from the whole."""
    access = _access(instruction.operands, state)
    if access is None:
        return False
    is_narrow = instruction.name not in ("ldr", "ldp", "ldur", "ldnp", "ldar")
    address = access.address
    loaded = []
    for name in _registers(instruction.operands):
        value = state.load(address)
        loaded.append((name, Mixed((value,)) if is_narrow else value))
        address = plus(address, 4 if instruction.name == "ldpsw" else _SIZES.get(name[0], WORD))
    if access.after is not None:
        _set(access.base, state, access.after)
    for name, value in loaded:
        _set(name, state, value)
    return True


def _store(instruction: _Placed, state: SymbolicState) -> bool:
    access = _access(instruction.operands, state)
    if access is None:
        return False
    is_narrow = instruction.name in ("strb", "strh", "sturb", "sturh", "stlrb", "stlrh")
    address = access.address
    for name in _registers(instruction.operands):
        value, size = _register(name, state), _SIZES.get(name[0], WORD)
        # The words of a larger one are not told apart; those of a smaller one leave the rest of the word.
        is_word = size == WORD and not is_narrow
        for offset in range(0, size, WORD):
            state.store(plus(address, offset), value if is_word else Mixed((value,)))
        address = plus(address, size)
    if access.after is not None:
        _set(access.base, state, access.after)
    return True


def _move(instruction: _Placed, state: SymbolicState) -> bool:
    to, what = instruction.operands.split(", ", 1)
    if what.startswith("#"):
        shift = re.fullmatch(r"#(-?\w+)(?:, lsl #(\w+))?", what)
        if shift is None:
            return False
        _set(to, state, Constant(to_number(shift[1]) << int(shift[2] or "0", 0)))
        return True
    if not (_REGISTER.fullmatch(what) or what in (*_ZERO, "sp")):
        return False
    _set(to, state, _register(what, state))
    return True


def _near(instruction: _Placed, state: SymbolicState) -> bool:
    """adr and adrp."""
    to, _, number = instruction.operands.partition(", ")
    _set(to, state, Constant(_number(number)))
    return True


def _add(instruction: _Placed, state: SymbolicState) -> bool:
    return _sum(instruction, state, 1)


def _subtract(instruction: _Placed, state: SymbolicState) -> bool:
    return _sum(instruction, state, -1)


def _sum(instruction: _Placed, state: SymbolicState, sign: int) -> bool:
    to, one, other, *shift = instruction.operands.split(", ")
    first = _register(one, state)
    if other.startswith("#"):
        amount = _number(other) << (int(shift[0].removeprefix("lsl #"), 0) if shift else 0)
        _set(to, state, plus(first, sign * amount))
        return True
    second = _register(other, state)
    if shift:
        second = Mixed((second,))
    if sign > 0:
        _set(to, state, total(first, second))
    else:
        constant = second.value if isinstance(second, Constant) else None
        _set(to, state, Mixed((first, second)) if constant is None else plus(first, -constant))
    return True


def _unknown(instruction: _Placed, state: SymbolicState) -> None:
    """Whatever it writes was computed from all that it reads. The first operand is what is written; what reads and
    writes memory at once, or reads it in another way, may write all of its registers."""
    access = _access(instruction.operands, state)
    names = [f"{kind}{number}" for kind, number in _REGISTER.findall(instruction.operands)]
    parts = [_register(name, state) for name in names]
    if access is not None:
        parts.append(state.load(access.address))
    value = Mixed(tuple(parts)) if parts else UNKNOWN
    if "[" not in instruction.operands:
        for name in instruction.operands.split(", ")[:1]:
            if _REGISTER.match(name) or name == SP:
                state[_place(name)] = value
        return
    for name in _registers(instruction.operands):
        _set(name, state, value)
    if not instruction.name.startswith("ld") and access is not None:
        state.store(access.address, value)
    if access is None or access.after is not None:
        base = re.search(r"\[(\w+)", instruction.operands)
        if base is not None and (instruction.operands.endswith("!") or not instruction.operands.endswith("]")):
            _set(base[1], state, value)


_Effect = Callable[[_Placed, SymbolicState], bool]

_EFFECTS: dict[str, _Effect] = {
    **dict.fromkeys(
        ("ldr", "ldur", "ldp", "ldnp", "ldar", "ldrb", "ldrh", "ldrsb", "ldrsh", "ldrsw", "ldurb", "ldurh", "ldursb",
         "ldursh", "ldursw", "ldpsw", "ldarb", "ldarh"),
        _load,
    ),
    **dict.fromkeys(("str", "stur", "stp", "stnp", "stlr", "strb", "strh", "sturb", "sturh", "stlrb", "stlrh"), _store),
    **dict.fromkeys(("mov", "movz"), _move),
    **dict.fromkeys(("adr", "adrp"), _near),
    **dict.fromkeys(("add", "adds"), _add),
    **dict.fromkeys(("sub", "subs"), _subtract),
}  # fmt: skip
"""By name; False where an instruction is of another form."""
