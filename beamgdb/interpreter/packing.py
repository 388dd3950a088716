"""Operands out of the words of a loaded instruction.

Small ones may share a word; the operation's `pack` is the program by which the loader put them there, and which is run
backwards to get them out (`beam_load_emit_op` in emu/emu_load.c; `print_op` in beam_debug.c; OTP 25 to 29).
"""

from __future__ import annotations

from collections.abc import Sequence

from beamgdb.interpreter.operations import Operation, Unsupported

HALF = 32
"""Bits of half a word, on 64 bits."""

_STEPS: dict[int, dict[str, tuple[int, int, int]]] = {
    4: {"2": (0xFFC, 10, 0), "3": (0xFFF, 16, 0)},
    8: {"1": (0x3FF, 10, 3), "2": (0xFFFF, 16, 0), "3": (0xFFFF, 16, 0), "4": (0xFFFFFFFF, HALF, 0)},
}
"""By the bytes of a word: steps that put an operand beside others, with its mask, by how much the others were shifted,
and how many of its lowest bits were left out, which are zero (`BEAM_TIGHTEST_MASK` and those that follow it, in
beam_makeops)."""

_IN_OPERATION = "#$%&'("
"""Steps that put what was packed into the upper half of the operation's own word. Only where handlers have addresses
of 32 bits (`CODE_MODEL_SMALL`)."""


def unpacked(operation: Operation, words: Sequence[int], size: int) -> list[int]:
    """A word for each operand of an instruction, of which these are the words without those of its table; `size` is
    their size in bytes. Raises `Unsupported`.

    `p` stored a word from the packer's stack, where `P` had put the packed operands, and the letters an operand that is
    a word of its own.
    """
    found, stack, packed = list(words[1:]), list[int](), 0
    steps = _STEPS[size]
    try:
        for step in reversed(operation.pack):
            if step == "p":
                stack.append(found.pop())
            elif step == "P":
                packed = stack.pop()
            elif step in steps:
                mask, shift, left_out = steps[step]
                found.append((packed & mask) << left_out)
                packed >>= shift
            elif step in "fgq":
                found.append(stack.pop())
            elif step in _IN_OPERATION and size == 8:
                packed = packed << HALF | words[0] >> HALF
            else:
                raise Unsupported(f"operands of {operation.name} are packed in an unknown way: {operation.pack}")
    except IndexError:
        raise Unsupported(f"operands of {operation.name} are packed in a wrong way: {operation.pack}") from None
    return found
