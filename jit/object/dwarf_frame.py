"""Call frame information for .debug_frame (DWARF 5, 6.4 and 7.24)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jit.object.dwarf_constants import CIE_ID, CIE_VERSION, DW_CFA
from jit.object.dwarf_ranges import Range
from jit.object.leb128 import sleb128, uleb128
from jit.object.target import Target

_LOW_SIX_BITS = 0x3F


@dataclass(frozen=True)
class Cie:
    """What frame descriptions share. ``offset`` is the entry's place in .debug_frame."""

    offset: int
    code_alignment: int
    data_alignment: int
    target: Target

    def program(self) -> CfaProgram:
        """An empty program of call frame instructions for an entry of this CIE."""
        return CfaProgram(self.target, self.code_alignment, self.data_alignment)


class CfaProgram:
    """Call frame instructions, appended one by one; methods return the program, so calls can be chained.

    Registers are DWARF register numbers. Offsets and advances are in bytes, and are divided by the alignment factors
    as they are written; ValueError when that leaves a rest.
    """

    def __init__(self, target: Target, code_alignment: int, data_alignment: int) -> None:
        self.target = target
        self.code_alignment = code_alignment
        self.data_alignment = data_alignment
        self._code = bytearray()

    def to_bytes(self) -> bytes:
        """The instructions, without padding."""
        return bytes(self._code)

    def advance(self, size: int) -> CfaProgram:
        """What follows holds from *size* bytes of code further on."""
        units = _factored(size, self.code_alignment)
        if units < 0:
            raise ValueError(f"call frame rules cannot go back by {-size} bytes")
        if units == 0:
            return self
        if units <= _LOW_SIX_BITS:
            return self._put(bytes((DW_CFA.advance_loc | units,)))
        if units <= 0xFF:
            return self._put(bytes((DW_CFA.advance_loc1, units)))
        if units <= 0xFFFF:
            return self._put(bytes((DW_CFA.advance_loc2,)), self.target.pack("H", units))
        return self._put(bytes((DW_CFA.advance_loc4,)), self.target.pack("I", units))

    def def_cfa(self, register: int, offset: int) -> CfaProgram:
        """The CFA is *register* + *offset*."""
        if offset >= 0:
            return self._put(bytes((DW_CFA.def_cfa,)), uleb128(register), uleb128(offset))
        return self._put(bytes((DW_CFA.def_cfa_sf,)), uleb128(register), self._data_units(offset))

    def def_cfa_register(self, register: int) -> CfaProgram:
        """The CFA's register changes, its offset stays."""
        return self._put(bytes((DW_CFA.def_cfa_register,)), uleb128(register))

    def def_cfa_offset(self, offset: int) -> CfaProgram:
        """The CFA's offset changes, its register stays."""
        if offset >= 0:
            return self._put(bytes((DW_CFA.def_cfa_offset,)), uleb128(offset))
        return self._put(bytes((DW_CFA.def_cfa_offset_sf,)), self._data_units(offset))

    def def_cfa_expression(self, expression: bytes) -> CfaProgram:
        """The CFA is what *expression* computes."""
        return self._put(bytes((DW_CFA.def_cfa_expression,)), uleb128(len(expression)), expression)

    def offset(self, register: int, offset: int) -> CfaProgram:
        """The caller's *register* is saved at CFA + *offset*."""
        units = _factored(offset, self.data_alignment)
        if units < 0:
            return self._put(bytes((DW_CFA.offset_extended_sf,)), uleb128(register), sleb128(units))
        if register <= _LOW_SIX_BITS:
            return self._put(bytes((DW_CFA.offset | register,)), uleb128(units))
        return self._put(bytes((DW_CFA.offset_extended,)), uleb128(register), uleb128(units))

    def val_offset(self, register: int, offset: int) -> CfaProgram:
        """The caller's *register* had the value CFA + *offset*."""
        units = _factored(offset, self.data_alignment)
        if units < 0:
            return self._put(bytes((DW_CFA.val_offset_sf,)), uleb128(register), sleb128(units))
        return self._put(bytes((DW_CFA.val_offset,)), uleb128(register), uleb128(units))

    def register(self, register: int, source: int) -> CfaProgram:
        """The caller's *register* is in register *source*."""
        return self._put(bytes((DW_CFA.register,)), uleb128(register), uleb128(source))

    def expression(self, register: int, expression: bytes) -> CfaProgram:
        """The caller's *register* is saved at the address *expression* computes, the CFA being on its stack."""
        return self._put(bytes((DW_CFA.expression,)), uleb128(register), uleb128(len(expression)), expression)

    def val_expression(self, register: int, expression: bytes) -> CfaProgram:
        """The caller's *register* had the value *expression* computes, the CFA being on its stack."""
        return self._put(bytes((DW_CFA.val_expression,)), uleb128(register), uleb128(len(expression)), expression)

    def undefined(self, register: int) -> CfaProgram:
        """The caller's *register* is lost. For the return address: this frame is the outermost."""
        return self._put(bytes((DW_CFA.undefined,)), uleb128(register))

    def same_value(self, register: int) -> CfaProgram:
        """The caller's *register* has not been changed."""
        return self._put(bytes((DW_CFA.same_value,)), uleb128(register))

    def restore(self, register: int) -> CfaProgram:
        """The rule of *register* is again the one of the CIE."""
        if register <= _LOW_SIX_BITS:
            return self._put(bytes((DW_CFA.restore | register,)))
        return self._put(bytes((DW_CFA.restore_extended,)), uleb128(register))

    def remember_state(self) -> CfaProgram:
        """Push all rules."""
        return self._put(bytes((DW_CFA.remember_state,)))

    def restore_state(self) -> CfaProgram:
        """Pop all rules."""
        return self._put(bytes((DW_CFA.restore_state,)))

    def _data_units(self, offset: int) -> bytes:
        return sleb128(_factored(offset, self.data_alignment))

    def _put(self, *parts: bytes) -> CfaProgram:
        self._code += b"".join(parts)
        return self


def _factored(size: int, factor: int) -> int:
    units, rest = divmod(size, factor)
    if rest:
        raise ValueError(f"{size} bytes is not a multiple of the alignment factor {factor}")
    return units


class FrameSection:
    """The .debug_frame section: CIEs and the FDEs that refer to them.

    ``address_offsets`` are the places of addresses in it.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.address_offsets: list[int] = []
        self._entries: list[bytes] = []
        self._size = 0

    def add_cie(
        self, return_register: int, *, code_alignment: int = 1, data_alignment: int, initial: CfaProgram | None = None
    ) -> Cie:
        """Append a CIE, whose initial rules are *initial* (made with ``CfaProgram`` and the same alignments)."""
        target = self.target
        factors = uleb128(code_alignment) + sleb128(data_alignment) + uleb128(return_register)
        head = target.pack("IBBBB", CIE_ID, CIE_VERSION, 0, target.address_size, 0)
        offset = self._append(head + factors + (initial.to_bytes() if initial else b""))
        return Cie(offset, code_alignment, data_alignment, target)

    def add_fdes(self, cie: Cie, ranges: Iterable[Range], program: CfaProgram | None = None) -> None:
        """Append an FDE for each range, all with the same rules (by default the CIE's alone)."""
        code = program.to_bytes() if program else b""
        pack = self.target.pack
        for start, size in ranges:
            offset = self._append(pack("IWW", cie.offset, start, size) + code)
            self.address_offsets.append(offset + 8)  # after the length and the CIE's offset

    def _append(self, body: bytes) -> int:
        offset = self._size
        # Padded with DW_CFA_nop so that the next entry is aligned to the address size (6.4.1).
        padded = body + bytes(-(len(body) + 4) % self.target.address_size)
        entry = self.target.pack("I", len(padded)) + padded
        self._entries.append(entry)
        self._size += len(entry)
        return offset

    def to_bytes(self) -> bytes:
        """The section's content."""
        return b"".join(self._entries)
