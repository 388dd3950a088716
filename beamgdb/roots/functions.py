"""C functions of the VM at which a debugger stops it, by what they refer to and who calls them."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Optional

from beamgdb.machine_code.references import aarch64_accesses, arm32_accesses, loads
from beamgdb.memory import CachedMemory, Unreadable
from beamgdb.roots import references
from jit.image.image import Function, Image, Recovered
from jit.otp.code import RAISING

REGISTER_CODE = "__jit_debug_register_code"
COMMIT = "erts_commit_staging_code_ix"

ACTION_AT, DESCRIPTOR_WORDS = 4, 2
"""Where in a `struct jit_descriptor` its `action_flag` is, and pointers that follow (GDB's documentation)."""

EXIT, EXIT_CALLER = "erts_continue_exit_process", "erts_beamasm:continue_exit/0"
"""Where processes end, and BeamAsm's entry point that calls nothing else of C (`emit_continue_exit` of BeamAsm)."""

BIFS = {f"{name}_{arity}": f"erlang:{name}/{arity}" for name, arity in (*RAISING, ("halt", 2))}
"""C functions of BIFs that do not return, and the Erlang functions that are stubs for them."""

_X86_64_CONSTANT = re.compile(rb"[\x48\x49][\xb8-\xbf](.{8})", re.DOTALL)
"""`mov` of a constant of 64 bits to a register (Intel SDM 2B)."""

LARGEST_COMMIT = 256
"""Bytes of `erts_commit_staging_code_ix` at most (code_ix.c): it has a dozen lines."""

HANDLER = 64
"""Bytes of a handler that are looked at."""

TRAMPOLINE = 16
"""Bytes of one: BeamAsm's own code calls C by such where its branches do not reach."""

EMPTY = {
    "x86_64": (b"\xc3", b"\xf3\x0f\x1e\xfa\xc3"),  # ret; endbr64, ret
    "aarch64": (struct.pack("<I", 0xD65F03C0), struct.pack("<II", 0xD503245F, 0xD65F03C0)),  # ret; bti c, ret
}
"""All code of a function that does nothing."""


def register_code(image: Image, descriptor: int) -> Recovered | str:
    """`__jit_debug_register_code`: the only function without effect that all call which use the descriptor's action, or
    why it is not found."""
    if image.arch not in EMPTY:
        return f"not looked for on {image.arch}"
    stop = descriptor + 8 + DESCRIPTOR_WORDS * image.word_size
    callers = references.users(image, descriptor + ACTION_AT, stop)
    called = [{to for _, to in CALLS[image.arch](image, one) if _is_empty(image, to)} for one in callers]
    common = set.intersection(*called) if called else set()
    if len(common) != 1:
        return f"{len(common) or 'no'} functions without effect are called by all that use {descriptor:#x}"
    return Recovered(REGISTER_CODE, common.pop(), "the empty function that all call which change the descriptor")


def _is_empty(image: Image, address: int) -> bool:
    function = image.function_at(address)
    if function is None or function.start != address:
        return False
    return any(image.bytes_of(function).startswith(code) for code in EMPTY[image.arch])


def _x86_64_calls(image: Image, function: Function) -> Iterator[tuple[int, int]]:
    """What looks like `call` or `jmp` with a distance of 32 bits (Intel SDM 2A)."""
    code = image.bytes_of(function)
    for at in range(len(code) - 4):
        if code[at] in (0xE8, 0xE9):
            distance = int.from_bytes(code[at + 1 : at + 5], "little", signed=True)
            yield function.start + at, function.start + at + 5 + distance


def _aarch64_calls(image: Image, function: Function) -> Iterator[tuple[int, int]]:
    return _aarch64_targets(image.bytes_of(function), function.start)


def _aarch64_targets(code: bytes, start: int) -> Iterator[tuple[int, int]]:
    """`bl` and `b` (Arm Architecture Reference Manual, C6.2.34, C6.2.26)."""
    for i, (word,) in enumerate(struct.iter_unpack("<I", code[: len(code) & ~3])):
        if word & 0x7C00_0000 == 0x1400_0000:
            distance = (word & 0x3FF_FFFF) - ((word & 0x200_0000) << 1)
            yield start + 4 * i, start + 4 * (i + distance)


def _thumb_calls(image: Image, function: Function) -> Iterator[tuple[int, int]]:
    """`bl`, also what looks so in the middle of other code."""
    code = image.bytes_of(function)
    halves: tuple[int, ...] = struct.unpack(f"<{len(code) // 2}H", code[: len(code) & ~1])
    for i, (first, second) in enumerate(zip(halves, halves[1:])):
        if _is_thumb_call(first, second):
            at = function.start + 2 * i
            yield at, at + 4 + _thumb_distance(first, second)


CALLS: dict[str, Callable[[Image, Function], Iterator[tuple[int, int]]]] = {
    "x86_64": _x86_64_calls, "aarch64": _aarch64_calls, "arm32": _thumb_calls
}  # fmt: skip
"""By processor: where a function calls others, and their addresses. On 32-bit ARM, Thumb code only."""


Named = Callable[[str], Optional[frozenset[int]]]
"""The C functions that the code of an Erlang function names, None where there is no such code."""


def named(memory: CachedMemory, image: Image, start: int, stop: int) -> frozenset[int]:
    """C functions whose addresses code of BeamAsm forms or loads, also in the trampolines that it jumps to."""
    try:
        words = set(_formed(memory, image, memory.read(start, stop - start), start))
    except Unreadable:
        return frozenset()
    found = ((address, image.function_at(address)) for address in words)
    return frozenset(address for address, function in found if function is not None and function.start == address)


def _formed(memory: CachedMemory, image: Image, code: bytes, start: int) -> Iterator[int]:
    for address in loads(image.arch, code, start):
        yield int.from_bytes(memory.try_read(address, image.word_size) or b"", image.byteorder)
    if image.arch == "x86_64":
        yield from (int.from_bytes(found[1], "little") for found in _X86_64_CONSTANT.finditer(code))
    if image.arch == "aarch64":
        yield from _aarch64_constants(code)
        for _, to in _aarch64_targets(code, start):
            if not start <= to < start + len(code) and (trampoline := memory.try_read(to, TRAMPOLINE)):
                yield from _aarch64_constants(trampoline)
                for address in loads(image.arch, trampoline[:4], to):
                    yield int.from_bytes(memory.try_read(address, image.word_size) or b"", image.byteorder)


def _aarch64_constants(code: bytes) -> Iterator[int]:
    """What `movz` and `movk` put together (Arm Architecture Reference Manual, C6.2)."""
    known: dict[int, int] = {}
    for (word,) in struct.iter_unpack("<I", code[: len(code) & ~3]):
        register, part, at = word & 31, word >> 5 & 0xFFFF, (word >> 21 & 3) * 16
        if word & 0xFF80_0000 == 0xD280_0000:
            known[register] = part << at
        elif word & 0xFF80_0000 == 0xF280_0000 and register in known:
            known[register] = known[register] & ~(0xFFFF << at) | part << at
        else:
            continue
        yield known[register]


def exit_process(named: Named) -> Recovered | str:
    """`erts_continue_exit_process`, or why it is not found."""
    found = named(EXIT_CALLER)
    if found is None or len(found) != 1:
        return f"{EXIT_CALLER} names {len(found or ())} functions of C"
    return Recovered(EXIT, min(found), f"the only function of C that {EXIT_CALLER} calls")


def exit_process_of(image: Image, handler: int) -> Recovered | str:
    """The same of the interpreter: what the handler of its operation continue_exit calls first. Thumb code only."""
    code = image.read(handler & ~1, HANDLER) if image.arch == "arm32" else None
    to = _first_thumb_call(code, handler & ~1) if code is not None else None
    function = image.function_at(to) if to is not None else None
    if to is None or function is None or function.start != to:
        return "the handler of continue_exit is not read"
    return Recovered(EXIT, to, "called first by the handler of continue_exit")


def _first_thumb_call(code: bytes, start: int) -> int | None:
    """The target of the first `bl`, if nothing branches before (Arm Architecture Reference Manual, A6.3)."""
    halves: tuple[int, ...] = struct.unpack(f"<{len(code) // 2}H", code)
    i = 0
    while i + 1 < len(halves):
        first, second = halves[i : i + 2]
        if first & 0xF800 == 0xF000 and second & 0x8000:
            return start + 2 * i + 4 + _thumb_distance(first, second) if _is_thumb_call(first, second) else None
        if first & 0xF000 == 0xD000 or first & 0xF800 == 0xE000 or first & 0xFF00 == 0x4700:
            return None
        i += 2 if first >= 0xE800 else 1
    return None


def _is_thumb_call(first: int, second: int) -> bool:
    """Whether two halfwords are a `bl` (Arm Architecture Reference Manual, A8.8.25, T1)."""
    return first & 0xF800 == 0xF000 and second & 0xD000 == 0xD000


def _thumb_distance(first: int, second: int) -> int:
    """How far it goes, from four bytes behind its start."""
    sign = first >> 10 & 1
    high, low = (second >> 13 & 1) ^ sign ^ 1, (second >> 11 & 1) ^ sign ^ 1
    return (high << 23 | low << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1) - (sign << 24)


def bifs(named: Named) -> dict[str, Recovered | str]:
    """Those of `BIFS`, or why one is not found: each stub names the BIF, and what all stubs name."""
    stubs = {name: named(stub) or frozenset[int]() for name, stub in BIFS.items()}
    common = frozenset.intersection(*stubs.values())
    return {
        name: Recovered(name, min(own), "named by its stub in the module erlang")
        if len(own := found - common) == 1
        else f"{len(own) or 'no'} functions of C are named by its stub in the module erlang alone"
        for name, found in stubs.items()
    }


class Commit(NamedTuple):
    """A function that takes new code into use, and the variables that it changes."""

    function: int
    active: int
    staging: int


def commits(image: Image, variables: Iterable[int]) -> list[Commit]:
    """Functions that may be `erts_commit_staging_code_ix`: they load one of these variables of 32 bits, store into
    another, and then into the first again."""
    accesses = _ACCESSES[image.arch]
    wanted = frozenset(variables)
    functions = {one for variable in wanted for one in references.candidates(image, variable, variable + 4)}
    found = []
    for function in functions:
        if function.stop - function.start > LARGEST_COMMIT:
            continue
        done = [one for one in accesses(image, function) if one[1] in wanted and one[0] in ("load", "store")]
        if [kind for kind, _ in done] == ["load", "store", "store"] and done[0][1] == done[2][1] != done[1][1]:
            found.append(Commit(function.start, done[1][1], done[0][1]))
    return found


def _x86_64_accesses(image: Image, function: Function) -> Iterator[tuple[str, int]]:
    """What `mov` and `xchg` of 32-bit registers do relative to the instruction pointer (Intel SDM 2B)."""
    code = image.bytes_of(function)
    for at in range(len(code) - 5):
        if code[at] in _X86_64_KINDS and code[at + 1] & 0xC7 == 0x05:
            distance = int.from_bytes(code[at + 2 : at + 6], "little", signed=True)
            yield _X86_64_KINDS[code[at]], function.start + at + 6 + distance


_X86_64_KINDS = {0x87: "store", 0x89: "store", 0x8B: "load"}


def _aarch64_accesses(image: Image, function: Function) -> Iterator[tuple[str, int]]:
    return aarch64_accesses(image.bytes_of(function), function.start)


def _arm32_accesses(image: Image, function: Function) -> Iterator[tuple[str, int]]:
    return arm32_accesses(image.bytes_of(function), function.start, thumb=True)


_ACCESSES: dict[str, Callable[[Image, Function], Iterator[tuple[str, int]]]] = {
    "x86_64": _x86_64_accesses,
    "aarch64": _aarch64_accesses,
    "arm32": _arm32_accesses,
}

READ = frozenset(_ACCESSES)
"""The processors whose code is read."""
