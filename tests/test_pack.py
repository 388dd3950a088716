"""`beamgdb pack`: one file of a core file and what is needed to look at it, and what is refused of such files."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from beamgdb.pack import NoPack, unpack
from tests.harness.erl import Release
from tests.harness.gdb import GDB, REPOSITORY
from tests.harness.patience import PATIENCE


def beamgdb(*arguments: object, folder: Path, gdb: str = GDB) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "beamgdb", "--gdb", gdb, *map(str, arguments)], capture_output=True, text=True,
        timeout=3 * PATIENCE, env=environment, cwd=folder,
    )  # fmt: skip


@pytest.fixture(scope="module")
def packed(terms_core: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    done = beamgdb("pack", terms_core, "-o", folder / "it.tar.gz", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "it.tar.gz"


def test_what_is_in_it(packed: Path, terms_core: Path, release: Release) -> None:
    assert packed.stat().st_mode & 0o777 == 0o600
    with tarfile.open(packed) as tar:
        names = tar.getnames()
        core = tar.extractfile("core/core")
        assert core is not None
        assert core.read() == terms_core.read_bytes()
        program = tar.extractfile(f"core/root{release.beam}")
        assert program is not None
        assert program.read() == release.beam.read_bytes()
        readme = tar.extractfile("core/README.txt")
        assert readme is not None
        assert f"root{release.beam}" in readme.read().decode()
    assert any(name.rpartition("/")[2] == "libc.so.6" for name in names)
    assert f"core/root{REPOSITORY}/tests/erl/terms.erl" in names


def test_a_report_of_it_is_that_of_the_core(packed: Path, terms_core: Path, tmp_path: Path) -> None:
    """And of a folder that tar has unpacked it to; nothing is left of what is unpacked for a report."""
    subprocess.run(["tar", "xf", packed, "-C", tmp_path], check=True)
    reports = [
        json.loads(beamgdb("report", "--json", one, folder=packed.parent).stdout)
        for one in (terms_core, packed, tmp_path / "core")
    ]
    assert reports[0] == reports[1] == reports[2]
    assert [path.name for path in packed.parent.iterdir()] == [packed.name]


def test_libraries_are_those_in_it(packed: Path, tmp_path: Path, start_gdb: Callable[..., object]) -> None:
    found = unpack(packed, tmp_path)
    said = subprocess.run(
        [GDB, "-nx", "-batch", "-iex", f"set sysroot {found.sysroot}", found.program, found.core, "-ex",
         "info sharedlibrary"],
        capture_output=True, text=True, timeout=PATIENCE,
    ).stdout  # fmt: skip
    lines = [line for line in said.splitlines() if ".so" in line and "linux-vdso" not in line and " No " in line]
    assert lines == []
    assert f"{found.sysroot}/" in said


def test_without_gdb(terms_core: Path, tmp_path: Path) -> None:
    """No sources then: the core file itself tells the rest."""
    done = beamgdb("pack", terms_core, folder=tmp_path, gdb="no-such-gdb")
    assert done.returncode == 0
    with tarfile.open(tmp_path / "core.tar.gz") as tar:
        assert not any(name.endswith(".erl") for name in tar.getnames())


def test_no_file_is_overwritten(terms_core: Path, tmp_path: Path) -> None:
    (tmp_path / "core.tar.gz").write_text("mine")
    done = beamgdb("pack", terms_core, folder=tmp_path, gdb="no-such-gdb")
    assert (done.returncode, done.stderr) == (1, "beamgdb: core.tar.gz is there already: name another file with -o\n")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("core.tar.gz", "mine")]


def hostile(path: Path, name: str, link: str | None = None, kind: bytes = tarfile.SYMTYPE) -> Path:
    """A pack with one member too many."""
    with tarfile.open(path, "w:gz") as tar:
        for known, text in (("x/pack.json", '{"program": "/p"}'), ("x/core", "core"), ("x/root/p", "program")):
            member = tarfile.TarInfo(known)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        member = tarfile.TarInfo(name)
        if link is not None:
            member.type, member.linkname = kind, link
        tar.addfile(member)
    return path


@pytest.mark.parametrize(
    ("name", "link", "kind"),
    [
        ("/tmp/out", None, b""), ("../out", None, b""), ("x/../../out", None, b""), ("x/l", "/etc", tarfile.SYMTYPE),
        ("x/l", "../..", tarfile.SYMTYPE), ("x/l", "..", tarfile.SYMTYPE), ("x/root/lib", "usr/../..", tarfile.SYMTYPE),
        ("x/l", "/etc/passwd", tarfile.LNKTYPE), ("x/l", "x/core", tarfile.LNKTYPE), ("x/d", "", tarfile.CHRTYPE),
        ("x/f", "", tarfile.FIFOTYPE),
    ],
)  # fmt: skip
def test_what_would_lead_out_of_it(tmp_path: Path, name: str, link: str | None, kind: bytes) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    with pytest.raises(NoPack):
        unpack(hostile(tmp_path / "pack", name, link, kind), inside)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "pack"]
    assert [one.name for one in (tmp_path / "a").iterdir()] == ["b"]
    assert not any(one.is_symlink() for one in inside.rglob("*"))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_without_bound(tmp_path: Path, kind: bytes) -> None:
    """It is read into memory, and a little of gzip may be very much."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, 8 << 20
    path = tmp_path / "it.tar.gz"
    path.write_bytes(gzip.compress(member.tobuf(tarfile.USTAR_FORMAT) + bytes(member.size)))
    with pytest.raises(NoPack, match="a header of 8388608 bytes"):
        unpack(path, tmp_path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_without_end(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, 12
    header = member.tobuf(tarfile.USTAR_FORMAT) + b"12 path=abc\n".ljust(512, b"\0")
    path = tmp_path / "it.tar.gz"
    path.write_bytes(gzip.compress(2000 * header))
    with pytest.raises(NoPack, match="too many headers before a file"):
        unpack(path, tmp_path)


def test_what_is_no_pack(tmp_path: Path, packed: Path) -> None:
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(packed.read_bytes()[:100_000])
    for wrong in (cut, tmp_path):
        done = beamgdb("report", wrong, folder=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(f"beamgdb: {wrong}: no ")
