"""Boot scripts that load the glue before any other module."""

from __future__ import annotations

from pathlib import Path

import pytest

from jit.beam.chunks import Chunk
from jit.beam.errors import BeamError
from jit.beam.external import decode_term, encode_term
from jit.beam.terms import NIL, Atom, List, Term, Tuple
from jit.erts.boot import BootError, write_boot
from jit.sandbox import Sandbox


def instructions(path: Path) -> list[Term]:
    script = decode_term(Chunk(str(path), "", path.read_bytes()))
    assert isinstance(script, Tuple)
    rows = script.elements[2]
    assert isinstance(rows, List)
    return list(rows.elements)


def test_the_glue_comes_before_kernel(otp: int, tmp_path: Path) -> None:
    original = Sandbox("armhf", otp).ensure().otp_root / "bin/start.boot"
    before, after = instructions(original), instructions(write_boot(original, tmp_path))
    start = Tuple((Atom("apply"), Tuple((Atom("native"), Atom("start"), NIL))))
    at = after.index(start)
    load = after[at - 1]
    assert load == Tuple((Atom("primLoad"), List((Atom("native"),))))
    first = next(
        index for index, row in enumerate(before) if isinstance(row, Tuple) and row.elements[0] == Atom("primLoad")
    )
    assert after == [*before[:first], load, start, *before[first:]]


@pytest.mark.parametrize(
    "term", [Atom("script"), Tuple((Atom("script"), NIL, Atom("x"))), Tuple((Atom("script"), NIL, NIL))]
)
def test_what_is_no_boot_script(tmp_path: Path, term: Term) -> None:
    path = tmp_path / "odd.boot"
    path.write_bytes(encode_term(term))
    with pytest.raises(BootError, match=r"odd\.boot"):
        write_boot(path, tmp_path)


def test_what_is_no_term(tmp_path: Path) -> None:
    path = tmp_path / "odd.boot"
    path.write_bytes(b"\x83")
    with pytest.raises(BeamError, match=r"odd\.boot"):
        write_boot(path, tmp_path)
