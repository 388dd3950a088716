"""The line number table of a compile unit (DWARF 5, 6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntFlag
from typing import Union

from jit.object.dwarf_constants import DW_FORM, DW_LNCT, DW_LNE, DW_LNS, DWARF_VERSION
from jit.object.leb128 import sleb128, uleb128
from jit.object.string_table import StringTable
from jit.object.target import Target

#: (address, file, line), optionally followed by column (0: none) and by flags (``RowFlag``; IS_STMT if left out).
LineRow = Union[tuple[int, int, int], tuple[int, int, int, int], tuple[int, int, int, int, int]]

# A special opcode advances the line by -3..8 and the address by up to 20 instruction units, in one byte.
_LINE_BASE = -3
_LINE_RANGE = 12
_OPERANDS = (0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1)  # of the standard opcodes from DW_LNS_copy on, 6.2.5.2
_OPCODE_BASE = len(_OPERANDS) + 1
_MAX_OPCODE = 255
_MAX_KEPT_CODES = 1 << 16
_CONST_ADD = (_MAX_OPCODE - _OPCODE_BASE) // _LINE_RANGE


class RowFlag(IntFlag):
    """Flags of a line row, DWARF 5, 6.2.2."""

    NONE = 0
    IS_STMT = 1
    PROLOGUE_END = 2
    EPILOGUE_BEGIN = 4


class _RowCode(dict[tuple[int, int], bytes]):
    """(address advance in instruction units, line advance) -> the opcodes that advance and append a row.

    The same few pairs come again and again, so they are kept: a lookup is several times cheaper than encoding.
    """

    def __missing__(self, advances: tuple[int, int]) -> bytes:
        if advances[0] < 0:
            raise ValueError(f"a line row's address is {-advances[0]} below the one before")
        if len(self) >= _MAX_KEPT_CODES:
            self.clear()
        code = self[advances] = _advance_and_append(*advances)
        return code


_row_code = _RowCode()


def _advance_and_append(address: int, line: int) -> bytes:
    prefix = b""
    if not _LINE_BASE <= line < _LINE_BASE + _LINE_RANGE:
        prefix = bytes((DW_LNS.advance_line,)) + sleb128(line)
        line = 0
    opcode = line - _LINE_BASE + _OPCODE_BASE
    reach = (_MAX_OPCODE - opcode) // _LINE_RANGE
    if address > reach:
        if address <= reach + _CONST_ADD:
            prefix += bytes((DW_LNS.const_add_pc,))
            address -= _CONST_ADD
        else:
            prefix += bytes((DW_LNS.advance_pc,)) + uleb128(address)
            address = 0
    return prefix + bytes((opcode + address * _LINE_RANGE,))


class LineNumberTable:
    """The line table of one compile unit.

    ``directories`` begins with the compilation directory. ``files`` are (name, directory index), the primary source
    file first; rows and DW_AT_decl_file number them **from 1**, as entry 0 is written as a copy of the first: DWARF 5
    makes 0 the primary file, but for DW_AT_decl_file 0 means "none" (2.14), and so compilers write it twice.

    Addresses advance in units of ``minimum_instruction_length`` bytes. ``address_offsets`` are the places of addresses
    in the program, which begins where ``encode`` says.
    """

    def __init__(
        self,
        target: Target,
        directories: Sequence[str],
        files: Sequence[tuple[str, int]],
        *,
        minimum_instruction_length: int = 1,
    ) -> None:
        if not directories or not files:
            raise ValueError("a line table needs a compilation directory and a primary source file")
        for name, directory in files:
            if not 0 <= directory < len(directories):
                raise ValueError(f"file {name!r} is in directory {directory} of {len(directories)}")
        self.target = target
        self.directories = tuple(directories)
        self.files = tuple(files)
        self.minimum_instruction_length = minimum_instruction_length
        self.address_offsets: list[int] = []
        self._program: list[bytes] = []
        self._size = 0

    def add_sequence(self, rows: Iterable[LineRow], end: int) -> None:
        """Append a sequence: rows in order of address, up to *end*, the address after its last byte.

        Sequences may come in any order. Raises ValueError when an address goes backwards or is no multiple of the
        minimum instruction length from the sequence's first.
        """
        unit, codes = self.minimum_instruction_length, _row_code
        out: list[bytes] = []
        append = out.append
        start, address, file, line, column, is_stmt = -1, 0, 1, 1, 0, True
        for row_address, row_file, row_line, *rest in rows:
            if start < 0:
                start = address = row_address
            if row_file != file:
                append(bytes((DW_LNS.set_file,)) + uleb128(row_file))
                file = row_file
            row_column, flags = _column_and_flags(rest) if rest else (0, RowFlag.IS_STMT)
            if row_column != column:
                append(bytes((DW_LNS.set_column,)) + uleb128(row_column))
                column = row_column
            if flags != RowFlag.IS_STMT or not is_stmt:
                append(_flag_code(flags, is_stmt))
                is_stmt = bool(flags & RowFlag.IS_STMT)
            advance = row_address - address
            if unit != 1:
                advance = _units(advance, unit, row_address)
            append(codes[advance, row_line - line])
            address, line = row_address, row_line
        if start >= 0:
            advance = _units(end - address, unit, end)
            append(bytes((DW_LNS.advance_pc,)) + uleb128(advance) + bytes((0, 1, DW_LNE.end_sequence)))
            self._append(start, b"".join(out))

    def _append(self, start: int, code: bytes) -> None:
        set_address = bytes((0, 1 + self.target.address_size, DW_LNE.set_address))
        self.address_offsets.append(self._size + len(set_address))
        code = set_address + self.target.address(start) + code
        self._program.append(code)
        self._size += len(code)

    def encode(self, strings: StringTable) -> tuple[bytes, int]:
        """The table's bytes, and where in them the program begins; names go to *strings*, the .debug_line_str."""
        target = self.target
        path = (DW_LNCT.path, DW_FORM.line_strp)
        files = (self.files[0], *self.files)
        after_length = b"".join(
            (
                bytes((self.minimum_instruction_length, 1, 1)),  # one operation per instruction; is_stmt by default
                target.pack("bBB", _LINE_BASE, _LINE_RANGE, _OPCODE_BASE),
                bytes(_OPERANDS),
                bytes((1, *path)),
                uleb128(len(self.directories)),
                *(target.pack("I", strings.offset(name)) for name in self.directories),
                bytes((2, *path, DW_LNCT.directory_index, DW_FORM.udata)),
                uleb128(len(files)),
                *(target.pack("I", strings.offset(name)) + uleb128(directory) for name, directory in files),
            )
        )
        header = target.pack("HBBI", DWARF_VERSION, target.address_size, 0, len(after_length)) + after_length
        length = len(header) + self._size
        start = 4 + len(header)
        return b"".join((target.pack("I", length), header, *self._program)), start


def _column_and_flags(rest: list[int]) -> tuple[int, int]:
    return rest[0], rest[1] if len(rest) > 1 else RowFlag.IS_STMT


def _flag_code(flags: int, is_stmt: bool) -> bytes:
    code = b""
    if bool(flags & RowFlag.IS_STMT) != is_stmt:
        code += bytes((DW_LNS.negate_stmt,))
    if flags & RowFlag.PROLOGUE_END:
        code += bytes((DW_LNS.set_prologue_end,))
    if flags & RowFlag.EPILOGUE_BEGIN:
        code += bytes((DW_LNS.set_epilogue_begin,))
    return code


def _units(advance: int, unit: int, address: int) -> int:
    units, rest = divmod(advance, unit)
    if rest or units < 0:
        raise ValueError(f"line address {address:#x} is {advance} bytes after the last, not a multiple of {unit}")
    return units
