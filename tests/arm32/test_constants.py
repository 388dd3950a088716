"""Constants in as few instructions as they allow, whichever way a negative one is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jit.arm32.assembler import Assembler
from jit.arm32.registers import R0, R1
from jit.arm32.text import listing
from jit.codegen.processor import OperandError

CASES: list[tuple[Callable[[Assembler, int], None], int, list[str]]] = [
    (lambda a, value: a.mov_constant(R0, value), -5, ["mvn r0, #4"]),
    (lambda a, value: a.mov_constant(R0, value), -0x1235, ["movw r0, #60875", "movt r0, #65535"]),
    (lambda a, value: a.add_constant(R0, R1, value), -16, ["sub r0, r1, #16"]),
    (lambda a, value: a.add_constant(R0, R1, value), -0x1010, ["sub r0, r1, #16", "sub r0, r0, #4096"]),
    (lambda a, value: a.and_constant(R0, R1, value), -16, ["bic r0, r1, #15"]),
    (lambda a, value: a.cmp_constant(R0, value), -1, ["cmn r0, #1"]),
]


@pytest.mark.parametrize(("append", "value", "expected"), CASES)
@pytest.mark.parametrize("wrap", [0, 1 << 32], ids=["signed", "unsigned"])
def test_negative(append: Callable[[Assembler, int], None], value: int, expected: list[str], wrap: int) -> None:
    assembler = Assembler()
    append(assembler, value + wrap)
    assert [text for _, _, text in listing(assembler.finish())] == expected


def test_too_large() -> None:
    for value in (1 << 32, -(1 << 31) - 1):
        with pytest.raises(OperandError, match="does not fit 32 bits"):
            Assembler().cmp_constant(R0, value)
