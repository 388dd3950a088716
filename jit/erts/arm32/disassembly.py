"""Native code as text, and what the operands of its instructions mean: the comments of a listing.

It reads instructions as jit.arm32.text writes them, and knows what the code generator lets registers hold
(conventions.py). Where a constant might mean something else, it says nothing.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from jit.arm32.processor import ARM32
from jit.arm32.text import listing
from jit.beam.operands import Integer
from jit.beam.operations import Operation
from jit.codegen.disassembly import Instruction, Part
from jit.erts.arm32 import conventions
from jit.erts.arm32.emission import immediate
from jit.erts.arm32.names import Symbols, continuation_places, places
from jit.erts.arm32.native import MixedNative
from jit.erts.layout import NativeLayout
from jit.otp import tags

_MEMORY: Final = re.compile(r"\[(\w+)(?:, #(-?\d+))?\]")
_WITH_CONSTANT: Final = re.compile(r"(\w+) (\w+), #(\d+)")
_MASKED: Final = re.compile(r"and\w* (\w+), \w+, #(\d+)")
_TESTED: Final = re.compile(r"tst\w* \w+, #(\d+)")
#: Bits of words of terms that are clear in pointers alone, to lists or to anything else.
_TAG_BITS: Final = {"1": "boxed?", "2": "cons?"}
#: By how much pc is ahead of an instruction of A32 (Arm Architecture Reference Manual ARMv7-A, A2.3).
_PC_AHEAD: Final = 8
_DOUBLE: Final = 8
_ALL: Final = 0xFFFF_FFFF
_LARGE: Final = 0x10000
_TUPLES: Final = ("put_tuple2", "test_arity", "is_tagged_tuple", "select_tuple_arity")


class StockDisassembly:
    """See ``Disassembly`` in jit/codegen/disassembly.py."""

    def __init__(self, native: MixedNative) -> None:
        self._native = native
        self.names = places(native)
        named = replace(native.code, symbols={name: offset for offset, name in self.names.items()})
        self.code = [Instruction(offset, f"{word:08x}", text) for offset, word, text in listing(named)]
        self.parts = [Part("ways in from the interpreter", *native.ways_in)]
        layout = native.layout
        self.about = (
            f"{ARM32.name}, for erts {layout.erts} (Erlang/OTP {layout.otp})",
            "r4 scheduler's registers, r5 process, r6 E, r7 HTOP, r8 FCALLS, r9 handler of call_nif",
        )
        self._symbols = Symbols(native)
        self._relocations = {relocation.offset: relocation for relocation in native.code.relocations}
        self._fields = {
            conventions.PROCESS.name: _field_names(native.layout, "Process"),
            conventions.REGISTERS.name: _register_names(native.layout),
        }
        self._tags = _tags(native.layout)

    def returns(self, function: int) -> Sequence[tuple[int, str]]:
        """Where interpreted callees return to."""
        one = next(one for one in self._native.functions if one.function.entry == function)
        return [(place, f"continuation {label}") for label, place in continuation_places(one)]

    def comments(self, code: Sequence[Instruction], operation: Operation | None) -> Iterator[str]:
        """A comment on each instruction, or nothing, of the code of an operation, or of what belongs to none."""
        terms = _terms(operation)
        for index, one in enumerate(code):
            if one.text.startswith(".word"):
                yield self._literal(one.offset) if one.offset in self._relocations else ""
                continue
            before = code[index - 1].text if index else ""
            after = code[index + 1].text if index + 1 < len(code) else ""
            if operation and (tested := _TESTED.fullmatch(one.text)):
                yield _TAG_BITS.get(tested[1], "")
            else:
                yield self._place(one) or self._constant(before, one.text, after, terms)

    def _place(self, one: Instruction) -> str:
        """What an instruction loads or stores."""
        found = _MEMORY.search(one.text)
        if not found:
            return ""
        base, offset = found[1], int(found[2] or 0)
        if base == "pc":
            place = one.offset + _PC_AHEAD + offset
            return self._double(place) if one.text.startswith("vldr") else self._literal(place)
        if base == conventions.E.name:
            return f"y{offset // conventions.WORD - 1}" if offset > 0 else "return address" if not offset else ""
        if base == "sp":
            return _STACK.get(offset, "")
        return self._fields.get(base, {}).get(offset, "")

    def _literal(self, place: int) -> str:
        relocation = self._relocations.get(place)
        if relocation is None:
            return f"{int.from_bytes(self._native.code.data[place : place + conventions.WORD], 'little'):#x}"
        if relocation.symbol is None:
            return self.names.get(relocation.addend, f"{relocation.addend:#x}")
        return self._symbols.text(relocation.symbol)

    def _double(self, place: int) -> str:
        (value,) = struct.unpack_from("<d", self._native.code.data, place)
        return repr(value)

    def _constant(self, before: str, text: str, after: str, terms: Mapping[int, str]) -> str:
        """The term that a constant is; or what is asked of a tag. *before* and *after* are the lines around."""
        found = _WITH_CONSTANT.fullmatch(text)
        if not found or (after.startswith("movt") and text.startswith("movw")):
            return ""
        mnemonic, register, value = found[1], found[2], int(found[3])
        masked = _MASKED.fullmatch(before)
        if mnemonic == "cmp" and masked and masked[1] == register:
            return self._tags.get((int(masked[2]), value), "")
        if mnemonic == "movt":
            low = _WITH_CONSTANT.fullmatch(before)
            value = value << 16 | int(low[3]) if low and low[1] == "movw" else -1
        word = _WORDS[mnemonic](value) if mnemonic in _WORDS else -1
        if word not in terms:
            return ""
        return f"{hex(word) if word >= _LARGE else word} = {terms[word]}"


#: The word that is moved or compared with, by the constant of an instruction. Other constants are masks and distances.
_WORDS: Final = {
    "mov": lambda value: value,
    "movw": lambda value: value,
    "movt": lambda value: value,
    "cmp": lambda value: value,
    "mvn": lambda value: ~value & _ALL,
    "cmn": lambda value: -value & _ALL,
}

_STACK: Final = {
    conventions.ENVIRONMENT: "environment",
    conventions.RETURN: "where the fragment returns to",
    **{conventions.ARGUMENTS + conventions.WORD * number: f"argument {number + 1}" for number in range(3)},
}


def _tags(layout: NativeLayout) -> dict[tuple[int, int], str]:
    """What is asked when so much remains under a mask."""
    header = tags.HEADER_MASK
    return {
        (tags.SMALL, tags.SMALL): "small integer?",
        (tags.PRIMARY_MASK, tags.CONS): "cons?",
        (tags.PRIMARY_MASK, tags.BOXED): "boxed?",
        (tags.IMMED2_MASK, tags.ATOM): "atom?",
        (header, tags.TUPLE_HEADER): "tuple?",
        (header, tags.FLOAT_HEADER): "float?",
        (header & ~tags.BIG_SIGN, tags.BIG_HEADER): "big integer?",
        (header, layout.map_header): "map?",
    }


def _terms(operation: Operation | None) -> dict[int, str]:
    """By their words, the constants that an operation can bring into code."""
    terms = {tags.NIL: "[]", tags.TRUE: "true"}
    if operation is None:
        return terms
    for operand in _flat(operation.operands):
        word = immediate(operand)
        if word is not None and isinstance(operand, Integer):
            terms[word] = str(operand.value)
    if operation.name in _TUPLES:
        for arity in _arities(operation):
            terms[conventions.tuple_header(arity)] = f"a tuple of {arity}"
    return terms


def _flat(operands: Sequence[Any]) -> Iterator[Any]:
    for operand in operands:
        if isinstance(operand, tuple):
            yield from operand
        else:
            yield operand


def _arities(operation: Operation) -> list[int]:
    if operation.name == "put_tuple2":
        elements = operation.operands[1]
        return [len(elements)] if isinstance(elements, tuple) else []
    return [operand for operand in _flat(operation.operands) if isinstance(operand, int)]


def _field_names(layout: NativeLayout, type: str) -> dict[int, str]:
    return {
        field.offset: name.removeprefix(f"{type}.")
        for name, field in layout.fields.items()
        if name.startswith(f"{type}.")
    }


def _register_names(layout: NativeLayout) -> dict[int, str]:
    """x registers, and whatever else the scheduler's registers are known to hold."""
    names = _field_names(layout, "ErtsSchedulerRegisters")
    array = layout.fields["ErtsSchedulerRegisters.x_reg_array"]
    names.update({array.offset + at: f"x{at // conventions.WORD}" for at in range(0, array.width, conventions.WORD)})
    floats = layout.fields.get("ErtsSchedulerRegisters.f_reg_array")
    if floats:
        names.update({floats.offset + at: f"fr{at // _DOUBLE}" for at in range(0, floats.width, _DOUBLE)})
    return names
