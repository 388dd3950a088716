"""Where debug information of a stripped beam.smp may be that has no built-in table, and what is made of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jit.otp.layouts.executable import Executable
from jit.otp.layouts.layout import Layout, load_table
from tests.gdb.test_unknown_release import write_other_release
from tests.harness import debug_file
from tests.harness.erl import READY, Release, running
from tests.harness.gdb import Gdb
from tests.harness.patience import PATIENCE


@dataclass(frozen=True)
class Patched:
    """A node of a patch release that nobody has a table for, its beam.smp, and the debug file of that in a folder as
    Debian has them. `version` is that of erts."""

    version: str
    pid: int
    beam: Path
    debug: Path
    folder: Path


@pytest.fixture(scope="module")
def layout(release: Release) -> Layout:
    found = load_table(release.erts, "x86_64", "jit")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def patched(
    ebin: Path, release: Release, layout: Layout, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Patched]:
    folder = tmp_path_factory.mktemp("patched")
    beam, debug = folder / "beam.smp", folder / "beam.debug"
    version = f"{release.erts[:-1]}9"
    write_other_release(release.beam, beam, version, str(release.otp))
    debug_file.write(beam, layout, debug)
    build_id = Executable(beam).build_id
    assert build_id is not None
    by_id = folder / "debug" / ".build-id" / build_id[:2]
    by_id.mkdir(parents=True)
    (by_id / f"{build_id[2:]}.debug").symlink_to(debug)
    served = folder / "served" / "buildid" / build_id
    served.mkdir(parents=True)
    (served / "debuginfo").symlink_to(debug)
    with node_of(beam, release, ebin) as pid:
        yield Patched(version, pid, beam, debug, folder)


@contextmanager
def node_of(beam: Path, release: Release, ebin: Path) -> Iterator[int]:
    """The process of a node that a beam.smp runs."""
    with pytest.MonkeyPatch.context() as patch, tempfile.NamedTemporaryFile() as output:
        for name, value in release.environment().items():
            patch.setitem(os.environ, name, value)
        command = [str(beam), *release.arguments(ebin, f'io:format("{READY}~n")', "-S", "2:2")]
        with running(command, Path(output.name)) as process:
            yield process.pid


def objcopy(*arguments: str | Path) -> None:
    subprocess.run(["objcopy", *map(str, arguments)], check=True, timeout=PATIENCE)


def attached(patched: Patched, *settings: str) -> tuple[Gdb, str]:
    """A session, and what it has said so far."""
    gdb = Gdb(*(word for setting in settings for word in ("-iex", setting)))
    return gdb, gdb.attach(patched.pid) + gdb.cmd("echo")


def assert_works(gdb: Gdb, origin: str) -> None:
    """Processes are shown, by fields that lie as `origin` has them."""
    assert re.search(rf"^layouts: +{origin}", gdb.cmd("beam-info"), re.M)
    assert "supervisor" in gdb.cmd("beam-bt kernel_sup")


@contextmanager
def debuginfod(folder: Path) -> Iterator[str]:
    """The address of a server of debug information."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_folder_of_debug_files(patched: Patched) -> None:
    gdb, _ = attached(patched, f"set debug-file-directory {patched.folder / 'debug'}")
    with gdb:
        assert_works(gdb, rf"debug information of \S*{patched.folder.name}\S*\.debug$")


def test_a_debuginfod_server(patched: Patched, tmp_path: Path) -> None:
    with debuginfod(patched.folder / "served") as url:
        own = {"DEBUGINFOD_URLS": url, "DEBUGINFOD_CACHE_PATH": str(tmp_path), "no_proxy": "127.0.0.1"}
        with Gdb("-iex", "set debuginfod enabled on", environment=os.environ | own) as gdb:
            gdb.attach(patched.pid)
            assert_works(gdb, rf"debug information of {re.escape(str(tmp_path))}\S*$")


def test_a_debug_link(patched: Patched, tmp_path: Path, release: Release, ebin: Path) -> None:
    """In a program without build id, which GDB finds by its name and checksum."""
    beam = tmp_path / "beam.smp"
    debug = tmp_path / ".debug" / "beam.debug"
    debug.parent.mkdir()
    objcopy("--remove-section=.note.gnu.build-id", patched.debug, debug)
    objcopy("--remove-section=.note.gnu.build-id", "--remove-section=.gnu_debuglink", patched.beam, beam)
    objcopy(f"--add-gnu-debuglink={debug}", beam)
    with node_of(beam, release, ebin) as pid, Gdb() as gdb:
        gdb.attach(pid)
        assert_works(gdb, rf"debug information of {re.escape(str(debug))}$")


@pytest.mark.parametrize("command", ["symbol-file", "add-symbol-file"])
def test_it_is_given_by_hand(patched: Patched, tmp_path: Path, command: str) -> None:
    """While the program is debugged, which is noticed and said: by the next prompt or command. What is not known to be
    of the program is not used, whatever it says."""
    other = tmp_path / "beam.debug"
    shutil.copy(patched.debug, other)
    objcopy("--remove-section=.note.gnu.build-id", other)
    gdb, said = attached(patched)
    with gdb:
        assert "beamgdb: layouts: fields of " in said
        for file in (other, patched.debug):
            said = gdb.cmd(f"{command} {file}") + gdb.cmd("beam-info")
            is_used = file == patched.debug
            assert (f"beamgdb: layouts: debug information of {file}\n" in said) == is_used
            assert (f"the debug information of {file} is not used: it has no build id" in said) != is_used
            assert ("proved on this target\n" in said) != is_used
            # What `symbol-file` has taken away is had again by it.
            again = f", and `symbol-file {patched.beam}` for the program's own symbols again\n"
            assert (again in said) == (command == "symbol-file" and not is_used)
        assert_works(gdb, rf"debug information of {patched.debug}$")


def test_a_similar_build(patched: Patched, tmp_path: Path, layout: Layout, release: Release) -> None:
    """Its fields are taken, and it is said in what it differs; those of one with which processes make no sense are
    not."""
    similar, other = tmp_path / "similar.smp", tmp_path / "other.smp"
    debug_file.write(release.beam, layout, similar, build_id=bytes(20))
    debug_file.write(release.beam, grown(layout), other, build_id=bytes(20))
    gdb, _ = attached(patched)
    with gdb:
        said = gdb.cmd(f"set beam-layout-from {other}")
        assert re.search(rf"^beamgdb: beam-layout-from: {other}: .* makes no sense by it\S*$", said, re.M)
        assert gdb.cmd("show beam-layout-from") == "No file is set.\n"
        assert re.search(r"^layouts: +fields of \S+, proved on this target$", gdb.cmd("beam-info"), re.M)
        said = gdb.cmd(f"set beam-layout-from {similar}")
        difference = f"another build: erts {release.erts}, this is {patched.version}"
        assert f"beamgdb: layouts: debug information of {similar}, {difference}\n" in said
        assert_works(gdb, rf"debug information of {similar}, {difference}$")
        gdb.cmd("set beam-layout-from")
        assert re.search(r"^layouts: +fields of \S+, proved on this target$", gdb.cmd("beam-info"), re.M)
        said = gdb.cmd(f"set beam-layout-from {patched.debug}")
        assert f"{patched.debug}, the program's own build\n" in said
        assert "beam-layout-from: /nowhere is no file" in gdb.cmd("set beam-layout-from /nowhere", check=False)


def test_a_similar_build_that_is_none(layout: Layout, release: Release, ebin: Path, tmp_path: Path) -> None:
    """Where a node has just begun there is nothing yet that speaks against it."""
    other = tmp_path / "other.smp"
    debug_file.write(release.beam, grown(layout), other, build_id=bytes(20))
    arguments = release.arguments(ebin, "stages:start()", "-S", "1:1")
    with Gdb("--args", str(release.beam), *arguments, load="-x", environment=release.environment()) as gdb:
        gdb.cmd(f"set beam-layout-from {other}")
        gdb.cmd("beam-break stages:round/2")
        gdb.go("run", timeout=2 * PATIENCE)
        said = gdb.cmd("beam-info")
        assert re.search(rf"^beamgdb: beam-layout-from: {other}: .* makes no sense by it\S*$", said, re.M)
        assert re.search(r"^layouts: +built-in table ", said, re.M)


def grown(layout: Layout) -> Layout:
    """A layout in which a process has a word more, at its beginning."""
    process = layout.structs["Process"]
    fields = {name: field._replace(offset=field.offset + 8) for name, field in process.fields.items()}
    structs = {**layout.structs, "Process": replace(process, size=layout.size("Process") + 8, fields=fields)}
    return replace(layout, structs=structs)
