"""GDB's JIT interface: the list of code that a program has registered for a debugger, whatever describes it there.

BeamAsm registers what it makes in a format of its own (`registrations`), native code for the interpreter ELF objects
(`native_objects`). The list is that of GDB's documentation, "JIT Compilation Interface".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from beamgdb.late import dataclass
from beamgdb.memory import READ_LIMIT, Memory, Unreadable

DESCRIPTOR = "__jit_debug_descriptor"
"""Where the list begins. The interpreter has none, but what runs native code in it."""

MAX_REGISTRATIONS = 200_000
"""More entries than any node has modules: a longer list is a corrupt or cyclic one."""

MAX_REGISTRATION_SIZE = READ_LIMIT
"""Bytes; the largest module seen registers 1 MiB."""


@dataclass(frozen=True)
class CodeEntry:
    """A `struct jit_code_entry`: its own address, and where the registration lies."""

    address: int
    symfile: int
    size: int


def entries(memory: Memory, descriptor: int) -> Iterator[CodeEntry]:
    """Registrations in `__jit_debug_descriptor` at `descriptor`, newest first.

    Ends at the end of the list, or silently where the list cannot be read or runs in a circle: what was yielded
    until then is sound.
    """
    try:
        address = newest(memory, descriptor)
        seen: set[int] = set()
        while address and address not in seen and len(seen) < MAX_REGISTRATIONS:
            seen.add(address)
            entry, address = _entry(memory, address)
            yield entry
    except Unreadable:
        return


def newest(memory: Memory, descriptor: int) -> int:
    """The address of the newest registration; 0 where there is none, or the descriptor cannot be read."""
    try:
        return _words(memory, descriptor + 8, 2)[1]
    except Unreadable:
        return 0


def oversized(listed: Iterable[CodeEntry]) -> CodeEntry | None:
    """An entry of a size that no registration has. GDB gives its JIT reader all of one, in memory that it allocates."""
    return next((one for one in listed if one.size > MAX_REGISTRATION_SIZE), None)


def following(memory: Memory, descriptor: int, listed: Sequence[CodeEntry]) -> int:
    """The address behind the last of all `entries`: 0 where the list ends as it should. Else it is that of an entry
    which cannot be read, or of one that was before: GDB follows such a circle for ever."""
    try:
        return _entry(memory, listed[-1].address)[1] if listed else newest(memory, descriptor)
    except Unreadable:
        return 0


def relevant(memory: Memory, descriptor: int) -> CodeEntry | None:
    """The registration that is being made or taken back, while `__jit_debug_register_code` is called."""
    try:
        address = _words(memory, descriptor + 8, 1)[0]
        return _entry(memory, address)[0] if address else None
    except Unreadable:
        return None


def _entry(memory: Memory, address: int) -> tuple[CodeEntry, int]:
    """The `jit_code_entry` at `address`, and the address of the next one.

    `symfile_size` has 64 bits on every target: on 32-bit ARM it is aligned to 8, with a hole of 4 bytes before it.
    """
    following, _previous, symfile = _words(memory, address, 3)
    size = int.from_bytes(memory.read(address + (3 * memory.word_size + 7 & ~7), 8), memory.byteorder)
    return CodeEntry(address, symfile, size), following


def _words(memory: Memory, address: int, count: int) -> tuple[int, ...]:
    """Machine words. In `jit_descriptor` the pointers follow `version` and `action_flag`, of 32 bits each."""
    form = f"{'<' if memory.byteorder == 'little' else '>'}{count}{'I' if memory.word_size == 4 else 'Q'}"
    return struct.unpack(form, memory.read(address, struct.calcsize(form)))
