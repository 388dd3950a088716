"""What `process_main` of x86-64 says: as GCC 12 has made it of OTP 27 and 29, and what must not be believed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from beamgdb.evidence.interpreter_x86_64 import arities, noted, taken

START = 0x1000


def code(tmp_path: Path, text: str) -> bytes:
    """Machine code given in Intel's syntax."""
    source, binary, raw = tmp_path / "a.s", tmp_path / "a.o", tmp_path / "a.bin"
    source.write_text(f".intel_syntax noprefix\n{text}\n")
    subprocess.run(["as", "--64", "-o", binary, source], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", binary, raw], check=True)
    return raw.read_bytes()


CALL_NIF = """
    mov rdi, [rsp+8]; movq xmm6, r13; lea rax, [rbx-0x18]; xor ecx, ecx; movq xmm0, r11; mov [rdi+0x1c8], rax
    mov rsi, rdi; mov r13, [rdi+0x218]; mov [rdi+0x70], r14d; call 0
"""


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (CALL_NIF, {0x1C8}),
        ("lea rax, [rbx-0x18]; mov [rsp+0x20], rax; call 0", set()),
        ("lea rax, [rbx-0x18]; mov rax, [rbx+8]; mov [rdi+0x1c8], rax; call 0", set()),
        ("lea rax, [rbx-0x18]; mov [rdi+0x70], eax; call 0", set()),
        ("lea rax, [rbx-0x18]; call 0; mov [rdi+0x1c8], rax", set()),
        ("lea rax, [rbx-0x28]; mov [rdi+0x1c8], rax; call 0", set()),
    ],
)
def test_where_a_function_is_noted(tmp_path: Path, text: str, places: set[int]) -> None:
    assert noted(code(tmp_path, text), START) == places


@pytest.mark.parametrize(
    ("text", "distances"),
    [
        ("mov rax, [rdi]; mov qword ptr [rsp+48], 0; lea rbp, [rax+0x40]; add rax, 0x2080", {0x40, 0x2080}),
        ("mov rax, [rdi]; mov rax, [rbp+8]; lea rbp, [rax+0x40]; add rax, 0x2080", set()),
        ("mov rax, [rdi+8]; lea rbp, [rax+0x40]", set()),
        ("mov rax, [rdi]; call 0; lea rbp, [rax+0x40]", set()),
    ],
)
def test_what_is_added_to_the_registers(tmp_path: Path, text: str, distances: set[int]) -> None:
    assert taken(code(tmp_path, text), START) == distances


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # OTP 27 and 29 with a byte, 25 with a word.
        ("mov rax, [rdx-8]; mov rsi, [rsp+8]; sub rdx, 0x18; mov [rsi+0x7d], al; mov [rsi+0x1c8], rdx", {(0x7D, 1)}),
        ("mov rax, [r15+0x48]; add r15, 0x38; mov [r10+0x1c8], r15; mov [r10+0x7d], al", {(0x7D, 1)}),
        ("mov rax, [rdx-8]; sub rdx, 0x18; mov [rsi+0xb8], rax; mov [rsi+0x1c8], rdx", {(0xB8, 8)}),
        # Not loaded; loaded and then changed; noted in something else, or elsewhere.
        ("mov [rsi+0x7d], al; mov [rsi+0x1c8], rdx", set()),
        ("mov rax, [rdx-8]; mov rax, [rsp+8]; mov [rsi+0x7d], al; mov [rsi+0x1c8], rdx", set()),
        ("mov rax, [rdx-8]; mov [rsi+0x7d], al; mov [rdi+0x1c8], rdx", set()),
        ("mov rax, [rdx-8]; mov [rsi+0x7d], al; mov [rsi+0x1d0], rdx", set()),
    ],
)
def test_where_an_arity_is_kept(tmp_path: Path, text: str, found: set[tuple[int, int]]) -> None:
    assert arities(code(tmp_path, text), START, 0x1C8) == found
