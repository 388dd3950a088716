"""What the operands of instructions of native code mean: the comments of a listing.

It reads instructions as jit.arm32.text writes them, and knows what the code generator lets registers hold
(jit/codegen/machine.py). Where a constant might mean something else, it says nothing.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from jit.arm32.text import listing
from jit.beam.operands import Integer
from jit.beam.operations import Operation
from jit.codegen import machine
from jit.codegen.compile import Native
from jit.codegen.emission import immediate
from jit.commands.names import Symbols
from jit.erts.layout import Layout

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


@dataclass(frozen=True)
class Instruction:
    """A word of code, or of data amidst it, ``offset`` bytes from the start."""

    offset: int
    word: int
    text: str


def instructions(native: Native, names: Mapping[int, str]) -> list[Instruction]:
    """All of a module's code. *names* are those of branch targets, by offset."""
    code = replace(native.code, symbols={name: offset for offset, name in names.items()})
    return [Instruction(*row) for row in listing(code)]


class Explainer:
    """Explains the instructions of a module."""

    def __init__(self, native: Native, names: Mapping[int, str]) -> None:
        self._code = native.code.data
        self._names = names
        self._symbols = Symbols(native)
        self._relocations = {relocation.offset: relocation for relocation in native.code.relocations}
        self._fields = {
            machine.PROCESS.name: _field_names(native.layout, "Process"),
            machine.REGISTERS.name: _register_names(native.layout),
        }
        self._tags = _tags(native.layout)

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
        if base == machine.E.name:
            return f"y{offset // machine.WORD - 1}" if offset > 0 else "return address" if not offset else ""
        if base == "sp":
            return _STACK.get(offset, "")
        return self._fields.get(base, {}).get(offset, "")

    def _literal(self, place: int) -> str:
        relocation = self._relocations.get(place)
        if relocation is None:
            return f"{int.from_bytes(self._code[place : place + machine.WORD], 'little'):#x}"
        if relocation.symbol is None:
            return self._names.get(relocation.addend, f"{relocation.addend:#x}")
        return self._symbols.text(relocation.symbol)

    def _double(self, place: int) -> str:
        (value,) = struct.unpack_from("<d", self._code, place)
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
    machine.ENVIRONMENT: "environment",
    machine.RETURN: "where the fragment returns to",
    **{machine.ARGUMENTS + machine.WORD * number: f"argument {number + 1}" for number in range(3)},
}


def _tags(layout: Layout) -> dict[tuple[int, int], str]:
    """What is asked when so much remains under a mask."""
    header = machine.HEADER_MASK
    return {
        (machine.SMALL_TAG, machine.SMALL_TAG): "small integer?",
        (machine.PRIMARY_MASK, machine.LIST_TAG): "cons?",
        (machine.PRIMARY_MASK, machine.BOXED_TAG): "boxed?",
        (machine.IMMEDIATE2_MASK, machine.ATOM_TAG): "atom?",
        (header, machine.TUPLE_HEADER): "tuple?",
        (header, machine.FLOAT_HEADER): "float?",
        (header & ~machine.BIGNUM_SIGN, machine.BIGNUM_HEADER): "big integer?",
        (header, layout.map_header): "map?",
    }


def _terms(operation: Operation | None) -> dict[int, str]:
    """By their words, the constants that an operation can bring into code."""
    terms = {machine.NIL_WORD: "[]", machine.TRUE: "true"}
    if operation is None:
        return terms
    for operand in _flat(operation.operands):
        word = immediate(operand)
        if word is not None and isinstance(operand, Integer):
            terms[word] = str(operand.value)
    if operation.name in _TUPLES:
        for arity in _arities(operation):
            terms[machine.tuple_header(arity)] = f"a tuple of {arity}"
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


def _field_names(layout: Layout, type: str) -> dict[int, str]:
    return {
        field.offset: name.removeprefix(f"{type}.")
        for name, field in layout.fields.items()
        if name.startswith(f"{type}.")
    }


def _register_names(layout: Layout) -> dict[int, str]:
    """x registers, and whatever else the scheduler's registers are known to hold."""
    names = _field_names(layout, "ErtsSchedulerRegisters")
    array = layout.fields["ErtsSchedulerRegisters.x_reg_array"]
    names.update({array.offset + at: f"x{at // machine.WORD}" for at in range(0, array.size, machine.WORD)})
    floats = layout.fields.get("ErtsSchedulerRegisters.f_reg_array")
    if floats:
        names.update({floats.offset + at: f"fr{at // _DOUBLE}" for at in range(0, floats.size, _DOUBLE)})
    return names
