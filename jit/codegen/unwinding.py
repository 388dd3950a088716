"""Call frame information of native code, worked out from the code itself.

Erlang functions, and fragments that they branch to, run in the one frame that the fragment ``enter`` makes on the C
stack. A fragment that is called, by ``BL``, is a frame of its own between the function and the C functions that it
calls: it has no room on the stack, and keeps its return address in the frame of ``enter``.

The rules of a fragment hold for each of its instructions. They are found by following its instructions from its
beginning: those that move the stack pointer, and those that save registers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jit.codegen.machine import FRAME_SIZE, SAVED, WORD
from jit.object.dwarf_frame import CfaProgram, Cie, FrameSection

# DWARF for the Arm Architecture, 4.1: r0 to r15 are 0 to 15.
SP: Final = 13
LR: Final = 14
PC: Final = 15
INSTRUCTION: Final = 4

#: The fragment that the interpreter calls, and that makes the frame.
_ENTER: Final = "enter"
_ALWAYS: Final = 0xE


@dataclass(frozen=True)
class Frame:
    """How to leave a frame: the CFA is sp + ``depth``; registers ``saved`` are that far from the CFA, in bytes."""

    depth: int
    saved: Mapping[int, int]

    def moved(self, size: int) -> Frame:
        """With the stack pointer *size* bytes lower."""
        return Frame(self.depth + size, self.saved)


#: Before anything is saved: the caller goes on at lr.
CALLED: Final = Frame(0, {})
#: Between ``enter`` and ``leave``.
INSIDE: Final = Frame(FRAME_SIZE, {one.number: WORD * (at - len(SAVED)) for at, one in enumerate(SAVED)})


def add_frames(
    frames: FrameSection,
    code: bytes,
    functions: tuple[int, int],
    ways_in: tuple[int, int],
    fragments: Sequence[tuple[str, int, int]],
) -> None:
    """Describe all code of a module. *functions* and *ways_in* are ranges of offsets in bytes."""
    outside, inside = (_cie(frames, frame) for frame in (CALLED, INSIDE))
    _add(frames, inside, functions)
    _add(frames, outside, ways_in)
    words = [word for (word,) in struct.iter_unpack("<I", code)]
    called = _called(words)
    for name, begin, end in fragments:
        own = words[begin // WORD : end // WORD]
        rows = follow(own, CALLED) if name == _ENTER or begin in called else None
        if rows is None or _loses_return_address(own, rows):
            rows = follow(own, INSIDE)
        cie = outside if rows[0] is CALLED else inside
        _add(frames, cie, (begin, end), _program(cie, rows))


def _cie(frames: FrameSection, initial: Frame) -> Cie:
    program = CfaProgram(frames.target, INSTRUCTION, -WORD).def_cfa(SP, initial.depth)
    for register, place in initial.saved.items():
        program.offset(register, place)
    return frames.add_cie(LR, code_alignment=INSTRUCTION, data_alignment=-WORD, initial=program)


def _add(frames: FrameSection, cie: Cie, place: tuple[int, int], program: CfaProgram | None = None) -> None:
    begin, end = place
    if begin < end:
        frames.add_fdes(cie, [(begin, end - begin)], program)


def _called(words: Sequence[int]) -> set[int]:
    """Offsets that some instruction calls. A literal may look like one, but its target will be no fragment."""
    return {
        WORD * _target(at, word) for at, word in enumerate(words) if word >> 24 & 0xF == 0xB
    }


def _loses_return_address(words: Sequence[int], rows: Sequence[Frame]) -> bool:
    """Whether it calls something else while its return address is in lr: then it never returns.

    Such a fragment is called for the data behind the call.
    """
    return any(is_call(word) and LR not in frame.saved for word, frame in zip(words, rows))


def is_call(word: int) -> bool:
    """BL, or BLX of a register."""
    return word >> 28 != 0xF and (word >> 24 & 0xF == 0xB or word & 0x0FFF_FFF0 == 0x012F_FF30)


def _target(at: int, word: int) -> int:
    """Where B or BL goes, as an index of words."""
    distance = word & 0xFF_FFFF
    return at + 2 + (distance - (1 << 24) if distance >> 23 else distance)


def follow(words: Sequence[int], begins: Frame) -> list[Frame]:
    """The frame before each instruction of a fragment; what is never reached, such as literals, is as before it."""
    frames: dict[int, Frame] = {}
    waiting = [(0, begins)]
    while waiting:
        at, frame = waiting.pop()
        if at in frames or not 0 <= at < len(words):
            continue
        frames[at] = frame
        word = words[at]
        conditional = word >> 28 != _ALWAYS
        if word >> 24 & 0xF == 0xA:
            waiting.append((_target(at, word), frame))
        after = frame if conditional else _after(word, frame)
        if conditional or not _ends(word):
            waiting.append((at + 1, after))
    rows = [begins]
    for at in range(1, len(words)):
        rows.append(frames.get(at, rows[-1]))
    return rows


def _ends(word: int) -> bool:
    """Whether control does not go on to the next instruction: B, BX, or a load of pc."""
    is_load_of_pc = word & 0x0C10_F000 == 0x0410_F000
    pops_pc = word & 0x0E10_8000 == 0x0810_8000
    return word & 0x0F00_0000 == 0x0A00_0000 or word & 0x0FFF_FFF0 == 0x012F_FF10 or is_load_of_pc or pops_pc


def _after(word: int, frame: Frame) -> Frame:
    """The frame behind an instruction that is always executed."""
    top, low = word >> 16, word & 0xFFFF
    if top == 0xE92D:
        return _pushed(frame, [number for number in range(16) if low >> number & 1])
    if top == 0xE8BD:
        return _popped(frame, [number for number in range(16) if low >> number & 1])
    if top == 0xE52D and low & 0xFFF == WORD:
        return _pushed(frame, [low >> 12])
    if top == 0xE49D and low & 0xFFF == WORD:
        return _popped(frame, [low >> 12])
    if top == 0xE58D and low >> 12 == LR and LR not in frame.saved:
        return Frame(frame.depth, {**frame.saved, LR: (low & 0xFFF) - frame.depth})
    for code, sign in ((0xE24D, 1), (0xE28D, -1)):
        if top == code and low >> 12 == SP:
            return frame.moved(sign * _immediate(low & 0xFFF))
    return frame


def _pushed(frame: Frame, registers: Sequence[int]) -> Frame:
    depth = frame.depth + WORD * len(registers)
    saved = {one: WORD * at - depth for at, one in enumerate(registers) if one not in frame.saved}
    return Frame(depth, {**frame.saved, **saved})


def _popped(frame: Frame, registers: Sequence[int]) -> Frame:
    restored = {one for at, one in enumerate(registers) if frame.saved.get(one) == WORD * at - frame.depth}
    kept = {one: place for one, place in frame.saved.items() if one not in restored}
    return Frame(frame.depth - WORD * len(registers), kept)


def _immediate(field: int) -> int:
    """A modified immediate constant (ARM ARM, A5.2.4)."""
    value, turn = field & 0xFF, 2 * (field >> 8)
    return (value >> turn | value << (32 - turn)) & 0xFFFF_FFFF if turn else value


def _program(cie: Cie, rows: Sequence[Frame]) -> CfaProgram:
    program = cie.program()
    current, place = rows[0], 0
    for at, frame in enumerate(rows):
        if frame == current:
            continue
        program.advance(WORD * at - place)
        place = WORD * at
        if frame.depth != current.depth:
            program.def_cfa_offset(frame.depth)
        for register in sorted(frame.saved.keys() | current.saved.keys()):
            _change(program, register, current.saved.get(register), frame.saved.get(register))
        current = frame
    return program


def _change(program: CfaProgram, register: int, old: int | None, new: int | None) -> None:
    if new == old:
        return
    if new is not None:
        program.offset(register, new)
    elif register == LR:  # not "the same value": that is for GDB, the pc's
        program.register(LR, LR)
    else:
        program.same_value(register)
