"""What each method of the assembler appends is what GNU as makes of the same instruction."""

from __future__ import annotations

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from jit.arm32.assembler import Assembler
from tests.arm32.gnu_as import assemble
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
    assembler = Assembler(features=["idiv"])
    for call in chosen:
        getattr(assembler, call.method)(*call.arguments, **call.keywords)
    words = [word for (word,) in struct.iter_unpack("<I", assembler.finish().data)]
    wrong = [
        f"{call.line}: {ours:08x} here, {theirs:08x} there"
        for call, ours, theirs in zip(chosen, words, expected)
        if ours != theirs
    ]
    assert wrong == []
