"""`beam-info`: what it says is what the node says of itself."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.gdb.conftest import Looking
from tests.harness.core import dump_core
from tests.harness.erl import running_node
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE


def rows(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def facts(path: Path) -> dict[str, str]:
    """What facts.erl wrote."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return dict(line.split("\t") for line in path.read_text().splitlines())


@pytest.mark.parametrize("schedulers", ["1:1", "2:2"])
def test_counts(ebin: Path, tmp_path: Path, schedulers: str) -> None:
    path, core = tmp_path / "facts", tmp_path / "core"
    flags = ("+S", schedulers, "+SDcpu", "1:1", "+SDio", "3", "+MIscs", "32")
    with running_node(ebin, f'terms:start(), facts:start("{path}")', *flags) as node:
        expected = facts(path)
        with Gdb() as gdb:
            gdb.attach(node.pid)
            attached = rows(gdb.cmd("beam-info"))
            built = gdb.cmd("beam-info -config").splitlines()
        dump_core(node, core)
        with Gdb(str(node.release.beam), str(core)) as gdb:
            of_core = rows(gdb.cmd("beam-info"))
    assert built[0] == expected["cflags"]
    assert "#define HAVE_PTHREAD_H 1" in built[1:]
    for shown in (attached, of_core):
        assert shown["Erlang/OTP"].startswith(expected["otp_release"])
        assert expected["erts_version"] in shown["Erlang/OTP"]
        assert ("JIT" in shown["flavour"]) is (expected["flavor"] == "jit")
        assert shown["architecture"] == "x86_64, 64 bits"
        assert re.findall(r"\d+", shown["schedulers"]) == [
            expected["schedulers"], expected["dirty_cpu_schedulers"], expected["dirty_io_schedulers"],
        ]  # fmt: skip
        assert shown["node"] == expected["node"]
        assert shown["other threads"] == f"{expected['async_threads']} async, 1 poll"
        assert shown["processes"] == expected["processes"]
        assert shown["atoms"] == expected["atoms"]
        modules, functions = re.findall(r"\d+", shown["code"])[:2]
        assert modules == expected["modules"]
        assert functions == expected["functions"]
        assert "table" in shown["layouts"]
        assert expected["otp_release"] in shown["layouts"]
        assert re.search(r"\d+\.\d+ s", shown["symbols"])


def test_a_stable_answer(looking: Looking) -> None:
    assert looking.gdb.cmd("beam-info") == looking.gdb.cmd("beam-info")
    assert "Usage: beam-info" in looking.gdb.cmd("help beam-info")
