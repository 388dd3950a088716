"""What instructions of 32-bit ARM do to the stack pointer and to saved registers: Thumb-2 and A32.

Arm Architecture Reference Manual, ARMv7-A (DDI 0406), chapters A5 to A8. An instruction that is not described here is
taken to change its first operand, if that is a register. Registers have capstone's names: r0 to r8, sb, sl, fp, ip,
sp, lr, pc; `GDB_NAMES` translates.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

import capstone

from beamgdb.late import dataclass

GENERAL: Final = ("r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "sb", "sl", "fp", "ip", "sp", "lr", "pc")
GDB_NAMES: Final = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}
"""GDB's names of registers where they differ from capstone's."""
CALLEE_SAVED: Final = ("r4", "r5", "r6", "r7", "r8", "sb", "sl", "fp", *(f"d{n}" for n in range(8, 16)))
"""Registers that a C function gives back as it found them (AAPCS, 6.1.1 and 6.1.2.1)."""
CALL_CLOBBERED: Final = ("r0", "r1", "r2", "r3", "ip", "lr")

ALWAYS: Final = 14
"""The condition of an instruction that is executed in any case."""
UNTRACKED: Final = 16
"""The condition of `cbz` and `cbnz`, which is not one of the flags."""
CONDITIONS: Final = ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "")
"""By number; a condition and its opposite differ in the lowest bit."""


class Transfer(IntEnum):
    """Where control goes after an instruction."""

    NEXT = 0
    JUMP = 1
    """To `target`."""
    CALL = 2
    """Elsewhere, to `target` if that is known, and then on."""
    INDIRECT = 3
    """To the value that was given to pc."""
    RETURN = 4
    """To the word that was popped off the stack."""
    TABLE = 5
    """To one of those that `table` tells."""
    STOP = 6
    """Nowhere: `udf`, or no instruction at all."""


class Effect(NamedTuple):
    """A change of a register or of memory. `kind` is one of

    - "set": `to` = `source` + `amount`, or = `amount` where `source` is empty
    - "add", "sub": `to` = `source` plus or minus `other`
    - "top": the upper half of `to` = `amount` (`movt`)
    - "load", "store": register `to` from or to the word at `source` + `amount`
    - "entry": `to` = an entry, chosen by register `other`, of the table of words at `source` + `amount`
    - "forget": `to` gets an unknown value
    - "compare": register `source` has been compared with `amount`
    """

    kind: str
    to: str
    source: str = ""
    amount: int = 0
    other: str = ""


class JumpTable(NamedTuple):
    """A jump by a table that follows the instruction; `chooser` is a register. `kind` is one of

    - "tbb", "tbh": entries of 1 or 2 bytes, half the distance from the table
    - "words": entries of 4 bytes, the addresses
    - "branches": entries of 4 bytes, instructions
    """

    kind: str
    chooser: str


class Arm32Instruction(NamedTuple):
    """One instruction of `size` bytes."""

    size: int
    condition: int
    """Of `CONDITIONS`, by number; those of an `it` block are told by the walk."""
    effects: tuple[Effect, ...]
    control: Transfer
    target: int | None
    """Relative to the address of the instruction."""
    sets_flags: bool
    compares: bool
    """An instruction that only sets flags: it does so in an `it` block too."""
    it_state: int
    """ITSTATE after an `it` instruction, 0 for others (manual, A2.5.2)."""
    table: JumpTable | None
    exchanges: bool
    """A jump that takes the instruction set from the lowest bit of the address."""
    stem: str
    """The mnemonic, without what says its condition, width and types."""
    operands: tuple[str, ...]
    """As capstone writes them, with lists and memory operands in one piece."""


_THUMB: Final = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_V8)
_ARM: Final = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_ARM | capstone.CS_MODE_V8)
_FAKE: Final = 0x10000000
"""Where capstone is told that the code lies: the text of an instruction is to depend on its alignment only."""
_CACHED: Final = 1 << 16

_MEMORY: Final = re.compile(
    r"\[(?P<base>\w+)(?:, (?:#(?P<displacement>-?\w+)|(?P<index>-?\w+)(?P<shift>, \w+ #\w+)?))?\](?P<back>!)?"
    r"(?:, (?:#(?P<post>-?\w+)|(?P<post_index>-?\w+.*)))?"
)
_COMPARISONS: Final = frozenset(("cmp", "cmn", "tst", "teq"))
_NO_RESULT: Final = frozenset(
    "strb strh strbt strht strt stl stlb stlh msr mcr mcrr nop dmb dsb isb pld pldw pli svc yield wfe wfi sev clrex"
    " vcmp vcmpe setend cps bkpt hint dbg vst1 vst2 vst3 vst4 cdp ldc stc".split()
)
"""Instructions without a result in a register that matters, other than those described."""
_PAIRS: Final = frozenset("umull smull umlal smlal umaal ldrexd ldrd smlalbb smlaltt mrrc".split())
"""Instructions with two results."""
_SYSTEM_READS: Final = frozenset(("mrc", "mrc2"))
"""Here the register is the third operand."""
_SETTING_FLAGS: Final = frozenset(
    name + "s" for name in "add sub rsb adc sbc rsc and orr orn eor bic mov mvn lsl lsr asr ror rrx mul mla".split()
)
_OF_THE_SECOND: Final = frozenset(
    "mvn mvns mov movs clz rbit rev rev16 revsh sxtb sxth uxtb uxth sxtb16 uxtb16 vmov vcvt vneg vabs vsqrt".split()
)
"""Instructions of two operands, of which the first is only written."""


def decode(raw: bytes, address: int, thumb: bool) -> Arm32Instruction:
    """The instruction at the start of `raw` (4 bytes, or 2 where no more can be read), which lies at `address`."""
    if not thumb:
        return _decode_arm(raw[:4], address & 3)
    first = int.from_bytes(raw[:2], "little")
    size = 4 if first >= 0xE800 else 2
    return _decode_thumb(raw[:size], size, address & 3)


@lru_cache(_CACHED)
def _decode_thumb(raw: bytes, size: int, alignment: int) -> Arm32Instruction:
    first = int.from_bytes(raw[:2], "little")
    if first & 0xFF00 == 0xBF00 and first & 0xF:
        return Arm32Instruction(2, ALWAYS, (), Transfer.NEXT, None, False, False, first & 0xFF, None, False, "it", ())
    found = next(_THUMB.disasm_lite(raw, _FAKE + alignment, 1), None) if len(raw) == size else None
    if found is None:
        return _nothing(size)
    _, _, mnemonic, operands = found
    mnemonic = mnemonic.removesuffix(".w").removesuffix(".n")
    condition = ALWAYS
    if mnemonic in ("cbz", "cbnz"):
        condition = UNTRACKED
    elif mnemonic[:1] == "b" and len(mnemonic) == 3 and mnemonic[1:] in CONDITIONS:
        mnemonic, condition = "b", CONDITIONS.index(mnemonic[1:])
    return _described(size, condition, mnemonic, operands, alignment, 4)


@lru_cache(_CACHED)
def _decode_arm(raw: bytes, alignment: int) -> Arm32Instruction:
    found = next(_ARM.disasm_lite(raw, _FAKE + alignment, 1), None) if len(raw) == 4 else None
    if found is None:
        return _nothing(4)
    _, _, mnemonic, operands = found
    condition = raw[3] >> 4
    if condition >= ALWAYS:
        condition = ALWAYS
    else:
        stem, dot, types = mnemonic.partition(".")
        mnemonic = stem.removesuffix(CONDITIONS[condition]) + dot + types
    return _described(4, condition, mnemonic, operands, alignment, 8)


def advanced(it_state: int) -> int:
    """ITSTATE behind an instruction of an `it` block (manual, A2.5.2); 0 outside of one."""
    return 0 if it_state & 7 == 0 else it_state & 0xE0 | it_state << 1 & 0x1F


def _nothing(size: int) -> Arm32Instruction:
    return Arm32Instruction(size, ALWAYS, (), Transfer.STOP, None, False, False, 0, None, False, "", ())


def _described(size: int, condition: int, mnemonic: str, text: str, alignment: int, ahead: int) -> Arm32Instruction:
    """`ahead`: what pc reads as, relative to the instruction."""
    operands = _split(text)
    stem = mnemonic.partition(".")[0]
    control, target = _control(stem, operands, alignment)
    table = _table(stem, operands)
    effects = [] if table else _effects(stem, operands, ahead - alignment if ahead == 4 else ahead, ahead)
    if table:
        control = Transfer.TABLE
    if control is Transfer.NEXT and any(effect.to == "pc" and effect.kind != "store" for effect in effects):
        popped = any(effect.to == "pc" and effect.kind == "load" and _on_stack(stem, effect) for effect in effects)
        control = Transfer.RETURN if popped else Transfer.INDIRECT
    flags = stem in _COMPARISONS or stem in _SETTING_FLAGS or stem in ("vmrs", "msr") or control is Transfer.CALL
    compares = stem in _COMPARISONS or stem == "vmrs"
    exchanges = stem[:2] == "bx"
    return Arm32Instruction(
        size, condition, tuple(effects), control, target, flags, compares, 0, table, exchanges, stem, tuple(operands)
    )


def _on_stack(stem: str, effect: Effect) -> bool:
    """A load of pc takes a return address: it is a pop, or that of a frame that a register points at."""
    return effect.source == "sp" or stem.startswith("ldm")


def _split(text: str) -> list[str]:
    """Operands, with lists and memory operands in one piece."""
    return [part.strip() for part in re.findall(r"(?:\[[^]]*\]!?|\{[^}]*\}|[^,\[{])+", text)]


def _number(text: str) -> int:
    return int(text.lstrip("#"), 0)


def _relative(operand: str, alignment: int) -> int:
    return _number(operand) - _FAKE - alignment


def _control(stem: str, operands: list[str], alignment: int) -> tuple[Transfer, int | None]:
    last = operands[-1] if operands else ""
    if stem in ("b", "cbz", "cbnz"):
        return Transfer.JUMP, _relative(last, alignment)
    if stem in ("bl", "blx", "blxns"):
        return Transfer.CALL, _relative(last, alignment) if last.startswith("#") else None
    if stem in ("bx", "bxns", "bxj"):
        return Transfer.INDIRECT, None
    if stem in ("udf", "hlt", "rfeia", "rfedb", "bkpt"):
        return Transfer.STOP, None
    return Transfer.NEXT, None


def _table(stem: str, operands: list[str]) -> JumpTable | None:
    if stem in ("tbb", "tbh"):
        return JumpTable(stem, operands[0].strip("[]").split(", ")[1])
    if operands[:1] == ["pc"] and operands[-1] == "lsl #2" and stem == "add" and operands[1] == "pc":
        return JumpTable("branches", operands[2])
    if operands[:1] == ["pc"] and stem == "ldr" and (found := re.fullmatch(r"\[pc, (\w+), lsl #2\]", operands[1])):
        return JumpTable("words", found[1])
    return None


def _effects(stem: str, operands: list[str], literal: int, ahead: int) -> list[Effect]:
    """`literal`, `ahead`: pc as a base of loads, and as an operand, relative to the instruction."""
    if not operands or stem in ("b", "cbz", "cbnz", "bl", "blx", "blxns"):
        return []
    if stem in ("bx", "bxns", "bxj"):
        return [Effect("set", "pc", operands[0])]
    if stem == "cmp" and operands[1].startswith("#"):
        return [Effect("compare", "", operands[0], _number(operands[1]))]
    if stem in _COMPARISONS or stem in _NO_RESULT:
        return _written_back(operands)
    for family in (_block, _word, _arithmetic):
        found = family(stem, operands)
        if found is not None:
            return [_pc_made_plain(effect, literal, ahead, stem) for effect in found]
    return _unknown(stem, operands)


def _pc_made_plain(effect: Effect, literal: int, ahead: int, stem: str) -> Effect:
    """pc as a source is the address of the instruction ("here") and what it is ahead of it."""
    if effect.source != "pc":
        return effect
    base = literal if effect.kind in ("load", "store") or stem in ("adr", "addw", "subw") else ahead
    return effect._replace(source="here", amount=effect.amount + base)


def _block(stem: str, operands: list[str]) -> list[Effect] | None:
    """Several registers at once: push, pop, ldm, stm, vpush, vpop, vldm, vstm."""
    if stem in ("push", "vpush", "pop", "vpop"):
        loads, mode, base, back = stem in ("pop", "vpop"), "ia" if stem in ("pop", "vpop") else "db", "sp", True
    elif re.fullmatch(r"v?(ldm|stm)(ia|ib|da|db)?", stem):
        loads, mode = "ldm" in stem, stem[-2:] if stem[-2:] in ("ib", "da", "db") else "ia"
        base, back = operands[0].removesuffix("!"), operands[0].endswith("!")
    else:
        return None
    registers = _listed(operands[-1])
    width = {"d": 8, "q": 16}.get(registers[0][0], 4) if stem.startswith("v") else 4
    total = width * len(registers)
    at = {"ia": 0, "ib": 4, "da": 4 - total, "db": -total}[mode]
    moved = total if mode in ("ia", "ib") else -total
    kind = "load" if loads else "store"
    # A loaded base is read before it is overwritten: its own load comes last.
    moves = [Effect(kind, name, base, at + width * i) for i, name in enumerate(registers)]
    moves.sort(key=lambda effect: effect.to == base)
    return [*moves, Effect("set", base, base, moved)] if back else moves


def _listed(operand: str) -> list[str]:
    return [name.strip() for name in operand.strip("{}^").split(",")]


def _word(stem: str, operands: list[str]) -> list[Effect] | None:
    """Loads and stores of one or two words."""
    if stem not in ("ldr", "str", "ldrd", "strd", "vldr", "vstr"):
        return None
    count = 2 if stem.endswith("d") and not stem.startswith("v") else 1
    registers, found = operands[:count], _memory(operands[count:])
    if found is None:
        return [Effect("forget", name) for name in registers] if "ld" in stem else []
    base, displacement = found["base"], _number(found["displacement"] or "0")
    kind = "load" if "ld" in stem else "store"
    if found["index"] is not None:
        if kind == "load" and count == 1 and "lsl #2" in operands[-1]:
            return [Effect("entry", registers[0], base, 0, found["index"])]
        return [Effect("forget", name) for name in registers] if kind == "load" else []
    moves = [Effect(kind, name, base, displacement + 4 * i) for i, name in enumerate(registers)]
    moves.sort(key=lambda effect: effect.to == base)
    return moves + _moved_base(found)


def _memory(operands: list[str]) -> re.Match[str] | None:
    return _MEMORY.fullmatch(", ".join(operands))


@dataclass(frozen=True)
class Access:
    """The address of a load or store: base register, displacement, index register or "", and whether that is shifted.
    Where the base is moved behind the access, the displacement is 0."""

    base: str
    displacement: int
    index: str
    shifted: bool


def access(instruction: Arm32Instruction) -> Access | None:
    """What an instruction loads from or stores to, None for one that has no such operand."""
    at = next((n for n, operand in enumerate(instruction.operands) if operand.startswith("[")), None)
    found = _memory(list(instruction.operands[at:])) if at is not None else None
    if found is None:
        return None
    return Access(
        found["base"], _number(found["displacement"] or "0"), found["index"] or "", found["shift"] is not None
    )


def registers_read(instruction: Arm32Instruction) -> list[str]:
    """Registers that the result of an instruction without an effect of its own is computed from."""
    results = 1 if len(instruction.operands) > 2 or instruction.stem in _OF_THE_SECOND else 0
    text = ", ".join(instruction.operands[results:])
    return [name for name in re.findall(r"\w+", text) if _is_register(name)]


def _moved_base(found: re.Match[str]) -> list[Effect]:
    base = found["base"]
    if found["post_index"] is not None or (found["back"] and found["index"] is not None):
        return [Effect("forget", base)]
    if found["post"] is not None:
        return [Effect("set", base, base, _number(found["post"]))]
    if found["back"]:
        return [Effect("set", base, base, _number(found["displacement"] or "0"))]
    return []


def _written_back(operands: list[str]) -> list[Effect]:
    """The change of the base register of a memory operand, if there is one."""
    for i, operand in enumerate(operands):
        if operand.startswith("["):
            found = _memory(operands[i:])
            return _moved_base(found) if found else []
    return []


def _arithmetic(stem: str, operands: list[str]) -> list[Effect] | None:
    """Moves, constants, additions and subtractions."""
    to, *sources = operands
    if stem in ("add", "adds", "addw", "sub", "subs", "subw"):
        return _sum(stem[:3], to, sources)
    if len(sources) != 1:
        return None
    (source,) = sources
    if stem in ("mov", "movs", "movw"):
        return [_constant(to, source)] if source.startswith("#") else [Effect("set", to, source)]
    if stem in ("mvn", "mvns") and source.startswith("#"):
        return [Effect("set", to, "", ~_number(source))]
    if stem == "movt":
        return [Effect("top", to, "", _number(source))]
    if stem == "adr":
        return [Effect("set", to, "pc", _number(source))]
    return None


def _constant(to: str, source: str) -> Effect:
    return Effect("set", to, "", _number(source))


def _sum(operation: str, to: str, sources: list[str]) -> list[Effect] | None:
    if len(sources) == 1:
        sources = [to, *sources]
    if len(sources) != 2:
        return None
    if sources[1].startswith("#"):
        amount = _number(sources[1])
        return [Effect("set", to, sources[0], amount if operation == "add" else -amount)]
    if sources[1] == "pc":
        sources.reverse()
    return [Effect(operation, to, sources[0], 0, sources[1])]


def _unknown(stem: str, operands: list[str]) -> list[Effect]:
    """An instruction of which only is known what it may overwrite."""
    if stem in _SYSTEM_READS:
        results = operands[2:3]
    elif stem in _PAIRS or (stem == "vmov" and len(operands) > 2):
        results = operands[:2]
    else:
        results = operands[:1]
    return [*(Effect("forget", name) for name in results if _is_register(name)), *_written_back(operands)]


def _is_register(name: str) -> bool:
    return name in GENERAL or re.fullmatch(r"[dqs]\d+", name) is not None
