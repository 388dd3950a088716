"""The chunk avmN: what is written is read again, and damage is told of in one line."""

from __future__ import annotations

import struct
from typing import Literal

import pytest

from jit.atomvm.chunk import CHUNK, decode_native, encode_native, encode_with_elf
from jit.beam.chunks import Chunk
from jit.beam.errors import BeamError
from jit.object.elf import ElfFile
from jit.object.elf_constants import EM
from jit.object.target import Target


def chunk(data: bytes) -> Chunk:
    return Chunk("some.beam", CHUNK, data)


def test_several_targets() -> None:
    """Each has code at a multiple of four."""
    native = decode_native(chunk(encode_native(7, [("x86_64", b"long code"), ("armv6m+thumb2", b"code")])))
    assert (native.version, native.labels, native.elf) == (1, 7, None)
    assert [(one.target, one.offset, one.data) for one in native.codes] == [
        ("x86_64", 0, b"long code\0\0\0"),
        ("armv6m+thumb2", 12, b"code"),
    ]


def test_as_the_vm_reads_it() -> None:
    """module.h: the size does not count itself; arm32 is number 6, position-independent variant 1."""
    data = encode_native(3, [("arm32", b"code")])
    assert struct.unpack(">IIHHHHI", data[:20]) == (16, 3, 1, 1, 6, 1, 0)
    assert data[20:] == b"code"


@pytest.mark.parametrize("word", [4, 8])
def test_with_an_elf_file(word: Literal[4, 8]) -> None:
    elf = ElfFile(Target(word, machine=EM.ARM if word == 4 else EM.X86_64))
    elf.add_section(".text", data=b"code")
    data, begins = elf.laid_out()
    native = decode_native(chunk(encode_with_elf(1, "arm32", begins[".text"], data, [4, 8])))
    (code,) = native.codes
    assert native.elf == data
    assert code.data.startswith(b"code")
    assert native.instructions(code) == b"code"
    assert native.area[len(data) :] == struct.pack("<III", 2, 4, 8)


@pytest.mark.parametrize("left", [4, 5, 20, 51, -1])
def test_an_elf_file_cut_short(left: int) -> None:
    data = encode_with_elf(1, "arm32", 0, ElfFile(Target(4, machine=EM.ARM)).to_bytes()[:left], [])[:-4]
    native = decode_native(chunk(data))
    assert native.elf is None
    assert native.instructions(native.codes[0]) == native.codes[0].data


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        (b"short", 0, "a header of 12 bytes expected, there are 5"),
        (struct.pack(">IIHH", 8, 1, 1, 1), 0, "a header of 8 bytes for 1 targets, which cannot be"),
        (struct.pack(">IIHH", 99, 1, 1, 0), 0, "a header of 99 bytes for 0 targets, which cannot be"),
        (encode_native(1, [("arm32", b"")])[:-4] + b"\0\0\0\x05", 16, "code from 5 to 0 of 0 bytes, which cannot be"),
    ],
)
def test_damage(data: bytes, offset: int, what: str) -> None:
    with pytest.raises(BeamError) as caught:
        decode_native(chunk(data))
    assert str(caught.value).endswith(what)
    assert f"offset {offset}" in str(caught.value) or f"{offset:#x}" in str(caught.value)


def test_a_target_that_is_not_known() -> None:
    data = encode_native(1, [("arm32", b"")])
    (code,) = decode_native(chunk(data[:12] + b"\0\x63" + data[14:])).codes
    assert code.target == "architecture 99 variant 1"
