"""Machine code as text: capstone's, with names for places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from capstone import CS_ARCH_ARM64, CS_MODE_ARM, Cs

_WORD: Final = 4
#: A place that an instruction names.
_TARGET: Final = re.compile(r"(?:b|bl|b\.\w+|cbn?z \w+,|adr \w+,) #(0x[0-9a-f]+|\d+)$")


def listing(code: bytes, instructions: int, names: Mapping[int, str]) -> Iterator[tuple[int, str, str]]:
    """Each word: its offset, itself, and what it means as an instruction. What follows so many bytes of them is data.

    What is no whole word at the end is left out.
    """
    decoder = Cs(CS_ARCH_ARM64, CS_MODE_ARM)
    for offset in range(0, len(code) - _WORD + 1, _WORD):
        data = code[offset : offset + _WORD]
        word = f"{int.from_bytes(data, 'little'):08x}"
        decoded = decoder.disasm_lite(data, offset, 1) if offset < instructions else ()
        text = next((f"{mnemonic} {operands}".rstrip() for _, _, mnemonic, operands in decoded), f".word 0x{word}")
        if found := _TARGET.match(text):
            target = int(found[1], 0)
            text = text[: found.start(1) - 1] + names.get(target, f"{target:#x}")
        yield offset, word, text
