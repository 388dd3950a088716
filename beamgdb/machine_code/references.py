"""Which addresses machine code may refer to: a guess that leaves nothing out, for whoever can tell right from wrong.

Code is read from its start to its end, as if it never jumped; what is no code, like the constants between functions, is
read as such too. So an address can be told that the code never forms, but hardly one be missed.

A C compiler reaches several static variables of a file from one address (GCC's section anchors on ARM): a load or store
refers to the register's address plus its displacement. In an array indexed by something unknown, element 0 is meant.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from beamgdb.machine_code.x86_64 import CALL_THROUGH, JUMP_THROUGH

if TYPE_CHECKING:
    from beamgdb.machine_code.arm32 import Effect


_RIP_RELATIVE_MASK, _RIP_RELATIVE = 0xC7, 0x05
"""A ModRM byte with mod 00 and r/m 101: a 32-bit displacement follows, from the end of the instruction (Intel SDM 2A,
2.2.1.6)."""

_X86_64_OPCODES = frozenset((0x89, 0x8B, 0x8D))
"""`mov` to and from memory, and `lea` (Intel SDM 2B): they have no immediate after the displacement."""

_X86_64_LOAD = re.compile(b"(?:" + CALL_THROUGH + b"|" + JUMP_THROUGH + b")(.{4})", re.DOTALL)

_LDR_LITERAL, _LDR_LITERAL_MASK = 0x1800_0000, 0x3B00_0000
"""`LDR (literal)` (Arm Architecture Reference Manual for A-profile, C6.2 and C7.2)."""


def x86_64(code: bytes, start: int) -> Iterator[int]:
    """Operands relative to the instruction pointer, for a position independent beam.smp; and for one that is not, every
    32-bit number, as displacement or immediate."""
    for at in range(len(code) - 3):
        (number,) = struct.unpack_from("<i", code, at)
        if at > 1 and code[at - 1] & _RIP_RELATIVE_MASK == _RIP_RELATIVE and code[at - 2] in _X86_64_OPCODES:
            yield start + at + 4 + number
        if number > 0:
            yield number


def arm32(code: bytes, start: int) -> Iterator[int]:
    """Thumb-2 and A32: a function's address, as GDB gives it, does not tell which its code is."""
    for thumb in (True, False):
        yield from (address for _, address in arm32_accesses(code, start, thumb))


def arm32_accesses(code: bytes, start: int, thumb: bool) -> Iterator[tuple[str, int]]:
    """A constant comes from a literal pool or from `movw` and `movt`, and is added to pc if code is position
    independent. Of the global offset table only the slots are told, not what they hold: what has a slot has a
    symbol. With each address comes what is done there: "load", "store", or something else."""
    # Not before it is needed: the disassembler takes time to load.
    from beamgdb.machine_code.arm32 import decode

    known: dict[str, int] = {}
    at = 0
    while at < len(code):
        instruction = decode(code[at : at + 4], start + at, thumb)
        known["here"] = start + at
        for effect in instruction.effects:
            yield from _arm32_effect(effect, known, code, start)
        at += instruction.size


def _arm32_effect(effect: Effect, known: dict[str, int], code: bytes, start: int) -> Iterator[tuple[str, int]]:
    """What one effect of an instruction refers to; `known` registers are brought up to date."""
    kind, to, source, amount, other = effect
    base = known.get(source) if source else 0
    value: int | None = None
    if kind == "add":
        parts = [part for part in (base, known.get(other)) if part is not None]
        value = sum(parts) + amount & 0xFFFF_FFFF if parts else None
    elif kind == "top":
        value = known.get(to, 0) & 0xFFFF | amount << 16
    elif kind in ("set", "load", "store") and base is not None:
        value = base + amount & 0xFFFF_FFFF
    is_literal = kind == "load" and source == "here"
    if value is not None and not is_literal and (source or kind == "top"):
        yield kind, value
    if is_literal and value is not None:
        known[to] = int.from_bytes(code[max(value - start, 0) :][:4], "little")
    elif kind in ("set", "add", "top") and value is not None:
        known[to] = value
    elif kind != "store":
        known.pop(to, None)


def aarch64(code: bytes, start: int) -> Iterator[int]:
    """Pages of `adrp` and what is added to them (Arm Architecture Reference Manual for A-profile, C4.1 and C6.2)."""
    return (address for _, address in aarch64_accesses(code, start))


def aarch64_accesses(code: bytes, start: int) -> Iterator[tuple[str, int]]:
    """The same, and what is done there: "load" or "store" of a single register, or something else."""
    known: dict[int, int] = {}
    for at, (word,) in zip(range(start, start + len(code), 4), struct.iter_unpack("<I", code[: len(code) & ~3])):
        base = known.get(word >> 5 & 31)
        formed = _aarch64_address(word, at, base, known.get(word >> 16 & 31))
        if formed is not None:
            known[word & 31] = formed
            yield "set", formed
        elif base is not None and (displacement := _aarch64_displacement(word)) is not None:
            yield _AARCH64_KINDS.get(word >> 22 & 0xFF, "pair"), base + displacement


def _aarch64_address(word: int, at: int, base: int | None, index: int | None) -> int | None:
    """The address that an instruction at `at` forms in a register. `base`, `index`: values of the registers that would
    be added, if known."""
    if word & 0x1F00_0000 == 0x1000_0000:  # adr, adrp
        distance = _signed(word >> 5 & 0x7FFFF, 19) << 2 | word >> 29 & 3
        return (at & ~0xFFF) + (distance << 12) if word >> 31 else at + distance
    if word & 0xFF80_0000 == 0x9100_0000 and base is not None:  # add, immediate
        return base + ((word >> 10 & 0xFFF) << (12 if word >> 22 & 1 else 0))
    if word & 0xFF00_0000 == 0x8B00_0000:  # add, register
        return base if base is not None else index
    return None


def _aarch64_displacement(word: int) -> int | None:
    """The displacement of a load or store."""
    if word & 0x3B00_0000 == 0x3900_0000:  # ldr, str: unsigned, by the size
        return (word >> 10 & 0xFFF) << (word >> 30)
    if word & 0x7F80_0000 == 0x2900_0000:  # ldp, stp
        return _signed(word >> 15 & 0x7F, 7) << (3 if word >> 31 else 2)
    return None


_AARCH64_KINDS = {0xE4: "store", 0xE5: "load"}
"""By bits 22 to 29: `str` and `ldr` of a general register, with an unsigned distance."""


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number


REFERENCES: dict[str, Callable[[bytes, int], Iterator[int]]] = {"x86_64": x86_64, "arm32": arm32, "aarch64": aarch64}
"""By architecture as `Identity.arch` names it: the addresses that code, at its start address, may refer to."""


def loads(arch: str, code: bytes, start: int) -> Iterator[int]:
    """Addresses of words that code of BeamAsm may load, call or jump through by their distance from it. Data that looks
    so is among them."""
    if arch == "x86_64":
        for found in _X86_64_LOAD.finditer(code):
            yield start + found.end() + int.from_bytes(found[1], "little", signed=True)
    elif arch == "aarch64":
        for at, (word,) in zip(range(start, start + len(code), 4), struct.iter_unpack("<I", code[: len(code) & ~3])):
            if word & _LDR_LITERAL_MASK == _LDR_LITERAL:
                yield at + (_signed(word >> 5 & 0x7FFFF, 19) << 2)
