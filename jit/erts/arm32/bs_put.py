"""Writing the segments of a binary under construction, after its size is known and it is allocated.

Integers of few bits that fill whole bytes together are written here. Everything else is the VM's functions' affair,
for which erl_bits_state (erl_bits.h) tells where the binary and the next bit are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jit.arm32.assembler import Assembler
from jit.arm32.conditions import EQ, NE
from jit.arm32.operands import at, lsr
from jit.arm32.registers import R0, R1, R2, R3, R12
from jit.beam.operands import Integer
from jit.codegen.processor import Label
from jit.erts.arm32.bs_context import load_address, multiply
from jit.erts.arm32.bs_segments import Segment
from jit.erts.arm32.bs_state import BIN_OFFSET, CURRENT_BIN, of_state, of_state_and_process
from jit.erts.arm32.conventions import FCALLS, REGISTERS, SMALLS
from jit.erts.arm32.emission import Emission
from jit.erts.arm32.fragments import FragmentEmitter, Fragments, fragment, of_process
from jit.erts.arm32.small_integers import check_small
from jit.erts.layout import NativeLayout
from jit.otp import tags, vm_flags
from jit.otp.features import STATES_OF_BITS

#: Bits that are written at once.
_MOST_BITS: Final = 32
#: Offsets in bytes up to here fit into any store, with some bytes more.
_FAR: Final = 240


class Writer:
    """``offset`` of the next bit if it is known. ``is_stored``: erl_bits_state has it; if it is not known, always.

    If something fails, control goes to ``failure``.
    """

    def __init__(self, e: Emission, failure: Label) -> None:
        self.e = e
        self.failure = failure
        self.offset: int | None = None
        self.is_stored = True

    def write(self, parts: Sequence[Segment]) -> None:
        """Write all segments."""
        rest = list(parts)
        while rest:
            together = self._together(rest)
            if together:
                self._write_word(together)
            else:
                self._call(rest[0])
            del rest[: len(together) or 1]

    def _together(self, parts: Sequence[Segment]) -> Sequence[Segment]:
        """The first segments, as far as they are written at once: whole bytes, up to a word."""
        best = total = 0
        if self.offset is not None and self.offset % 8:
            return ()
        if _is_little(parts[0]):
            return parts[:1] if parts[0].bits in (16, 32) else ()
        for count, part in enumerate(parts, 1):
            if part.kind not in ("integer", "string") or not part.bits or _is_little(part):
                break
            total += part.bits
            if total > _MOST_BITS:
                break
            if total % 8 == 0:
                best = count
        return parts[:best]

    # A word or less

    def _write_word(self, parts: Sequence[Segment]) -> None:
        """Small integers. If one of them is none, or the next bit begins no byte, all is done by the VM's functions."""
        e, slow, done = self.e, Label(), Label()
        bits = sum(part.bits or 0 for part in parts)
        begin = bits
        for part in parts:
            begin -= part.bits or 0
            self._load_field(part, begin, bits, slow)
        place = self._load_place(bits, slow)
        _STORE[bits // 8](e.a, place, _is_little(parts[0]))
        e.a.bind(done)
        here, was_stored = self.offset, self.is_stored
        if here is not None:
            self.offset, self.is_stored = here + bits, False

        def cold() -> None:
            e.a.bind(slow)
            by_functions = Writer(e, self.failure)
            by_functions.offset, by_functions.is_stored = here, was_stored
            for part in parts:
                by_functions._call(part)
            e.a.b(done)

        e.cold(cold)

    def _load_field(self, part: Segment, begin: int, bits: int, slow: Label) -> None:
        """Put a field into r3, from bit *begin* on, of *bits* in all."""
        e, size = self.e, part.bits or 0
        target = R3 if size == bits else R0
        constant = _constant(part)
        if constant is not None:
            e.a.mov_constant(target, constant & (1 << size) - 1)
        else:
            register = e.value(part.source, R0)
            if not SMALLS.have_all(e.type(part.source)):
                check_small(e.a, register, R1, slow)
            e.a.asr(target, register, tags.IMMED1_BITS)
        if target is R0:
            e.a.insert(R3, R0, begin, size)

    def _load_place(self, bits: int, slow: Label) -> int:
        """The word goes to r2 + what this gives. Where it is not known, the next bit is now behind it."""
        e, layout = self.e, self.e.shared.layout
        e.a.ldr(R2, at(REGISTERS, layout[CURRENT_BIN]))
        if self.offset is not None:
            if self.offset // 8 <= _FAR:
                return self.offset // 8
            e.a.add_constant(R2, R2, self.offset // 8)
            return 0
        e.a.ldr(R12, at(REGISTERS, layout[BIN_OFFSET]))
        e.a.tst(R12, 7)
        e.a.b(slow, NE)
        e.a.add(R2, R2, lsr(R12, 3))
        e.a.add(R12, R12, bits)
        e.a.str(R12, at(REGISTERS, layout[BIN_OFFSET]))
        return 0

    # The VM's functions

    def _call(self, part: Segment) -> None:
        """Write one segment."""
        e = self.e
        if not self.is_stored and self.offset is not None:
            e.a.mov_constant(R0, self.offset)
            e.a.str(R0, at(REGISTERS, e.shared.layout[BIN_OFFSET]))
        if part.kind == "string":
            load_address(e, R1, part.data)
            e.a.mov_constant(R2, len(part.data))
        else:
            e.load(part.source, R1)
            self._load_size(part)
        e.a.mov_constant(R3, part.flags)
        e.call(f"bs_put_{_written_as(part)}")
        if part.kind != "string":
            e.a.cmp(R0, 0)
            e.a.b(self.failure, NE if part.kind == "float" else EQ)
        self.is_stored = True
        self.offset = None if self.offset is None or part.bits is None else self.offset + part.bits

    def _load_size(self, part: Segment) -> None:
        """r2 = what the function wants behind the source: bits, a unit or flags. A size is known to be a small one."""
        e = self.e
        if part.is_all:
            e.a.mov_constant(R2, part.unit)
        elif part.kind == "utf16":
            e.a.mov_constant(R2, part.flags)
        elif part.bits is not None:
            e.a.mov_constant(R2, part.bits)
        elif part.kind != "utf8":
            e.load(part.size, R2)
            e.a.asr(R2, R2, tags.IMMED1_BITS)
            multiply(e.a, R2, part.unit)


def _is_little(part: Segment) -> bool:
    """Whether it matters that the segment is little-endian."""
    return part.kind == "integer" and bool(part.flags & vm_flags.BSF_LITTLE) and part.bits != 8


def _constant(part: Segment) -> int | None:
    """The value of a constant segment, if it is an integer or a string."""
    if part.kind == "string":
        return int.from_bytes(part.data, "big")
    return part.source.value if isinstance(part.source, Integer) else None


def _store_1(a: Assembler, place: int, _little: bool) -> None:
    a.strb(R3, at(R2, place))


def _store_2(a: Assembler, place: int, little: bool) -> None:
    if not little:
        a.rev16(R3, R3)
    a.strh(R3, at(R2, place))


def _store_3(a: Assembler, place: int, _little: bool) -> None:
    a.lsr(R12, R3, 16)
    a.strb(R12, at(R2, place))
    _store_2(a, place + 1, False)


def _store_4(a: Assembler, place: int, little: bool) -> None:
    if not little:
        a.rev(R3, R3)
    a.str(R3, at(R2, place))


#: By count of bytes: those of r3 go to r2 + place. ARMv6 and later ones store them at any address.
_STORE: Final = {1: _store_1, 2: _store_2, 3: _store_3, 4: _store_4}


def _written_as(part: Segment) -> str:
    """What follows ``bs_put_`` in the name of the fragment that writes a segment."""
    if part.kind in ("integer", "utf32"):
        return "little" if part.flags & vm_flags.BSF_LITTLE else "integer"
    return "binary_all" if part.is_all else part.kind


def _by_release(name: str, before: FragmentEmitter, since: FragmentEmitter) -> None:
    """Declare a fragment that calls another function since these are told where erl_bits_state is."""

    def put(a: Assembler, layout: NativeLayout, fragments: Fragments) -> None:
        (since if STATES_OF_BITS.of(layout.otp) else before)(a, layout, fragments)

    fragment(name, apart=True)(put)


# Each gives 0 if it fails, but that for floats, which then gives something else, and that for strings. Those of the
# process may count reductions.
for _name in ("binary", "binary_all", "float"):
    _by_release(
        f"bs_put_{_name}",
        of_process(f"erts_new_bs_put_{_name}", FCALLS),
        of_state_and_process(f"erts_bs_put_{_name}", FCALLS),
    )
_by_release("bs_put_integer", of_state("erts_new_bs_put_integer"), of_state("erts_bs_put_integer_be"))
_by_release("bs_put_little", of_state("erts_new_bs_put_integer"), of_state("erts_bs_put_integer_le"))
_by_release("bs_put_string", of_state("erts_new_bs_put_string"), of_state("erts_bs_put_string"))
fragment("bs_put_utf8", apart=True)(of_state("erts_bs_put_utf8"))
fragment("bs_put_utf16", apart=True)(of_state("erts_bs_put_utf16"))
