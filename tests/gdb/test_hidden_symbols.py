"""A beam.smp that does not export its own symbols, or not all: whatever is asked for by its name is found all the same,
in a node that GDB starts."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tests.gdb.test_beam_info import rows
from tests.harness.erl import READY, installed_release, running
from tests.harness.gdb import Gdb, one_line_error
from tests.harness.patience import PATIENCE
from tests.harness.targets import FLAGS, Target

SYMBOL_SIZE = 24
"""Bytes of an `Elf64_Sym`, which begins with the 32-bit offset of the name."""

API = re.compile(r"enif_|driver_|erl_drv_|_(?!_jit)|std|main$")
"""What a build with hidden symbols exports: functions for NIFs and drivers; and what is of C's own libraries."""

SOME = {
    "erts_proc", "erts_atom_table", "the_active_code_index", "erts_no_schedulers", "erts_no_dirty_io_schedulers",
    "__jit_debug_register_code", "erts_continue_exit_process",
}  # fmt: skip


def without(source: Path, copy: Path, hidden: Callable[[str], bool]) -> None:
    """A copy of a program in whose table of symbols some have no name."""
    content = bytearray(source.read_bytes())
    with source.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".dynsym")
        assert isinstance(table, SymbolTableSection)
        for number, symbol in enumerate(table.iter_symbols()):
            if symbol["st_shndx"] != "SHN_UNDEF" and hidden(symbol.name):
                struct.pack_into("<I", content, table["sh_offset"] + number * SYMBOL_SIZE, 0)
    copy.write_bytes(content)
    copy.chmod(0o755)


@pytest.fixture(scope="module", params=["all", "some"])
def hidden(request: pytest.FixtureRequest, ebin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gdb]:
    """A session with a node that was started with a breakpoint in a module to be loaded, and has come to it."""
    release = installed_release()
    beam = tmp_path_factory.mktemp("hidden") / "beam.smp"
    without(release.beam, beam, (lambda name: not API.match(name)) if request.param == "all" else SOME.__contains__)
    arguments = release.arguments(ebin, "stages:start()", "-S", "1:1")
    with Gdb("--args", str(beam), *arguments, environment=release.environment()) as gdb:
        gdb.cmd("set breakpoint pending on")
        assert "not loaded yet" in gdb.cmd("beam-break stages:round/2")
        stop = gdb.go("run", timeout=2 * PATIENCE)
        assert stop.reason == "breakpoint-hit", stop
        yield gdb


def test_what_is_known_of_the_vm(hidden: Gdb) -> None:
    said = hidden.cmd("beam-info")
    shown = rows(said)
    release = installed_release()
    assert shown["Erlang/OTP"].endswith(f"erts {release.erts}")
    assert shown["schedulers"].startswith("1 normal, 1 dirty CPU, ")
    assert int(shown["processes"]) > 20
    assert int(shown["atoms"]) > 5000
    assert "built-in table" in shown["layouts"]
    assert "not found" not in shown
    assert re.search(r"^found: +.*erts_proc 0x[0-9a-f]+.*: by its shape; ", said, re.M)
    assert re.search(r"^found: +.*the_active_code_index 0x[0-9a-f]+", said, re.M)


def test_stacks_and_terms(hidden: Gdb) -> None:
    assert re.search(r"^#0 +stages:round/2 \(x0=\d+, x1=\[payload,\"of\",<<\"round\">>\]\) at ", hidden.cmd("bt"), re.M)
    shown = hidden.cmd("beam-bt")
    assert re.match(r"Process <0\.\d+\.0> stages, spawned as stages:loop/1: running on thread \d+", shown)
    assert "stages:loop/1" in shown
    assert hidden.cmd("eterm x1") == '[payload,"of",<<"round">>]\n'
    # From the first Erlang frame out, through process_main, to the thread's first function.
    outside = hidden.cmd("bt").rpartition("process_main")[2].splitlines()[1:]
    assert len(outside) >= 2


def test_steps(hidden: Gdb) -> None:
    before = hidden.cmd("beam-bt")
    after = hidden.cmd_running("beam-next", timeout=PATIENCE)
    assert re.search(r"stages:\w+/\d+ .* at \S*stages\.erl:\d+|^\d+\t", after, re.M), after
    assert hidden.cmd("beam-bt") != before


def test_it_can_be_run_again(hidden: Gdb) -> None:
    """Where it registers code is found anew: it may be another program by then."""
    recovered = r"^-\d+ +breakpoint +keep y .*\n(?:.*\n)?.*(0x[0-9a-f]+)"
    assert re.search(recovered, hidden.cmd("maintenance info breakpoints"), re.M)
    hidden.cmd("kill")
    assert "enif_open_resource_type" in hidden.cmd("maintenance info breakpoints")
    stop = hidden.go("run", timeout=2 * PATIENCE)
    assert stop.reason == "breakpoint-hit", stop
    assert re.search(r"^#0 +stages:round/2 ", hidden.cmd("bt"), re.M)


def test_before_it_has_begun_nothing_is_said_to_be_none(hidden: Gdb) -> None:
    """What the build is its own variables tell, which the dynamic linker has not relocated yet."""
    hidden.cmd("kill")
    hidden.go("starti")
    for command in ("beam-schedulers", "beam-ps", "beam-ets", "beam-nodes"):
        assert re.search("no built-in table|not found in this VM", one_line_error(hidden, command))


def test_another_program_is_no_beam() -> None:
    with Gdb("/bin/true") as gdb:
        assert one_line_error(gdb, "beam-info").splitlines()[0] == "this program is no beam.smp"


def test_a_program_that_is_only_where_the_stub_is(tmp_path: Path) -> None:
    """GDB reads it from there, but what it does not export is found in a file."""
    target = Target("amd64", 29)
    command = target.sandbox.command([*FLAGS, "-noinput", "-eval", f'io:format("{READY}~n").'])
    with running(command, tmp_path / "output") as process, Gdb("-iex", "set sysroot target:") as gdb:
        gdb.go(f"target remote | gdbserver --once --attach - {process.pid}")
        assert "it cannot be read here: give a copy of it (`file BEAM`" in one_line_error(gdb, "beam-info")
