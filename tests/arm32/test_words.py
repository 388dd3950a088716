"""Every declared instruction over the whole range of its fields: GNU as and capstone agree with word and text."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import capstone
import pytest

from jit.arm32.encoding import Encoding
from jit.arm32.text import encodings, text
from tests.arm32.gnu_as import FromHere, assemble
from tests.arm32.words import legal_words

Words = list[tuple[Encoding, int]]


@pytest.fixture(scope="module")
def words() -> Words:
    """Tens of thousands of words with the encodings that made them."""
    return list(legal_words())


def test_every_encoding_has_many_words(words: Words) -> None:
    """So that the tests below mean something."""
    counts = Counter(encoding for encoding, _ in set(words))
    assert [encoding for encoding in encodings() if counts[encoding] < min(100, 3 ** len(encoding.fields))] == []


def test_text_is_what_gnu_as_assembles_to_the_word(words: Words, tmp_path: Path) -> None:
    lines = [text(word, names=FromHere()) for _, word in words]
    wrong = [
        f"{line}: {word:08x} here, {theirs:08x} there"
        for line, (_, word), theirs in zip(lines, words, assemble(lines, tmp_path))
        if word != theirs
    ]
    assert wrong == []


def test_every_word_has_a_text(words: Words) -> None:
    assert [f"{word:08x}" for _, word in words if text(word).startswith(".inst")] == []


def test_capstone_reads_the_same(words: Words) -> None:
    reader = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_ARM)
    wrong = []
    for encoding, word in words:
        found = next(reader.disasm_lite(word.to_bytes(4, "little"), 0), None)
        ours, theirs = _ours(text(word)), _theirs(*found[2:]) if found else "nothing"
        if ours != theirs:
            wrong.append(f"{encoding!r} {word:08x}: {ours} here, {theirs} there")
    assert wrong == []


_REGISTERS = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}


def _theirs(mnemonic: str, operands: str) -> str:
    """Capstone's text with our names of registers and conditions, and decimal numbers."""
    stem, dot, types = mnemonic.partition(".")
    if stem.endswith(("hs", "lo")):  # no mnemonic ends so without its condition
        stem = stem[:-2] + {"hs": "cs", "lo": "cc"}[stem[-2:]]
    operands = re.sub(r"\b(sb|sl|fp|ip)\b", lambda name: _REGISTERS[name[1]], operands)
    operands = re.sub(r"0x[0-9a-f]+", lambda number: str(int(number[0], 16)), operands)
    operands = re.sub(r"-?\d\.\d+e[+-]\d+", lambda number: repr(float(number[0])), operands)
    return f"{stem}{dot}{types} {operands}".strip().replace("#", "")


def _ours(line: str) -> str:
    """Our text where capstone has another notation for the same."""
    line = re.sub(r"0x[0-9a-f]+", lambda number: str(int(number[0], 16)), line.replace("#", ""))
    line = re.sub(r"^push(..)? \{(\w+)\}$", r"str\1 \2, [sp, -4]!", line)
    return re.sub(r"^(add\w* \w+, pc), (\d+), (\d+)$", lambda m: f"{m[1]}, {_rotated(int(m[2]), int(m[3]))}", line)


def _rotated(byte: int, rotation: int) -> int | str:
    """The constant, if capstone writes it as one: it does where GNU as would choose this encoding."""
    shortest = next(turn for turn in range(0, 32, 2) if _rol(_ror(byte, rotation), turn) < 256)
    return _ror(byte, rotation) if shortest == rotation else f"{byte}, {rotation}"


def _ror(value: int, by: int) -> int:
    return (value >> by | value << (32 - by)) & 0xFFFF_FFFF


def _rol(value: int, by: int) -> int:
    return _ror(value, -by % 32)
