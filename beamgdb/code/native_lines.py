"""The line table in an ELF object of native code (DWARF 5, 6.2), as `jit/object/dwarf_line.py` writes it.

The pyelftools of Debian 11 reads no DWARF 5, and that of others takes longer to load than this takes to read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from beamgdb.code.module import Line
from beamgdb.terms.quoting import bare
from jit.object.dwarf_constants import DW_FORM, DW_LNCT, DW_LNE, DW_LNS, DWARF_VERSION

_HEADER = struct.Struct("<IHBBI3BbBB")
"""Length, version, sizes of an address and of a segment's number, length of what follows of the header; bytes of an
instruction's unit, operations of an instruction, whether rows are statements at first; the least advance of a line in
a special opcode, how many advances there are, and the first special opcode."""

_ADDRESS = struct.Struct("<I")

_BEFORE_PROGRAM = 12
"""Bytes up to where the header's own length counts from."""

_MAX_BYTES = 10
"""Of a number of variable length."""

_MAX_NAME = 4096
"""Bytes of a file's name (PATH_MAX)."""


class _Damaged(Exception):
    """It is no such table."""


def rows(table: bytes, names: bytes) -> list[Line]:
    """The rows by address, each valid until the next one; none where they cannot be read. `table` is the section
    `.debug_line`, `names` the section `.debug_line_str`. Names of files are as the table has them, without folders."""
    try:
        return sorted(set(_rows(_Reader(table), names)))
    except (_Damaged, IndexError, struct.error):
        return []


class _Reader:
    """Bytes that are taken one after the other. What is not there raises IndexError or struct.error."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def word(self) -> int:
        self.at += _ADDRESS.size
        (word,) = _ADDRESS.unpack_from(self.data, self.at - _ADDRESS.size)
        return int(word)

    def unsigned(self) -> int:
        """A ULEB128 (DWARF 5, 7.6)."""
        return self._number()[0]

    def signed(self) -> int:
        """An SLEB128."""
        number, bits = self._number()
        return number - (1 << bits) if number >> (bits - 1) else number

    def _number(self) -> tuple[int, int]:
        number = 0
        for count in range(_MAX_BYTES):
            byte = self.byte()
            number |= (byte & 0x7F) << (7 * count)
            if byte < 0x80:
                return number, 7 * (count + 1)
        raise _Damaged


def _rows(reader: _Reader, names: bytes) -> Iterator[Line]:
    """The rows of each unit's table."""
    while reader.at < len(reader.data):
        start = reader.at
        length, version, address_size, _, rest, *numbers = _HEADER.unpack_from(reader.data, start)
        if version != DWARF_VERSION or address_size != _ADDRESS.size:
            raise _Damaged
        reader.at += _HEADER.size
        yield from _program(reader, numbers, names, start + _BEFORE_PROGRAM + rest, start + _ADDRESS.size + length)


def _program(reader: _Reader, numbers: list[int], names: bytes, start: int, stop: int) -> Iterator[Line]:
    """The rows that the program of a unit makes, which lies from `start` to `stop`; `reader` is where the header's
    numbers end. Only those of statements, as debuggers do."""
    unit, _, is_statement_first, line_base, line_range, first_special = numbers
    if not line_range or not reader.at <= start <= stop <= len(reader.data):
        raise _Damaged
    operands = [0, *(reader.byte() for _ in range(first_special - 1))]
    _entries(reader, names)  # the folders
    files = [bare(name.decode("utf-8", "replace")).rpartition("/")[2] for name in _entries(reader, names)]
    reader.at = start
    address, file, line, is_statement = 0, 1, 1, bool(is_statement_first)
    while reader.at < stop:
        opcode, is_row = reader.byte(), False
        if opcode >= first_special:
            advance, more = divmod(opcode - first_special, line_range)
            address, line, is_row = address + unit * advance, line + line_base + more, True
        elif opcode == 0:
            size = reader.unsigned()
            end, extended = reader.at + size, reader.byte()
            if extended == DW_LNE.set_address:
                address = reader.word()
            elif extended == DW_LNE.end_sequence:
                address, file, line, is_statement = 0, 1, 1, bool(is_statement_first)
            reader.at = end
        elif opcode == DW_LNS.copy:
            is_row = True
        elif opcode == DW_LNS.advance_pc:
            address += unit * reader.unsigned()
        elif opcode == DW_LNS.const_add_pc:
            address += unit * ((0xFF - first_special) // line_range)
        elif opcode == DW_LNS.advance_line:
            line += reader.signed()
        elif opcode == DW_LNS.set_file:
            file = reader.unsigned()
        elif opcode == DW_LNS.negate_stmt:
            is_statement = not is_statement
        elif opcode == DW_LNS.fixed_advance_pc:
            address += reader.byte() | reader.byte() << 8
        else:
            for _ in range(operands[opcode]):
                reader.unsigned()
        if is_row and is_statement:
            yield address, files[file], line


def _entries(reader: _Reader, names: bytes) -> list[bytes]:
    """The names of a list of folders or files (6.2.4.1)."""
    forms: dict[int, Callable[[], int]] = {DW_FORM.line_strp: reader.word, DW_FORM.udata: reader.unsigned}
    columns = [(reader.unsigned(), reader.unsigned()) for _ in range(reader.byte())]
    found = []
    for _ in range(reader.unsigned() if columns else 0):
        for content, form in columns:
            if form not in forms:
                raise _Damaged
            value = forms[form]()
            if content == DW_LNCT.path:
                found.append(names[value : value + _MAX_NAME].partition(b"\0")[0])
    return found
