"""What single ARM64 instructions do to facts, as far as BeamAsm uses them; others are taken to change their first
operand. Mnemonics and operands are text as capstone writes them, destination first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from beamgdb.beamasm import facts as known
from beamgdb.beamasm.facts import NATIVE, PROCESS, STACK, WORD, Change
from beamgdb.machine_code.aarch64 import MEMORY, REGISTERS, wide

E: Final = "x20"
"""The Erlang stack pointer (`E`)."""
C_P: Final = "x21"
"""The Process (`c_p`)."""
_SUMS: Final = ("add", "adds", "sub", "subs")

_WIDTHS: Final = {"x": 8, "w": 4, "b": 1, "h": 2, "s": 4, "d": 8, "q": 16}
"""Bytes of a register by the first letter of its name."""
_STORE_WIDTHS: Final = {"strb": 1, "sturb": 1, "strh": 2, "sturh": 2}

_UNCHANGING: Final = frozenset(
    "cmp cmn tst ccmp ccmn fcmp fcmpe fccmp nop hint dmb dsb isb prfm prfum msr yield clrex bti paciasp autiasp".split()
)
"""Instructions that change neither general registers nor memory."""
_CACHE_LIMIT: Final = 100_000
"""Distinct instructions remembered."""


@lru_cache(_CACHE_LIMIT)
def effects(mnemonic: str, operands: str, stop_offset: int) -> tuple[Change, ...]:
    """What an instruction does that neither transfers control nor depends on where it lies. `stop_offset`: of `stop` in
    `Process`, in bytes."""
    return tuple(_settled(_operations(mnemonic, operands, stop_offset)))


def _operations(mnemonic: str, operands: str, stop_offset: int) -> list[Change]:
    if mnemonic in _UNCHANGING or not operands:
        return []
    bracket = operands.find("[")
    if bracket >= 0:
        return _memory_operations(mnemonic, operands[:bracket].rstrip(", ").split(", "), operands, stop_offset)
    split = operands.split(", ")
    return _described(mnemonic, split) or [(known.clobber, (wide(split[0]),))]


def _described(mnemonic: str, operands: list[str]) -> list[Change] | None:
    """Operations of an instruction on registers whose effect matters; None for those that only spoil the first."""
    to = operands[0]
    if to[0] == "w" and mnemonic == "mov" and operands[1][0] == "#":
        return [(known.constant, (wide(to), int(operands[1][1:], 0) & 0xFFFFFFFF))]
    if to not in REGISTERS and to != "sp":
        return None
    if mnemonic == "mov":
        source = operands[1]
        if source[0] != "#":
            return [(known.copy, (to, source))]
        number = int(source[1:], 0)
        return [(known.constant, (to, number))] if 0 <= number < 1 << 32 else None
    if len(operands) < 3:
        return None
    source, other, *rest = operands[1:]
    if mnemonic in _SUMS and other[0] == "#":
        number = int(other[1:], 0) << (int(rest[0].removeprefix("lsl #"), 0) if rest else 0)
        return [(known.offset, (to, source, number if mnemonic.startswith("add") else -number))]
    if mnemonic in (*_SUMS, "and", "orr"):
        return [(known.index, (to, source, other))]
    if mnemonic == "csel":
        if to == other:
            return [(known.either, (to, source))]
        return [(known.copy, (to, source)), (known.either, (to, other))]
    return None


def _memory_operations(mnemonic: str, registers: list[str], operands: str, stop_offset: int) -> list[Change]:
    found = MEMORY.search(operands)
    if found is None:
        return [(known.clobber, tuple(map(wide, registers)))]
    base, displacement, index, writes_back, after = found.groups()
    at = int(displacement or "0", 0)
    move: list[Change] = []
    if writes_back or after:
        move = [(known.offset, (base, base, at if writes_back else int(after, 0)))]
    if writes_back:
        at = 0
    if index:
        return _indexed(mnemonic, registers, base, index)
    if mnemonic in ("ldr", "ldur", "ldp"):
        access = _loads(registers, base, at, stop_offset)
    elif mnemonic in ("str", "stur", "stp", *_STORE_WIDTHS):
        access = _stores(registers, base, at, _STORE_WIDTHS.get(mnemonic))
    elif mnemonic.startswith("ld") and not mnemonic.startswith(("ldadd", "ldclr", "ldset", "ldeor")):
        access = [(known.clobber, tuple(map(wide, registers)))]
    else:
        # An atomic or unusual access.
        access = [(known.spoil, (base, at, 64)), (known.clobber, tuple(map(wide, registers)))]
    return [*move, *access] if writes_back else [*access, *move]


def _indexed(mnemonic: str, registers: list[str], base: str, index: str) -> list[Change]:
    if mnemonic.startswith("ld"):
        return [(known.clobber, tuple(map(wide, registers)))]
    return [(known.spoil_indexed, (base, wide(index)))]


def _loads(registers: list[str], base: str, at: int, stop_offset: int) -> list[Change]:
    loads: list[Change] = []
    for register in registers:
        width = _WIDTHS[register[0]]
        if register in REGISTERS:
            loads.append((known.load, (register, base, at)))
            if (register, base, at) == (E, C_P, stop_offset):
                loads.append((known.save_stack_pointer, ((PROCESS, stop_offset),)))
        else:
            loads.append((known.clobber, (wide(register),)))
        at += width
    # The base is read before anything is written.
    return loads[::-1] if len(registers) > 1 and registers[0] == base else loads


def _stores(registers: list[str], base: str, at: int, width: int | None) -> list[Change]:
    stores: list[Change] = []
    for register in registers:
        size = width or _WIDTHS[register[0]]
        plain = size == WORD and register in REGISTERS
        stores.append((known.store, (base, at, register)) if plain else (known.spoil, (base, at, size)))
        at += size
    return stores


def _settled(operations: list[Change]) -> list[Change]:
    """With what follows from a change of a stack pointer."""
    for register, stack in ((E, STACK), ("sp", NATIVE)):
        writes = (known.copy, known.offset, known.index, known.load, known.constant, known.either, known.clobber)
        if any(operation in writes and arguments[0] == register for operation, arguments in operations):
            operations = [*operations, (known.settle, (register, stack))]
    return operations
