"""A build of which not all fields are known: what cannot be looked at is said to be unknown, and never counts as none.

Debug information without them is what hides them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jit.otp.layouts.layout import Layout, load_table
from tests.gdb.test_unknown_release import write_other_release
from tests.harness import debug_file
from tests.harness.erl import READY, Release, running
from tests.harness.gdb import Gdb, one_line_error

Without = Callable[..., Gdb]

QUEUES = ("sig_qs.len", "sig_qs.mq_len")
OUTER_QUEUES = ("sig_inq.len", "sig_inq.mlenoffs")
"""What counts messages, before OTP 27 and since then."""


@pytest.fixture(scope="module")
def without(ebin: Path, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Without]:
    """A session with a node that has a deadlock, in which fields of a structure are not known, if any are named."""
    folder = tmp_path_factory.mktemp("not-known")
    beam, output = folder / "beam.smp", folder / "output"
    write_other_release(release.beam, beam, release.erts.rpartition(".")[0] + ".99", str(release.otp))
    layout = load_table(release.erts, "x86_64", "jit")
    assert layout is not None
    command = [str(beam), *release.arguments(ebin, f'waiting:start(), io:format("{READY}~n")', "-S", "2:2")]
    with _environment(release), running(command, output) as process, Gdb() as gdb:
        gdb.attach(process.pid)

        def session(struct: str = "", *fields: str) -> Gdb:
            path = folder / "-".join(["types", struct, *fields])
            if not path.exists():
                debug_file.write(beam, _less(layout, struct, fields), path)
            said = gdb.cmd(f"symbol-file {path}") + gdb.cmd("beam-info")
            assert f"debug information of {path}" in said, said
            return gdb

        yield session


def _less(layout: Layout, struct: str, fields: tuple[str, ...]) -> Layout:
    if not struct:
        return layout
    whole = layout.structs[struct]
    assert any(map(whole.fields.__contains__, fields))
    left = {name: field for name, field in whole.fields.items() if name not in fields}
    return replace(layout, structs={**layout.structs, struct: replace(whole, fields=left)})


@contextmanager
def _environment(release: Release) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in release.environment().items():
            patch.setenv(name, value)
        yield


def rows(gdb: Gdb, command: str) -> list[dict[str, Any]]:
    """What a command lists, without the notes that follow."""
    return list(json.JSONDecoder().raw_decode(gdb.cmd(f"{command} -json"))[0])


@pytest.mark.parametrize(
    ("struct", "field"),
    [
        ("Process", "old_heap"), ("Process", "abandoned_heap"), ("Process", "mbuf_sz"), ("Process", "sig_inq.first"),
        ("Process", "sig_inq_buffers"), ("ErtsMessage", "data.attached"),
    ],
)  # fmt: skip
def test_a_part_of_memory_is_not_all_of_it(without: Without, struct: str, field: str) -> None:
    gdb = without(struct, field)
    assert {row["memory"] for row in rows(gdb, "beam-ps")} == {None}
    assert {row["memory"] for row in rows(gdb, "beam-top")} == {None}
    gdb.cmd("python import beamgdb")
    assert gdb.cmd("python print({one.memory for one in beamgdb.api.node().processes()})") == "{None}\n"


@pytest.mark.parametrize("fields", [QUEUES, OUTER_QUEUES, ("sig_qs.cont",), ("sig_inq_buffers",)])
def test_a_part_of_a_queue_is_not_all_of_it(without: Without, fields: tuple[str, ...]) -> None:
    gdb = without("Process", *fields)
    assert {row["queue"] for row in rows(gdb, "beam-ps")} == {None}


def why(gdb: Gdb) -> dict[str, Any]:
    """What `beam-why` tells, the text as one."""
    told: dict[str, Any] = json.loads(gdb.cmd("beam-why -json"))
    return {**told, "text": "\n".join(told["text"])}


NOT_LOOKED_AT = {
    "the memory of": ("Process", "old_heap"),
    "the queues of": ("Process", *QUEUES),
    "who waits for whom": ("ErtsMonitorData", "ref"),
    "who waits to send to ports": ("Port", "suspended"),
    "who waits to send to nodes": ("DistEntry", "suspended"),
    "how many atoms there may be": ("IndexTable", "limit"),
    "the memory of ETS tables": ("DbTableCommon", "counters.u.counters"),
}


@pytest.mark.parametrize("what", NOT_LOOKED_AT)
def test_what_cannot_be_looked_at_is_no_good_news(without: Without, what: str) -> None:
    told = why(without(*NOT_LOOKED_AT[what]))
    assert [one.startswith(what) for one in told["unknown"]] == [True]
    assert f"Not known: {told['unknown'][0]}." in told["text"]
    assert "no deadlock" not in told["text"]
    if what == "who waits for whom":
        assert "\nNo suspects in what is known.\n" in told["text"]
    else:
        assert "\n  1. a deadlock: " in told["text"]
    if what == "the memory of":
        assert told["process_memory"] is None
        assert (told["largest"], "Most memory" in told["text"]) == ([], False)


@pytest.mark.parametrize("missing", [("Process", "dictionary"), ("ProcDict", "data")])
def test_the_tree(without: Without, missing: tuple[str, ...]) -> None:
    """Not all processes are supervised by nobody."""
    gdb = without(*missing)
    assert f"{'.'.join(missing)}: unknown in " in one_line_error(gdb, "beam-tree")


CONDITIONS = {
    "beam-ps -where queue>1000": ("queue", "Process", *QUEUES),
    "beam-ps -where memory<1G -where name=w_a": ("memory", "Process", "old_heap"),
    "beam-top -where reductions>0": ("reductions", "Process", "reds"),
    "beam-ps -where label~work": ("label", "Process", "dictionary"),
    "beam-ports -where queue>=0": ("queue", "Port", "ioq.size"),
    "beam-schedulers -where ports>=0": ("ports", "ErtsRunQueue", "ports.info.len"),
}


@pytest.mark.parametrize("command", CONDITIONS)
def test_a_condition_on_what_is_not_known(without: Without, command: str) -> None:
    """No process is neither in nor out."""
    column, *missing = CONDITIONS[command]
    gdb = without(*missing)
    for form in ("", " -json"):
        assert f"{column} is not known of any of them" in one_line_error(gdb, command + form)


def test_an_order_by_what_is_not_known(without: Without) -> None:
    gdb = without("Process", "old_heap")
    shown = gdb.cmd("beam-ps -sort memory -limit 3").splitlines()
    assert shown[-1] == "(memory is not known of any of the processes: they are not sorted)"
    assert [line.split()[0] for line in shown[1:4]] == ["<0.0.0>", "<0.1.0>", "<0.2.0>"]


NOTES = {
    "beam-purge": ("Module", "old.code_hdr"),
    "beam-locks": ("DbTableCommon", "rwlock"),
    "beam-refs init": ("HashTable", "allocated"),
}


@pytest.mark.parametrize("command", NOTES)
def test_a_note_names_what_is_not_known(without: Without, command: str) -> None:
    """As it is, not as Python prints the name of a key."""
    name = ".".join(NOTES[command])
    shown = without(*NOTES[command]).cmd(command)
    assert f": {name}: unknown in debug information of " in shown
    assert "'" not in next(line for line in shown.splitlines() if name in line)


def test_a_process_in_full(without: Without) -> None:
    """What it may have is not among what it has not."""
    gdb = without("Process", "old_heap", "mbuf_sz", "dictionary")
    unknown = ["label", "old heap", "fragments"]
    assert json.loads(gdb.cmd("beam-process -json w_a"))["unknown"] == unknown
    shown = gdb.cmd("beam-process w_a")
    assert f"  not known:    {', '.join(unknown)}\n" in shown
    assert "not in the layout of this VM: Process.dictionary: unknown" in shown


def test_a_crash_dump(without: Without, tmp_path: Path) -> None:
    gdb, dump = without("Process", "old_heap"), tmp_path / "dump"
    gdb.cmd(f"beam-crashdump {dump}")
    text = dump.read_text()
    assert "\nStack+heap: " in text
    assert not re.search("^(Memory|OldHeap|OldHeap unused|processes): ", text, re.M)
    assert re.search(r"^=memory\nets: [0-9]+$", text, re.M)


def test_all_is_known(without: Without) -> None:
    """Else these tests would show nothing."""
    gdb = without()
    assert all(row["memory"] and row["queue"] is not None for row in rows(gdb, "beam-ps"))
    assert "not known" not in gdb.cmd("beam-process w_a")
    told = why(gdb)
    assert (told["unknown"], "Not known" in told["text"]) == ([], False), told["text"]
