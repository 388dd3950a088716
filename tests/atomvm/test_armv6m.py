"""In Thumb code for AtomVM there is nothing that the processor does not have, and branches reach what they refer to.

The processors that run it in these tests have all of ARMv7-A, so GNU as, which knows what others have, makes the code
once more of its listing.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from jit.beam.module import read_module
from jit.codegen.compile import compile_module
from jit.commands import targets
from jit.thumb.text import listing
from tests.harness.gnu_as import assembled

gnu_as = partial(assembled, tools="arm-linux-gnueabihf-")
PROCESSORS = {"armv6m": "cortex-m0", "armv6m+thumb2": "cortex-m3"}


@pytest.mark.parametrize("target", PROCESSORS)
def test_gnu_as_makes_the_same_code(program: Path, tmp_path: Path, target: str) -> None:
    native = compile_module(read_module(program), targets.runtime(targets.Wanted(target, runtime="atomvm")))
    assert native.interpreted == {}
    size = native.code.instructions
    rows = list(listing(native.code.data[:size], size, {}))
    lines = [line for offset, _, text in rows for line in (f"at_{offset:#x}:", written(text))]
    head = (".syntax unified", f".cpu {PROCESSORS[target]}", ".thumb", ".align 2")
    made = gnu_as(lines, tmp_path, head=head)
    wrong = [text for offset, _, text in rows if made[offset : offset + 2] != native.code.data[offset : offset + 2]]
    assert wrong == []
    assert made == native.code.data[:size]


def written(text: str) -> str:
    """An instruction as GNU as reads it, in which places have names."""
    return re.sub(r"^(b\S*) 0x", r"\1 at_0x", re.sub(r"^adr (\w+), ", r"add \1, pc, ", text))
