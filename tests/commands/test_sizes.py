"""Files that say they are large, or unfold to much: refused in one line that names the limit, with little memory."""

from __future__ import annotations

import os
import resource
import subprocess
import zlib
from pathlib import Path

import pytest

from jit.beam.chunks import read_chunks, write_chunks
from tests.codegen.native_node import PATIENCE, PYTHON_JIT

#: Bytes that the command may have: what Python takes up, and what the limits let through.
MEMORY = 1 << 30


def refused(*words: str | Path) -> str:
    """What a command says that has so much memory and no more."""
    ran = subprocess.run(
        [*PYTHON_JIT, *map(str, words)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    (line,) = ran.stderr.splitlines()
    assert ran.returncode == 1
    return line


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def compressed(term: bytes) -> bytes:
    """As term_to_binary(Term, [compressed])."""
    return b"\x83P" + u32(len(term)) + zlib.compress(term, 9)


def literals(*terms: bytes) -> bytes:
    table = u32(len(terms)) + b"".join(u32(len(term)) + term for term in terms)
    return u32(len(table)) + zlib.compress(table, 9)


MILLION = 1_000_000
BINARIES = [compressed(b"m" + u32(30 * MILLION) + bytes(30 * MILLION))] * 64
TUPLES = [compressed(b"l" + u32(MILLION) + b"h\0" * MILLION + b"j")] * 8
STRINGS = [compressed(b"l" + u32(100) + (b"k\xff\xff" + bytes(65535)) * 100 + b"j")] * 4


@pytest.mark.parametrize(
    ("chunks", "limit"),
    [
        ({"LitT": literals(*BINARIES)}, "literal 1: a compressed term, but it is said to unfold to 30000005 bytes: "
         "with it, the file unfolds to more than 33554432 bytes, the most that is read"),
        ({"LitT": u32(1 << 31) + zlib.compress(bytes(100 * MILLION))}, "a compressed table, but it is said to unfold "
         "to 2147483648 bytes: with it, the file unfolds to more than 33554432 bytes, the most that is read"),
        ({"LitT": literals(*TUPLES)}, "literal 2: the file has more than 2097152 terms, the most that is read"),
        ({"LitT": literals(*STRINGS)}, "literal 0: the file has more than 2097152 terms, the most that is read"),
        ({"Attr": BINARIES[0], "CInf": BINARIES[0]}, "it is said to unfold to 30000005 bytes: "
         "with it, the file unfolds to more than 33554432 bytes, the most that is read"),
        ({"Line": u32(0) * 3 + u32(20 * MILLION) + u32(0) + b"\x11" * 20 * MILLION},
         "20000000 locations: 1048576 are the most that is read"),
        ({"AtU8": u32(20 * MILLION) + bytes(20 * MILLION)}, "20000000 atoms: 1048576 are the most that is read"),
        ({"ImpT": u32(2 * MILLION) + bytes(24 * MILLION)}, "2000000 entries: 1048576 are the most that is read"),
        ({"Type": u32(3) + u32(2 * MILLION) + b"\x0f\xff" * 2 * MILLION},
         "2000000 types: 1048576 are the most that is read"),
    ],
)  # fmt: skip
def test_what_a_file_says(program: Path, tmp_path: Path, chunks: dict[str, bytes], limit: str) -> None:
    bomb = tmp_path / "bomb.beam"
    sound = {chunk.name: chunk.data for chunk in read_chunks(program.read_bytes(), "program.beam")}
    bomb.write_bytes(write_chunks({**sound, **chunks}.items()))
    said = refused("dump", bomb)
    assert said.startswith(f"jit: {bomb}: chunk ")
    assert said.endswith(limit)


def test_code(program: Path, tmp_path: Path) -> None:
    """Operations without end; and those that take the same string again and again."""
    sound = {chunk.name: chunk.data for chunk in read_chunks(program.read_bytes(), "program.beam")}
    header, bomb = sound["Code"][:20], tmp_path / "bomb.beam"

    def said(code: bytes, **others: bytes) -> str:
        bomb.write_bytes(write_chunks({**sound, "Code": header + code, **others}.items()))
        return refused("dump", bomb)

    assert said(b"\x13" * 2 * MILLION).endswith("more than 1048576 operations, the most that is read")
    assert said(b"\x13" * 20 * MILLION).endswith("20000020 bytes of code: 16777216 are the most that is read")
    # bs_put_string of a million bytes at 0, of which there are some in the table.
    put_string = b"\x5c" + b"\x38" + u32(MILLION)[1:] + b"\x00"
    assert "the file unfolds to more than 33554432 bytes" in said(put_string * 1000, StrT=bytes(MILLION))


def test_large_files(program: Path, tmp_path: Path) -> None:
    sparse, folded = tmp_path / "sparse.beam", tmp_path / "folded.beam"
    with sparse.open("wb") as file:
        file.truncate(40 << 30)
    limit = "larger than 67108864 bytes, the most that is read of such a file"
    for command in ("dump", "coverage", f"elf -o {tmp_path}/out", f"compile -o {tmp_path}/out"):
        assert refused(*command.split(), sparse) == f"jit: {sparse}: {limit}"
    assert refused("dump", "/dev/zero") == f"jit: /dev/zero: {limit}"
    pressed = zlib.compressobj(9, zlib.DEFLATED, 31)
    folded.write_bytes(pressed.compress(bytes(100 * MILLION)) + pressed.flush())
    said = f"jit: {folded}: compressed by gzip, but it unfolds to more than 67108864 bytes"
    assert refused("dump", folded) == said


def test_pipes(program: Path, tmp_path: Path) -> None:
    """One that a folder holds is not waited for; one that is named is read, as others do."""
    os.mkfifo(tmp_path / "pipe.beam")
    (tmp_path / "folder.beam").mkdir()
    assert refused("coverage", tmp_path).endswith(": there is no .beam file in this folder, nor in those below")
    command = f"cat {program} | {' '.join(PYTHON_JIT)} dump /dev/stdin | head -n 1"
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert (ran.stdout, ran.stderr) == ("% /dev/stdin: 7 of 7 functions native\n", "")
