"""Tables of null-terminated strings: ELF's .strtab (System V ABI, chapter 4), DWARF's .debug_str (DWARF 5, 7.26)."""

from __future__ import annotations

from collections.abc import Iterable


class StringTable:
    """Strings in UTF-8, each stored once, in the order of first use. What cannot stand in one is a question mark."""

    def __init__(self, first: Iterable[str] = ()) -> None:
        self._offsets: dict[str, int] = {}
        self._size = 0
        self.offsets(first)

    def offset(self, text: str) -> int:
        """The offset of *text* in the table."""
        return self.offsets((text,))[0]

    def offsets(self, texts: Iterable[str]) -> list[int]:
        """The offsets of many texts."""
        known, size, out = self._offsets, self._size, []
        for text in texts:
            offset = known.get(text)
            if offset is None:
                offset = known[text] = size
                size += (len(text) if text.isascii() else len(text.encode(errors="replace"))) + 1
            out.append(offset)
        self._size = size
        return out

    def to_bytes(self) -> bytes:
        """The table."""
        data = "".join([text + "\0" for text in self._offsets]).encode(errors="replace")
        if data.count(0) != len(self._offsets):
            data = "".join([text.replace("\0", "?") + "\0" for text in self._offsets]).encode(errors="replace")
        return data
