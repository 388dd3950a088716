"""Machine code as text: capstone's, with names for places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from capstone import CS_ARCH_RISCV, CS_MODE_RISCV32, CS_MODE_RISCV64, CS_MODE_RISCVC, Cs

_MODES: Final = {4: CS_MODE_RISCV32, 8: CS_MODE_RISCV64}
#: The distance of a place that an instruction names.
_DISTANCE: Final = re.compile(r"(?:c\.)?(?:j|jal|b\w+)(?: \w+,)* (-?(?:0x)?[0-9a-f]+)$")
#: Of 16 bits are those whose lowest two are not these.
_LONG: Final = 3


def listing(word: int, code: bytes, instructions: int, names: Mapping[int, str]) -> Iterator[tuple[int, str, str]]:
    """Each instruction: its offset, itself, and what it means. What follows so many bytes of them is data."""
    decoder = Cs(CS_ARCH_RISCV, _MODES[word] | CS_MODE_RISCVC)
    offset = 0
    while offset + 2 <= len(code):
        size = 4 if code[offset] & _LONG == _LONG and offset + 4 <= len(code) else 2
        data = code[offset : offset + size]
        number = f"{int.from_bytes(data, 'little'):0{2 * size}x}"
        decoded = decoder.disasm_lite(data, offset, 1) if offset < instructions else ()
        directive = ".word" if size == 4 else ".half"
        text = next((f"{mnemonic} {operands}".rstrip() for _, _, mnemonic, operands in decoded), None)
        text = f"{directive} 0x{number}" if text is None else text
        if found := _DISTANCE.match(text):
            target = offset + int(found[1], 0)
            text = text[: found.start(1)] + names.get(target, f"{target:#x}")
        yield offset, number, text
        offset += size
