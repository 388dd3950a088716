"""Interpreted code as the loader writes it (`beam_load_emit_op` in emu/emu_load.c), for the operations of Debian's
stripped builds, which are read from the files of the programs themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from beamgdb.interpreter import operations
from beamgdb.interpreter.bytecode import Operand, OperandKind, generic_name
from beamgdb.interpreter.instructions import LoadedInstruction
from beamgdb.interpreter.operations import Operation
from beamgdb.memory import BytesMemory, CachedMemory
from beamgdb.records.statics import Symbol
from jit.image.image_file import open_image
from jit.image.operations import operations as find_operations
from jit.sandbox.sandbox import Sandbox
from tests.code.module_image import layout_of

WORD = 4
"""Bytes of a word."""

START = 0x3000_0000
"""Where code lies."""

POINTER = 0x2000_0000
"""A place that no program has."""

_PACKED = {"2": 10, "3": 16}


def x(number: int) -> Operand:
    return Operand(OperandKind.X, number)


def y(number: int) -> Operand:
    return Operand(OperandKind.Y, number)


def term(word: int) -> Operand:
    return Operand(OperandKind.TERM, word)


def number(value: int) -> Operand:
    return Operand(OperandKind.NUMBER, value)


def label(instruction: int) -> Operand:
    """In `assemble`, that of the instruction with this number."""
    return Operand(OperandKind.LABEL, instruction)


NO_LABEL = Operand(OperandKind.NO_LABEL, 0)


@cache
def operations_of(release: int) -> dict[str, Operation]:
    """The operations of Debian's armhf build, by name. They have no handlers before the VM runs."""
    layout = layout_of(release)
    path = Sandbox("armhf", release).ensure().beam
    with path.open("rb") as file:
        elf = ELFFile(file)
        segments = {
            segment["p_vaddr"]: segment.data().ljust(segment["p_memsz"], b"\0")
            for segment in elf.iter_segments("PT_LOAD")
        }
        table = elf.get_section_by_name(".dynsym")
        assert isinstance(table, SymbolTableSection)

        def exported(name: str) -> int | None:
            found = table.get_symbol_by_name(name)
            return int(found[0]["st_value"]) if found else None

        symbol: Symbol = exported
        if exported("opc") is None:
            anchor = exported("enif_alloc")
            assert anchor is not None
            image = open_image(path, "enif_alloc", anchor)
            known = find_operations(image, layout)
            assert not isinstance(known, str), known
            # What points to the handlers is set when the VM starts.
            segments[POINTER] = known.handlers.to_bytes(WORD, "little")
            symbol = {"opc": known.table, "beam_ops": POINTER}.get

        memory = CachedMemory(BytesMemory(segments, WORD))
        return {each.name: each for each in operations.read(memory, layout, symbol)}


def assemble(release: int, *code: tuple[str, Sequence[Operand]]) -> tuple[LoadedInstruction, ...]:
    """Instructions, each given by the name of its operation, and operands: those of a table come last."""
    known = operations_of(release)
    sizes = [known[name].words + max(0, len(operands) - len(known[name].signature)) for name, operands in code]
    starts = [START + WORD * sum(sizes[:at]) for at in range(len(sizes))]
    return tuple(
        LoadedInstruction(start, known[name], _words(known[name], operands, start, starts))
        for (name, operands), start in zip(code, starts)
    )


def _words(operation: Operation, operands: Sequence[Operand], start: int, starts: Sequence[int]) -> tuple[int, ...]:
    base = start + WORD * operation.adjust
    letters = operation.signature.ljust(len(operands), "*")
    words = [_word(letter, operand, base, starts) for letter, operand in zip(letters, operands) if letter not in "rn"]
    fixed = sum(letter not in "rn" for letter in operation.signature)
    return (0, *_packed(operation, words[:fixed]), *words[fixed:])


def _word(letter: str, operand: Operand, base: int, starts: Sequence[int]) -> int:
    value = operand.value
    if operand.kind is OperandKind.LABEL:
        return (starts[value] - base) // WORD & 0xFFFFFFFF
    if letter in "s*" and operand.kind in (OperandKind.X, OperandKind.Y):
        return value << 4 | 0x3 if operand.kind is OperandKind.X else value + 1 << 4 | 0x7
    if operand.kind is OperandKind.X:
        return value * WORD
    if operand.kind is OperandKind.Y:
        return (value + 1) * WORD + (1 if letter in "dS" else 0)
    if operand.kind is OperandKind.FLOAT:
        return value * 8
    if operand.kind is OperandKind.CATCH:
        return value << 6 | 0x1B
    if letter in "PQ":
        return (value + 1) * WORD
    return value << 6 if letter == "A" else value


def _packed(operation: Operation, words: list[int]) -> list[int]:
    stack, packed = list[int](), 0
    for step in operation.pack:
        if step in "fgq":
            stack.append(words.pop())
        elif step in _PACKED:
            packed = packed << _PACKED[step] | words.pop()
        elif step == "P":
            stack.append(packed)
            packed = 0
        else:
            words.append(stack.pop())
    assert len(words) == operation.words - 1, generic_name(operation)
    return words
