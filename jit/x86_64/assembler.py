"""The assembler: instructions of 64 bits, and of 32 where that is asked for, which clear the upper half."""

from __future__ import annotations

import struct
from functools import lru_cache, partial
from typing import Final

from jit.codegen.code_buffer import LEFT, CodeBuffer, Does
from jit.codegen.processor import Called, Jumped, Label, OperandError, RegisterLoaded, RegisterSaved, StackMoved
from jit.x86_64.operands import RAX, RBP, RSP, Condition, Memory, Register

_WORD: Final = 8
_BYTE: Final = range(-0x80, 0x80)
_INT32: Final = range(-0x8000_0000, 0x8000_0000)
_UINT32: Final = range(0x1_0000_0000)

#: Groups of the manual's A.4, by what their second byte holds.
_ADD, _OR, _AND, _SUB, _XOR, _CMP = 0, 1, 4, 5, 6, 7
_SHL, _SHR, _SAR = 4, 5, 7
#: What is filled in later.
_LATER: Final = bytes(4)
_SCALES: Final = {1: 0, 2: 1, 4: 2, 8: 3}


class Assembler(CodeBuffer):
    """Each method appends the instruction of its name (``and_`` is and); ``finish`` gives the code.

    A method raises OperandError, and appends nothing, for operands that its instruction cannot have.
    """

    # Moves

    def move(self, into: Register, source: Register) -> None:
        """A register = another one; nothing if they are the same."""
        if into is not source:
            self.mov(into, source)

    def mov(self, into: Register, source: Register | Memory, *, wide: bool = True) -> None:
        """A register = a register or memory."""
        if isinstance(source, Register):
            self._emit(_encoded(b"\x89", source.code, into, wide=wide))
        else:
            self._emit(_encoded(b"\x8b", into.code, source, wide=wide))

    def store(self, into: Memory, source: Register) -> None:
        """Memory = a register: mov."""
        self._emit(_encoded(b"\x89", source.code, into))

    def constant(self, into: Register, value: int) -> None:
        """A register = a number, signed or unsigned: mov; without change of flags."""
        if value in _UINT32:
            self._emit(_prefixed(0xB8, into, struct.pack("<I", value)))
        elif value in _INT32:
            self._emit(_encoded(b"\xc7", 0, into, struct.pack("<i", value)))
        elif -(1 << 63) <= value < 1 << 64:
            self._emit(_prefixed(0xB8, into, struct.pack("<Q", value & (1 << 64) - 1), wide=True))
        else:
            raise OperandError(f"mov: {value} does not fit 64 bits")

    def offset_of(self, into: Register, label: Label, shift: int = 0) -> None:
        """A register = the offset of *label* from the beginning of the code, shifted left: mov.

        Raises OperandError, later if the label is not bound yet, for what does not fit 31 bits.
        """

        def fill(_word: int, offset: int) -> int:
            if offset << shift not in _INT32:
                raise OperandError(f"mov: the offset {offset} does not fit")
            return offset << shift

        self._emit_referring(_prefixed(0xB8, into, _LATER), label, 0, fill)

    def lea(self, into: Register, place: Memory | Label, *, wide: bool = True) -> None:
        """A register = an address, or 32 bits of a sum."""
        if isinstance(place, Memory):
            self._emit(_encoded(b"\x8d", into.code, place, wide=wide))
        else:
            rex = 0x48 | into.code >> 3 << 2
            self._emit_far(bytes((rex, 0x8D, (into.code & 7) << 3 | 5)), place)

    def movsxd(self, into: Register, source: Register) -> None:
        """A register = the lower half of one, with its sign."""
        self._emit(_encoded(b"\x63", into.code, source))

    def movzx(self, into: Register, source: Register) -> None:
        """A register = the lowest byte of one: movzx with a destination of 32 bits."""
        self._emit(_encoded(b"\x0f\xb6", into.code, source, wide=False, byte=source.code))

    # Arithmetic

    def add(self, into: Register, source: Register | Memory | int, *, wide: bool = True) -> None:
        """A register += a register, memory, or a number of 32 bits with sign."""
        self._arithmetic(_ADD, into, source, wide)

    def or_(self, into: Register, source: Register | Memory | int, *, wide: bool = True) -> None:
        """The same of bits that one of them has."""
        self._arithmetic(_OR, into, source, wide)

    def and_(self, into: Register, source: Register | Memory | int, *, wide: bool = True) -> None:
        """Bits that both have."""
        self._arithmetic(_AND, into, source, wide)

    def sub(self, into: Register, source: Register | Memory | int, *, wide: bool = True) -> None:
        """The difference."""
        self._arithmetic(_SUB, into, source, wide)

    def xor(self, into: Register, source: Register | Memory | int, *, wide: bool = True) -> None:
        """Bits that only one of them has."""
        self._arithmetic(_XOR, into, source, wide)

    def cmp(self, one: Register, other: Register | Memory | int, *, wide: bool = True) -> None:
        """Flags of a difference."""
        self._arithmetic(_CMP, one, other, wide)

    def cmp_memory(self, one: Memory, other: int) -> None:
        """Flags of the difference of a word of memory and a number: cmp."""
        self._emit(_with_immediate(_CMP, one, other, wide=True))

    def _arithmetic(self, operation: int, into: Register, source: Register | Memory | int, wide: bool) -> None:
        events: list[Does] = []
        if into is RSP and operation != _CMP:
            if not isinstance(source, int) or operation not in (_ADD, _SUB):
                raise OperandError("rsp is moved by numbers alone")
            events.append(_moved(source if operation == _SUB else -source))
        if isinstance(source, int):
            code = _with_immediate(operation, into, source, wide=wide)
        elif isinstance(source, Memory):
            code = _encoded(bytes((operation << 3 | 3,)), into.code, source, wide=wide)
        else:
            code = _encoded(bytes((operation << 3 | 1,)), source.code, into, wide=wide)
        self._emit(code, *events)

    def test(self, one: Register, other: Register) -> None:
        """Flags of the bits that both have."""
        self._emit(_encoded(b"\x85", other.code, one))

    def test_bits(self, one: Register, mask: int) -> None:
        """Flags of the bits that a register and an unsigned number of 32 bits have: test of a byte, or of 32 bits."""
        if mask not in _UINT32:
            raise OperandError(f"test: {mask} does not fit 32 bits")
        byte = mask < 0x100
        number = struct.pack("<B" if byte else "<I", mask)
        if one is RAX:
            self._emit((b"\xa8" if byte else b"\xa9") + number)
        else:
            opcode = b"\xf6" if byte else b"\xf7"
            self._emit(_encoded(opcode, 0, one, number, wide=False, byte=one.code if byte else -1))

    def imul(self, into: Register, one: Register, by: int | None = None) -> None:
        """A register *= a register; or it = a register * a number of 32 bits with sign. Overflow is told by a flag."""
        if by is None:
            self._emit(_encoded(b"\x0f\xaf", into.code, one))
        elif by in _BYTE:
            self._emit(_encoded(b"\x6b", into.code, one, struct.pack("<b", by)))
        else:
            self._emit(_encoded(b"\x69", into.code, one, _int32("imul", by)))

    def neg(self, one: Register) -> None:
        """A register = 0 - it."""
        self._emit(_encoded(b"\xf7", 3, one))

    def dec32(self, one: Memory) -> None:
        """32 bits of memory -= 1."""
        self._emit(_encoded(b"\xff", 1, one, wide=False))

    def shl(self, one: Register, by: int) -> None:
        """A register's bits moved up."""
        self._shift(_SHL, one, by)

    def shr(self, one: Register, by: int) -> None:
        """Moved down, with zeros coming in."""
        self._shift(_SHR, one, by)

    def sar(self, one: Register, by: int) -> None:
        """Moved down, with the sign coming in."""
        self._shift(_SAR, one, by)

    def _shift(self, operation: int, one: Register, by: int) -> None:
        if by not in range(64):
            raise OperandError(f"a shift by {by}")
        if by == 1:
            self._emit(_encoded(b"\xd1", operation, one))
        else:
            self._emit(_encoded(b"\xc1", operation, one, bytes((by,))))

    # The stack

    def push(self, *registers: Register) -> None:
        """One after the other."""
        for one in registers:
            saved = partial(RegisterSaved, register=one.number, place=0)
            self._emit(_prefixed(0x50, one), _moved(_WORD), saved)

    def pop(self, *registers: Register) -> None:
        """One after the other."""
        for one in registers:
            loaded = partial(RegisterLoaded, register=one.number, place=0)
            self._emit(_prefixed(0x58, one), loaded, _moved(-_WORD))

    # Branches

    def jump(self, target: Label) -> None:
        """Go on at *target*: jmp, short where that is known to be near already."""
        self.branches += 1
        self._branch(b"\xeb", b"\xe9", target, partial(Jumped, target=target, always=True))

    def jump_if(self, condition: Condition, target: Label) -> None:
        """Go on at *target* if flags tell so: jcc."""
        self.branches += 1
        short, near = bytes((0x70 | condition.value,)), bytes((0x0F, 0x80 | condition.value))
        self._branch(short, near, target, partial(Jumped, target=target, always=False))

    def _branch(self, short: bytes, near: bytes, target: Label, does: Does) -> None:
        if target.offset is not None and (distance := target.offset - self.offset - len(short) - 1) in _BYTE:
            self._emit(short + struct.pack("<b", distance), does)
        else:
            self._emit_far(near, target, does)

    def jump_to(self, place: Register) -> None:
        """Go on at the address in a register: jmp."""
        self.branches += 1
        self._emit(_encoded(b"\xff", 4, place, wide=False), LEFT)

    def call(self, target: Label | Register | Memory) -> None:
        """Call a label, or the address in a register or in memory."""
        self.branches += 1
        if isinstance(target, Label):
            self._emit_far(b"\xe8", target, partial(Called, target=target))
        else:
            self._emit(_encoded(b"\xff", 2, target, wide=False), partial(Called, target=None))

    def ret(self) -> None:
        """Return."""
        self._emit(b"\xc3", LEFT)

    def ud2(self) -> None:
        """What is never run."""
        self._emit(b"\x0f\x0b", LEFT)

    def int3(self) -> None:
        """A byte that is never run."""
        self._emit(b"\xcc")

    def _emit_far(self, code: bytes, label: Label, *does: Does) -> None:
        """An instruction that ends with the distance from its end to *label*."""
        end = len(self._data) + len(code) + len(_LATER)
        if label.offset is not None:
            self._emit(code + struct.pack("<i", label.offset - end), *does)
        else:
            self._emit_referring(code + _LATER, label, end, _distance, *does)


def _distance(_word: int, distance: int) -> int:
    return distance


def _moved(size: int) -> Does:
    return partial(StackMoved, size=size)


def _int32(mnemonic: str, value: int) -> bytes:
    if value not in _INT32:
        raise OperandError(f"{mnemonic}: {value} does not fit 32 bits")
    return struct.pack("<i", value)


def _prefixed(opcode: int, register: Register, immediate: bytes = b"", *, wide: bool = False) -> bytes:
    """An instruction whose opcode holds the register."""
    rex = 0x48 * wide | 0x40 * (register.code > 7) | register.code >> 3
    return bytes((rex, opcode | register.code & 7) if rex else (opcode | register.code & 7,)) + immediate


@lru_cache(maxsize=4096)  # code has the same few instructions over and over
def _encoded(
    opcode: bytes, field: int, operand: Register | Memory, immediate: bytes = b"", *, wide: bool = True, byte: int = -1
) -> bytes:
    """An instruction with a ModR/M byte (the manual's 2.1.3), which has a *field* beside the operand.

    *byte* is a register of which the lowest byte is meant, by its code.
    """
    rex = 0x48 if wide else 0x40 if byte >= 4 else 0
    rex |= (field > 7) * 0x44
    if isinstance(operand, Register):
        rex |= (operand.code > 7) * 0x41
        place = bytes((0xC0 | (field & 7) << 3 | operand.code & 7,))
    else:
        base, index = operand.base, operand.index
        rex |= (base.code > 7) * 0x41 | (index is not None and index.code > 7) * 0x42
        place = _memory(operand, (field & 7) << 3)
    return (bytes((rex,)) if rex else b"") + opcode + place + immediate


def _memory(operand: Memory, field: int) -> bytes:
    """ModR/M, SIB and displacement; rbp and r13 as a base always have a displacement, rsp and r12 a SIB byte."""
    base, displacement = operand.base.code & 7, operand.displacement
    if not displacement and base != RBP.code:
        mode, tail = 0x00, b""
    elif displacement in _BYTE:
        mode, tail = 0x40, struct.pack("<b", displacement)
    else:
        mode, tail = 0x80, _int32("memory", displacement)
    if operand.index is None:
        if base != RSP.code:
            return bytes((mode | field | base,)) + tail
        return bytes((mode | field | RSP.code, RSP.code << 3 | base)) + tail
    if operand.index is RSP or operand.scale not in _SCALES:
        raise OperandError(f"memory: an index {operand.index} * {operand.scale}")
    return bytes((mode | field | RSP.code, _SCALES[operand.scale] << 6 | (operand.index.code & 7) << 3 | base)) + tail


def _with_immediate(operation: int, operand: Register | Memory, value: int, *, wide: bool) -> bytes:
    """An operation of A.4's first group; the accumulator has a form of its own."""
    if value in _BYTE:
        return _encoded(b"\x83", operation, operand, struct.pack("<b", value), wide=wide)
    number = _int32("immediate", value)
    if operand is RAX:
        return (b"\x48" if wide else b"") + bytes((operation << 3 | 5,)) + number
    return _encoded(b"\x81", operation, operand, number, wide=wide)
