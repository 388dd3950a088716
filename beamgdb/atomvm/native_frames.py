"""From native code of AtomVM to the C function of the VM that has called it (jit.h), where no debugging information
tells how: that is a stub of what AtomVM's own compiler and ours keep on the C stack.

Native code is called as a C function. Where it returns to is on the C stack below what it has pushed since; it saves
registers of its caller only at entry. Which ones, and in which order, its first instructions tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from beamgdb.atomvm.modules import ENTRY, Broken, Module
from beamgdb.late import dataclass
from beamgdb.memory import CachedMemory, Unreadable

MAX_PUSHED: Final = 64
"""Words that native code may have on the C stack."""

_X86_64: Final = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
_ARM32: Final = [f"r{number}" for number in range(13)] + ["sp", "lr", "pc"]
_SCRATCH: Final = ("r0", "r1", "r2", "r3", "sp", "lr", "pc", "rax", "rcx", "rdx", "rsi", "rdi", "rsp")
"""What a caller expects nothing of."""

_CALLS: Final = 5
"""Bytes of a call on x86-64 by which our compiler's entries begin."""


@dataclass(frozen=True)
class NativeFrame:
    """A frame of native code. `registers` are those of the C function outside of it; `id_stack` stays the same while it
    lives. `within` is the address in a function of the module: `pc`, unless that is in what functions share."""

    registers: Mapping[str, int]
    id_stack: int
    within: int


def unwind(
    memory: CachedMemory, module: Module, pc: int, stack: int, is_loop: Callable[[int], bool]
) -> NativeFrame | None:
    """The frame of native code in a module, by where it is and the stack pointer; `is_loop` tells whether an address is
    in the C function that calls native code. None where nothing on the stack leads there. Raises `Unreadable`."""
    size, arch = memory.word_size, module.file.arch
    words = _readable(memory, stack, MAX_PUSHED)
    at = next((number for number, word in enumerate(words) if is_loop(word)), None)
    if at is None:
        return None
    within = pc
    try:
        end = module.native + len(module.file.native_code)
        body = module.native + ENTRY[arch] * module.file.label_count
    except (Broken, KeyError):
        return None
    for word in words[:at]:
        # What functions share is called from there.
        if body <= word < end:
            within = word
    slot = stack + at * size
    names = pushed(module, arch)
    registers = {}
    for number, name in enumerate(names):
        place = slot - (number + 1) * size
        if place >= stack and name not in _SCRATCH:
            registers[name] = words[at - number - 1]
    if arch == "x86_64":
        outside = {"rip": words[at], "rsp": slot + size}
    elif arch == "arm32":
        outside = {"pc": words[at] & ~1, "sp": slot + size, "cpsr": 0x20 if words[at] & 1 else 0}
        outside["cpsr"] |= 0x10
    else:
        return None
    return NativeFrame({**registers, **outside}, slot + size, within)


def pushed(module: Module, arch: str) -> Sequence[str]:
    """The registers that are saved at entry, from the return address on downwards. Raises `Broken`."""
    code, file = module.file.native_code, module.file
    labels = (one.label for one in file.exports)
    way = next((found for label in labels if (found := file.way_in(label)) is not None), None)
    if way is None:
        return ()
    if arch == "arm32":
        # Entries of the table of labels push a list of registers, lr as the last one.
        label = next(iter(file.exports)).label
        word = int.from_bytes(code[ENTRY[arch] * label :][:4], "little")
        if word >> 16 != 0xE92D:  # push {..}
            return ()
        names = [name for number, name in enumerate(_ARM32) if word >> number & 1]
        return names[-2::-1] if names[-1:] == ["lr"] else ()
    if arch == "x86_64" and code[way : way + 1] == b"\xe8":
        at = way + _CALLS + int.from_bytes(code[way + 1 : way + _CALLS], "little", signed=True)
        return _pushes(code, at + 1) if code[at : at + 1] == b"\x58" else ()  # pop %rax: where to go on
    return ()


def _pushes(code: bytes, at: int) -> list[str]:
    """The registers that instructions on x86-64 push, one after the other."""
    found: list[str] = []
    while at + 1 < len(code):
        high = code[at] == 0x41
        at += high
        if code[at] & 0xF8 != 0x50:
            return found
        found.append(_X86_64[(code[at] & 7) + 8 * high])
        at += 1
    return found


def _readable(memory: CachedMemory, address: int, count: int) -> list[int]:
    """Words from an address on, as many as there are."""
    found: list[int] = []
    try:
        for number in range(count):
            found.append(memory.word(address + number * memory.word_size))
    except Unreadable:
        pass
    return found
