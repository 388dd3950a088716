"""What each method of the assembler appends is what GNU as makes of the same instruction."""

from __future__ import annotations

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from jit.arm32.assembler import Assembler
from jit.arm32.cpus import ARM1176, CORTEX_A7, CORTEX_A8
from jit.codegen.processor import OperandError
from tests.arm32.gnu_as import assemble, refused
from tests.arm32.instruction_strategies import FAMILIES, Call

# Without shrinking: the message names the instructions that differ.
_BATCHES = settings(
    max_examples=5,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@_BATCHES
@given(st.data())
def test_methods_agree_with_gnu_as(family: st.SearchStrategy[Call], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(family, min_size=100, max_size=200))
    with TemporaryDirectory() as folder:
        expected = assemble([call.line for call in chosen], Path(folder))
    assembler = Assembler(CORTEX_A7)
    for call in chosen:
        getattr(assembler, call.method)(*call.arguments, **call.keywords)
    words = [word for (word,) in struct.iter_unpack("<I", assembler.finish().data)]
    wrong = [
        f"{call.line}: {ours:08x} here, {theirs:08x} there"
        for call, ours, theirs in zip(chosen, words, expected)
        if ours != theirs
    ]
    assert wrong == []


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@settings(_BATCHES, max_examples=1)
@given(st.data())
def test_what_a_processor_lacks_is_refused(family: st.SearchStrategy[Call], data: st.DataObject) -> None:
    """What GNU as says of an ARMv6K with VFPv2, and of an ARMv7-A without division."""
    chosen = data.draw(st.lists(family, min_size=100, max_size=200))
    wrong = []
    for cpu in (ARM1176, CORTEX_A8):
        with TemporaryDirectory() as folder:
            theirs = refused([call.line for call in chosen], Path(folder), cpu)
        for number, call in enumerate(chosen):
            try:
                getattr(Assembler(cpu), call.method)(*call.arguments, **call.keywords)
            except OperandError:
                if number not in theirs:
                    wrong.append(f"{call.line}: {cpu.name} has it")
            else:
                if number in theirs:
                    wrong.append(f"{call.line}: {cpu.name} lacks it")
    assert wrong == []
