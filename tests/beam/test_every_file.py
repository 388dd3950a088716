"""Every .beam file of the installed Erlang/OTP and Elixir is read, and written again byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from jit.beam.chunks import read_chunks
from jit.beam.external import encode_term
from jit.beam.module import Module, encode_module, read_module
from tests.beam.sound_files import elixir_files, erlang_files


def check_written_again(module: Module) -> None:
    """Tables and code are made anew from what was read: nothing may have been lost or changed."""
    written = {chunk.name: chunk.data for chunk in read_chunks(encode_module(module), module.file)}
    for chunk in module.chunks:
        assert written.pop(chunk.name) == chunk.data, (module.file, chunk.name)
    assert not written


def check_literals_written_again(module: Module) -> None:
    table = module.literals
    for literal, external in zip(table.literals, table.external, strict=True):
        assert encode_term(literal.value) == external, (module.file, literal.index)


def check(files: tuple[Path, ...]) -> int:
    operations = 0
    for path in files:
        module = read_module(path)
        assert module.name == path.stem
        check_written_again(module)
        check_literals_written_again(module)
        operations += sum(len(function.operations) for function in module.functions)
    return operations


@pytest.mark.skipif(not erlang_files(), reason="Erlang is not installed")
def test_erlang() -> None:
    # erlang-base alone has 277 files with 0.6 million operations.
    assert len(erlang_files()) > 200
    assert check(erlang_files()) > 500_000


@pytest.mark.skipif(not elixir_files(), reason="Elixir is not installed")
def test_elixir() -> None:
    assert len(elixir_files()) > 200
    assert check(elixir_files()) > 200_000
