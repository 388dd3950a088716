"""Real .beam files: those of the installed Erlang/OTP and Elixir, or of the folders that ``BEAM_FILES`` names."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

#: Modules that between them have nearly all operations.
SAMPLE = tuple("lists gb_trees io_lib io_lib_format gen_server maps base64 beam_lib erl_scan math".split())
ELIXIR_SAMPLE = "Elixir.Enum"


@cache
def erlang_files() -> tuple[Path, ...]:
    """All .beam files of Erlang's libraries."""
    if named := os.environ.get("BEAM_FILES"):
        return tuple(sorted(path for folder in named.split(":") for path in Path(folder).rglob("*.beam")))
    erl = shutil.which("erl")
    if erl is None:
        return ()
    return tuple(sorted((Path(erl).resolve().parent.parent / "lib").rglob("*.beam")))


@cache
def elixir_files() -> tuple[Path, ...]:
    """All .beam files of Elixir's libraries."""
    elixir = shutil.which("elixir")
    if elixir is None:
        return ()
    return tuple(sorted((Path(elixir).resolve().parent.parent / "lib").rglob("*.beam")))


@cache
def all_files() -> tuple[Path, ...]:
    """The files of both."""
    return erlang_files() + elixir_files()


def sample() -> list[Path]:
    """The files of ``SAMPLE``, and a module of Elixir if it is installed."""
    return [path for path in all_files() if path.stem in (*SAMPLE, ELIXIR_SAMPLE)]
