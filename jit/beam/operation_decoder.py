"""From the bytes of the Code chunk to operations (erts/emulator/beam/beam_file.c, beam_disasm.erl).

An operation is a byte, its opcode, and as many compact terms as its arity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from jit.beam import compact
from jit.beam.chunks import MOST_ROWS, Chunk
from jit.beam.compact import DecodeError, Extended, Tag
from jit.beam.errors import BeamError
from jit.beam.matching import match_commands
from jit.beam.opcodes import NAMED, OPCODES, Role
from jit.beam.operands import (
    MAX_REGISTER,
    NOWHERE,
    Allocation,
    BeamLabel,
    Character,
    FloatRegister,
    Integer,
    Location,
    Operand,
    Simple,
    String,
    Typed,
    X,
    Y,
)
from jit.beam.operations import Operation, Tables
from jit.beam.shapes import SHAPES, Shape
from jit.beam.terms import NIL, Atom
from jit.beam.text import operand_text

_T = TypeVar("_T")

_FIRST_BYTE_OF_LIST = Extended.LIST << 4 | Tag.EXTENDED
_END, _FUNC_INFO, _LINE = NAMED["int_code_end"], NAMED["func_info"], NAMED["line"]


class OperationDecoder:
    """Decodes the operations of a Code chunk. ``labels`` are those that operands have named so far, by number."""

    def __init__(self, chunk: Chunk, tables: Tables, label_count: int) -> None:
        self.labels: dict[int, BeamLabel] = {}
        self._chunk = chunk
        self._data = chunk.data
        self._tables = tables
        self._label_count = label_count
        self._atoms = [Atom(name) for name in tables.atoms]
        # Most operands have one byte or two, and most others are registers with a type in three: each is made once.
        self._one_byte = [self._of_one_byte(byte) for byte in range(256)]
        self._two_bytes: dict[int, Simple] = {}
        self._typed: dict[bytes, Typed] = {}

    def decode(self, at: int) -> list[Operation]:
        """The operations from offset *at* of the chunk on but for the last, int_code_end. Raises BeamError."""
        operations: list[Operation] = []
        start = at
        try:
            while self._data[start] != _END.number:
                start = self._operation(start, operations)
                if len(operations) > MOST_ROWS:
                    raise DecodeError(start, f"more than {MOST_ROWS} operations, the most that is read")
        except DecodeError as error:
            raise self._error(error.offset, str(error), start, operations) from None
        except IndexError:
            raise self._error(start, "the code ends before int_code_end", start, operations) from None
        end = start + 1
        if end != len(self._data):
            raise self._chunk.error(end, f"{len(self._data) - end} bytes after int_code_end")
        return operations

    def _operation(self, start: int, operations: list[Operation]) -> int:
        """Append the operation at *start*; the offset after it. Raises IndexError where the code ends."""
        data, one_byte = self._data, self._one_byte
        number = data[start]
        shape = SHAPES.get(number)
        if shape is None:
            raise DecodeError(start, _unknown(number))
        at = start + 1
        operands: list[Operand] = []
        for _ in shape.allowed:
            byte = data[at]
            operand: Operand | None = one_byte[byte]
            if operand is not None:
                at += 1
            elif byte == _FIRST_BYTE_OF_LIST and shape.elements and len(operands) == len(shape.plain):
                operand, at = self._list(at + 1)
            else:
                operand, at = self._simple(at)
            operands.append(operand)
        if shape.resolved:
            self._resolve(shape, operands, start)
        if (wrong := shape.misfit(operands)) is not None:
            raise DecodeError(start, wrong)
        location = operations[-1].location if operations else NOWHERE
        if number == _LINE.number and isinstance(operands[0], Location):
            location = operands[0]
        operations.append(Operation(OPCODES[number], tuple(operands), start, location))
        return at

    def _of_one_byte(self, byte: int) -> Simple | None:
        """The operand that the byte alone stands for; None if there is more to read, or it cannot stand here."""
        tag, number = byte & 7, byte >> 4
        if byte & 8 or tag in (Tag.LABEL, Tag.EXTENDED) or tag == Tag.ATOM and number > len(self._atoms):
            return None
        return self._of_tag(tag, number, 0)

    def _of_tag(self, tag: int, number: int, at: int) -> Simple:
        if tag == Tag.UNSIGNED:
            return number
        if tag == Tag.ATOM:
            return _entry(self._atoms, number - 1, at, "atom") if number else NIL
        if tag == Tag.X:
            return X(_register(number, at))
        if tag == Tag.Y:
            return Y(_register(number, at))
        if tag == Tag.LABEL:
            return self._label(number, at)
        return Integer(number) if tag == Tag.INTEGER else Character(number)

    def _label(self, number: int, at: int) -> BeamLabel:
        if number and number >= self._label_count:
            raise DecodeError(at, f"label {number}, but the header says that all are below {self._label_count}")
        return self.labels.setdefault(number, BeamLabel(number))

    def _simple(self, at: int) -> tuple[Simple, int]:
        """The operand at *at*, which is no list, and the offset after it."""
        data = self._data
        if data[at] & 7 == Tag.EXTENDED:
            return self._extended(at)
        if data[at] & 0x18 != 8:
            tag, number, end = compact.decode(data, at)
            return self._of_tag(tag, number, at), end
        key = data[at] << 8 | data[at + 1]
        operand = self._two_bytes.get(key)
        if operand is None:
            tag, number, _ = compact.decode(data, at)
            operand = self._two_bytes[key] = self._of_tag(tag, number, at)
        return operand, at + 2

    def _extended(self, at: int) -> tuple[Simple, int]:
        key = self._data[at : at + 3]
        known = self._typed.get(key)
        if known is not None:
            return known, at + 3
        _, kind, start = compact.decode(self._data, at)
        if kind == Extended.TYPED_REGISTER:
            typed, end = self._typed_register(start)
            if end == at + 3 and isinstance(typed, Typed):
                self._typed[key] = typed
            return typed, end
        if kind == Extended.LITERAL:
            index, end = self._unsigned(start, "the index of a literal")
            return _entry(self._tables.literals, index, start, "literal"), end
        if kind == Extended.FLOAT_REGISTER:
            number, end = self._unsigned(start, "the number of a float register")
            return FloatRegister(_register(number, start)), end
        if kind == Extended.ALLOCATION:
            return self._allocation(start)
        raise DecodeError(at, "a list where none can be" if kind == Extended.LIST else f"an extended operand {kind}")

    def _typed_register(self, at: int) -> tuple[Typed | X | Y, int]:
        tag, number, start = compact.decode(self._data, at)
        register = self._of_tag(tag, number, at)
        if not isinstance(register, (X, Y)):
            raise DecodeError(at, f"a register with a type expected, not tag {compact.tag_letter(tag)}")
        index, end = self._unsigned(start, "the index of a type")
        if self._tables.types is None:
            return register, end
        return Typed(register, _entry(self._tables.types, index, start, "type")), end

    def _allocation(self, at: int) -> tuple[Allocation, int]:
        count, at = self._unsigned(at, "a count of kinds to allocate")
        if count > 3:
            raise DecodeError(at, f"at most 3 kinds to allocate expected, not {count}")
        sizes = [0, 0, 0]
        for _ in range(count):
            kind, end = self._unsigned(at, "a kind to allocate")
            if kind >= len(sizes):
                raise DecodeError(at, f"a kind to allocate of 0..2 expected, not {kind}")
            size, at = self._unsigned(end, "a count to allocate")
            sizes[kind] += size
        return Allocation(*sizes), at

    def _list(self, at: int) -> tuple[tuple[Simple, ...], int]:
        count, at = self._unsigned(at, "the size of a list")
        if count > len(self._data) - at:
            raise DecodeError(at, f"{count} operands of a list expected, {len(self._data) - at} bytes are left")
        data, one_byte = self._data, self._one_byte
        elements: list[Simple] = []
        for _ in range(count):
            element = one_byte[data[at]]
            if element is not None:
                at += 1
            else:
                element, at = self._simple(at)
            elements.append(element)
        return tuple(elements), at

    def _unsigned(self, at: int, what: str) -> tuple[int, int]:
        tag, number, end = compact.decode(self._data, at)
        if tag != Tag.UNSIGNED:
            raise DecodeError(at, f"{what} expected (tag u), not tag {compact.tag_letter(tag)}")
        return number, end

    def _resolve(self, shape: Shape, operands: list[Operand], start: int) -> None:
        """Put in the place of numbers what they refer to."""
        tables = self._tables
        for index, role in shape.resolved:
            if role is Role.COMMAND:
                _check_commands(operands[-1], start)
            elif role is Role.SEGMENT:
                operands[-1] = self._segments(operands[-1], start)
            else:
                number = operands[index]
                if not isinstance(number, int):
                    continue
                if role is Role.IMPORT:
                    operands[index] = _entry(tables.imports, number, start, "import")
                elif role is Role.STRING:
                    size = operands[index - 1]
                    bits = shape.plain[index - 1] is Role.BITS
                    operands[index] = self._string(number, size, bits, start)
                elif role is not Role.LINE:
                    operands[index] = _entry(tables.lambdas, number, start, "fun")
                elif tables.locations is not None:
                    operands[index] = _entry(tables.locations, number, start, "location")

    def _string(self, offset: int, size: Operand, bits: bool, start: int) -> String:
        if isinstance(size, Integer):
            size = size.value
        strings = self._tables.strings
        if not isinstance(size, int):
            raise DecodeError(start, f"the size of a string expected, not {operand_text(size):.100}")
        if bits:
            size = (size + 7) // 8
        if not 0 <= size <= len(strings) - offset:
            raise DecodeError(start, f"{size} bytes of a string expected at {offset} of {len(strings)}")
        try:
            self._chunk.room.take(size)
        except ValueError as error:
            raise DecodeError(start, f"a string of {size} bytes: {error}") from None
        return String(offset, strings[offset : offset + size])

    def _segments(self, segments: Operand, start: int) -> Operand:
        """The segments of bs_create_bin: type, number, unit, flags, value, size; a string's value is its offset."""
        if not isinstance(segments, tuple):
            return segments
        resolved = list(segments)
        for index in range(0, len(segments) - 5, 6):
            offset = segments[index + 4]
            if segments[index] == Atom("string") and isinstance(offset, int):
                resolved[index + 4] = self._string(offset, segments[index + 5], False, start)
        return tuple(resolved)

    def _error(self, at: int, what: str, start: int, before: Sequence[Operation]) -> BeamError:
        opcode = OPCODES.get(self._data[start]) if start < len(self._data) else None
        place = _place(before) + (f" ({opcode.name})" if opcode else "")
        return self._chunk.error(at, what, operation=place)


def _unknown(number: int) -> str:
    if number in OPCODES:
        return f"{OPCODES[number].name}, which no release from OTP 25 on takes"
    return f"opcode {number}, which no release known here has"


def _place(before: Sequence[Operation]) -> str:
    """Which operation comes after *before*, in words."""
    for count, operation in enumerate(reversed(before), 1):
        if operation.opcode is _FUNC_INFO:
            module, function, arity = operation.operands
            if isinstance(module, Atom) and isinstance(function, Atom):
                return f"operation {count} of {module.name}:{function.name}/{arity}"
    return f"operation {len(before)}"


def _entry(table: Sequence[_T], index: int, at: int, what: str) -> _T:
    if not 0 <= index < len(table):
        raise DecodeError(at, f"{what} {index}, but there are {len(table)}")
    return table[index]


def _register(number: int, at: int) -> int:
    if number > MAX_REGISTER:
        raise DecodeError(at, f"a register of 0..{MAX_REGISTER} expected, not {number}")
    return number


def _check_commands(commands: Operand, start: int) -> None:
    try:
        match_commands(commands)
    except ValueError as error:
        raise DecodeError(start, str(error)) from None
