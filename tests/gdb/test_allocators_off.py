"""Memory of a node some of whose allocators are switched off, so that nobody counts what malloc has given instead."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.gdb.test_hidden_symbols import API, without
from tests.harness.erl import READY, Release, running
from tests.harness.gdb import Gdb

OFF = "which is switched off"


@contextmanager
def attached(beam: Path, release: Release, ebin: Path, output: Path, *flags: str) -> Iterator[Gdb]:
    """GDB with a node that says whether it knows itself."""
    expression = f'io:format("~p~n{READY}~n", [catch element(1, erlang:memory())])'
    with pytest.MonkeyPatch.context() as patch:
        for name, value in release.environment().items():
            patch.setitem(os.environ, name, value)
        command = [str(beam), *release.arguments(ebin, expression, *flags)]
        with running(command, output) as process, Gdb() as gdb:
            gdb.attach(process.pid)
            assert "notsup" in output.read_text()
            yield gdb


def test_one(ebin: Path, release: Release, tmp_path: Path) -> None:
    with attached(release.beam, release, ebin, tmp_path / "output", "-MBe", "false") as gdb:
        rows = {row["kind"]: row for row in json.loads(gdb.cmd("beam-memory -json"))}
        assert rows["binary"] == {"kind": "binary", "size": None, "without": f"binary_alloc, {OFF}"}
        assert {kind for kind, row in rows.items() if row["size"] is None} == {"binary", "total", "system"}
        assert rows["total"]["without"] == "binary_alloc: switched off"
        assert min(rows[kind]["size"] for kind in ("processes", "ets", "literals")) > 50_000
        assert "(size is not known of 3 kinds of memory: they are left out)" in gdb.cmd("beam-memory -where size<1")


def test_all_that_can_be_in_a_program_that_hides_its_symbols(ebin: Path, release: Release, tmp_path: Path) -> None:
    """Where the table of allocators is found by those that are left."""
    beam = tmp_path / "beam.smp"
    without(release.beam, beam, lambda name: not API.match(name))
    with attached(beam, release, ebin, tmp_path / "output", "-Mea", "min") as gdb:
        left = {row["allocator"] for row in json.loads(gdb.cmd("beam-allocators -json"))}
        assert {"temp_alloc", "literal_alloc"} <= left
        rows = {row["kind"]: row["size"] for row in json.loads(gdb.cmd("beam-memory -json"))}
        assert (rows["processes"], rows["binary"], rows["ets"]) == (None, None, None)
        assert rows["literals"] > 50_000
