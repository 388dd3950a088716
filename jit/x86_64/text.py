"""Machine code as text, in Intel's syntax: capstone's, with names for places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from capstone import CS_ARCH_X86, CS_MODE_64, Cs

#: A place that an instruction names: where a branch leads to, or what is so far from the next instruction.
_TARGET: Final = re.compile(r"(?:j\w+|call) (0x[0-9a-f]+|\d+)$")
_RELATIVE: Final = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|\d+)\]")
#: Columns of an instruction's bytes, of which few have more.
_COLUMNS: Final = 14


def listing(code: bytes, instructions: int, names: Mapping[int, str]) -> Iterator[tuple[int, str, str]]:
    """Each instruction: its offset, its bytes as text, and itself. What follows so many bytes of them is data."""
    decoder = Cs(CS_ARCH_X86, CS_MODE_64)
    decoder.skipdata = True
    for offset, size, mnemonic, operands in decoder.disasm_lite(code[:instructions], 0):
        text = f"{mnemonic} {operands}".rstrip().replace("ptr ", "")
        yield offset, _hex(code[offset : offset + size]), _named(text, offset + size, names)
    for offset in range(instructions, len(code), 8):
        data = code[offset : offset + 8]
        yield offset, _hex(data), ".byte " + ", ".join(f"{one:#04x}" for one in data)


def _hex(data: bytes) -> str:
    return data.hex().ljust(_COLUMNS)


def _named(text: str, end: int, names: Mapping[int, str]) -> str:
    """The instruction with names of the places that it tells of, which are counted from its end."""
    if found := _TARGET.match(text):
        target = int(found[1], 0)
        return text[: found.start(1)] + names.get(target, f"{target:#x}")
    if found := _RELATIVE.search(text):
        target = end + int(found[1] + str(int(found[2], 0)))
        return f"{text[: found.start()]}[{names.get(target, f'{target:#x}')}]{text[found.end() :]}"
    return text
