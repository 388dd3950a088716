"""`beamgdb pack`: one file with all that a look at a core file elsewhere needs, and what such a file is unpacked to.

A pack has one folder: `core`, `README.txt`, `pack.json`, which says where things are, and `root`, in which the program,
its libraries and sources have the paths that they had: GDB's sysroot. What a core file names may be anything, so only
programs, libraries and sources are taken; and a pack may be made by anybody, so nothing of it is written outside of the
folder that it is unpacked to.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from beamgdb import asked_gdb, core_file
from beamgdb.asked_gdb import Gdb, NoAnswer, Opened
from beamgdb.core_file import NoCore
from jit.system import whole_files
from jit.system.command_line import one_line

MANIFEST, CORE, ROOT, README = "pack.json", "core", "root", "README.txt"

LINKS: Final = ("lib", "lib32", "lib64", "libx32", "bin", "sbin")
"""Folders below / that many systems have as links to the one of that name in /usr: programs name both."""

SOURCES: Final = (".erl", ".hrl", ".ex", ".exs", ".yrl", ".xrl", ".gleam", ".lfe")
"""How the names of sources end."""

MAX_MEMBERS: Final = 1 << 20
MAX_BESIDE: Final = 1 << 16
"""Files in the folder of a library that are looked at."""

MAX_MANIFEST: Final = 1 << 20
MAX_HEADER: Final = 1 << 20
"""Bytes of what stands before the header of a member, and the kinds of that."""

BEFORE_HEADERS: Final = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip

STEP: Final = 1 << 20
"""Bytes that are copied at a time."""

LEVEL: Final = 3
"""Of gzip: most of a core file is zeros, or does not get smaller at a higher one."""

TOLD_SECONDS: Final = 1.0


class NoPack(Exception):
    """There is no pack, or no sound one; the text is one line that says why, and what to do."""


DESCRIPTION: Final = (
    "Make one file of a core file and all that is needed to look at it elsewhere: beam.smp, its libraries, and sources "
    "that are found. It holds all that the node had in memory: treat it as secret."
)


def arguments(parser: ArgumentParser) -> None:
    """Declare what `beamgdb pack` takes."""
    parser.add_argument("core", metavar="CORE", type=Path, help="the core file")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="the file to make (default: CORE.tar.gz here)"
    )
    parser.add_argument("--program", metavar="BEAM", type=Path, help="the beam.smp that wrote it")


def run(gdb: Gdb | None, wanted: Namespace) -> int:
    """Make a pack; the exit status. Without a GDB no sources are found. Raises `NoPack`, `NoAnswer`, OSError."""
    found = asked_gdb.opened(wanted.core, wanted.program)
    core, program = found.core, found.program.absolute()
    output: Path = wanted.output or Path(f"{core.name}.tar.gz")
    files, missing = _files(core, program)
    if gdb is not None:
        files += _sources(gdb, found)
    files = list(dict.fromkeys(files))
    try:
        with whole_files.new_file(output) as file:
            _write(file, core, program, files, missing)
    except FileExistsError:
        raise NoPack(f"{output} is there already: name another file with -o") from None
    megabytes = output.stat().st_size / 1e6
    print(f"{output}: {core.name}, {program.name} and {len(files) - 1} more files, {megabytes:.1f} MB")
    for name in missing:
        print(f"(not there: {one_line(name)})")
    return 0


def _files(core: Path, program: Path) -> tuple[list[Path], list[str]]:
    """The program and its libraries, and what of them is not there."""
    try:
        named = core_file.read(core).files()
    except NoCore as error:
        raise NoPack(str(error)) from None
    linker = core_file.interpreter(program)
    found, missing = [program], list[str]()
    for name in [*named, *([linker] if linker else [])]:
        path = Path(name)
        if not path.is_absolute() or ".." in path.parts:
            continue
        try:
            if core_file.is_elf(path):
                found.append(path)
        except OSError:
            missing.append(name)
        if not path.exists() and ".so" in path.name:
            missing.append(name)
    return found, missing


def _sources(gdb: Gdb, found: Opened) -> list[Path]:
    """The files here that modules were compiled from, by what they say of it."""
    paths: list[Path] = []
    for told in gdb.ask(found, "sources(TOKEN)"):
        if told["error"] is not None:
            raise NoAnswer(str(told["error"]))
        paths += (Path(one) for one in told["sources"] if "\0" not in one)
    return [
        one for one in paths if one.suffix in SOURCES and ".." not in one.parts and one.is_absolute() and one.is_file()
    ]


def _write(file: BinaryIO, core: Path, program: Path, files: Iterable[Path], missing: Iterable[str]) -> None:
    top = core.name
    manifest = {"program": _below_links(program)}
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=LEVEL, format=tarfile.PAX_FORMAT) as tar:
        for name, text in ((MANIFEST, json.dumps(manifest)), (README, _readme(top, program, missing))):
            data = text.encode(errors="backslashreplace")
            tar.addfile(_member(f"{top}/{name}", len(data)), io.BytesIO(data))
        for name in LINKS:
            if _is_linked(name):
                tar.addfile(_link(f"{top}/{ROOT}/{name}", f"usr/{name}"))
        for name, path in {_below_links(path): path for path in files}.items():
            _add(tar, f"{top}/{ROOT}{name}", path)
            for other in _other_names(path):
                tar.addfile(_link(f"{top}/{ROOT}{name.removesuffix(path.name)}{other}", path.name))
        _add(tar, f"{top}/{CORE}", core)


def _other_names(path: Path) -> Iterator[str]:
    """Links to a library beside it: programs name it by that."""
    if ".so" in path.name:
        beside = (one for one in islice(path.parent.iterdir(), MAX_BESIDE) if one.is_symlink())
        yield from (one.name for one in beside if str(one.readlink()) == path.name)


def _link(name: str, to: str) -> tarfile.TarInfo:
    link = _member(name, 0)
    link.type, link.linkname = tarfile.SYMTYPE, to
    return link


def _below_links(path: Path) -> str:
    """The path that a file has where those folders are links: none lies in a link."""
    first = path.parts[1]
    return f"/usr{path}" if first in LINKS and _is_linked(first) else str(path)


def _is_linked(name: str) -> bool:
    """Whether one of these folders is a link here."""
    path = Path("/", name)
    return path.is_symlink() and str(path.readlink()).strip("/") == f"usr/{name}"


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        told = _Told(file, path.name, size)
        tar.addfile(_member(name, size), told)
        told.end()


class _Told(io.RawIOBase):
    """A file that tells on a terminal how far it has been read."""

    def __init__(self, file: BinaryIO, name: str, size: int) -> None:
        self._file, self._name, self._size = file, name, size
        self._done, self._next, self._shown = 0, time.monotonic() + TOLD_SECONDS, False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._done += len(data)
        if time.monotonic() >= self._next and sys.stderr.isatty():
            self._next, self._shown = time.monotonic() + TOLD_SECONDS, True
            print(f"\r{one_line(self._name)}: {self._done >> 20} of {self._size >> 20} MB", end="", file=sys.stderr)
        return data

    def end(self) -> None:
        """All has been read."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _readme(top: str, program: Path, missing: Iterable[str]) -> str:
    lacks = "".join(f"    {one_line(one)}\n" for one in missing)
    return f"""A core file of an Erlang node, and what is needed to look at it.

It holds all that the node had in memory: treat it as secret.

    beamgdb report THIS_FILE      tells why the node died, without a prompt;
                                  THIS_FILE is the packed file, or this folder

In GDB, in this folder, with beamgdb installed (or `-ix gdbinit` of its folder):

    gdb-multiarch -iex 'set auto-load no' -iex 'set sysroot {ROOT}' \\
        -iex 'directory {ROOT}' -ix "$(beamgdb --print-loader)" \\
        {ROOT}{_below_links(program)} {CORE}

There `beam-why` tells the same, and `help beam` what else there is.
{f"{chr(10)}These libraries were not there when it was packed:{chr(10)}{chr(10)}{lacks}" if lacks else ""}"""


# -- unpacking ----------------------------------------------------------------------------------------------------


def is_packed(path: Path) -> bool:
    """Whether a file may be a pack. Raises OSError."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def unpack(path: Path, folder: Path) -> Opened:
    """Unpack into an empty folder. Raises `NoPack`, OSError."""
    links: list[tuple[Path, str]] = []
    try:
        with tarfile.open(path, "r|gz", tarinfo=_Bounded) as tar:
            for count, member in enumerate(tar):
                target = folder / _inside(path, member.name)
                if count >= MAX_MEMBERS:
                    raise NoPack(f"{path}: more than {MAX_MEMBERS} files")
                if member.isreg() and not member.issparse():
                    _extract(tar, member, target)
                elif member.issym() and _is_link(member):
                    links.append((target, member.linkname))
                elif not member.isdir():
                    raise NoPack(f"{path}: no pack of beamgdb: {one_line(member.name)} is neither a file nor a folder")
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise NoPack(f"{path}: no whole pack: {error}") from None
    except RecursionError:
        # (From each header before a member tarfile calls itself for the next one.)
        raise NoPack(f"{path}: no whole pack: too many headers before a file") from None
    # The last ones: so nothing was written through them.
    for target, to in links:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(to)
    tops = [one for one in folder.iterdir() if one.is_dir()]
    if len(tops) != 1:
        raise NoPack(f"{path}: no pack of beamgdb")
    return opened(tops[0])


class _Bounded(tarfile.TarInfo):
    """A header of a member. What stands before it, such as a long name, tarfile reads into memory, however long. It
    tells the size, then the type; by which function it reads them differs with Python's version."""

    _type = tarfile.REGTYPE

    @property
    def type(self) -> bytes:
        return self._type

    @type.setter
    def type(self, kind: bytes) -> None:
        if kind in BEFORE_HEADERS and self.size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        self._type = kind


def _inside(path: Path, name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise NoPack(f"{path}: no pack of beamgdb: {one_line(name)} would be outside of it")
    return name


def _is_link(member: tarfile.TarInfo) -> bool:
    """Whether a link leads to a file beside it, or is one of those folders."""
    parts, to = PurePosixPath(member.name).parts, member.linkname
    if to and "/" not in to and to not in (".", ".."):
        return True
    return len(parts) == 3 and parts[1] == ROOT and parts[2] in LINKS and to == f"usr/{parts[2]}"


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while data := content.read(STEP):
            # Zeros take no room: most of a core file is.
            if data.count(0) == len(data):
                file.seek(len(data), os.SEEK_CUR)
            else:
                file.write(data)
        file.truncate()


def opened(folder: Path) -> Opened:
    """The pack that was unpacked to a folder. Raises `NoPack`, OSError."""
    try:
        told = json.loads(whole_files.read(folder / MANIFEST, MAX_MANIFEST))
        program = PurePosixPath(told["program"])
    except (ValueError, KeyError, TypeError, IndexError, FileNotFoundError):
        raise NoPack(f"{folder}: no pack of beamgdb: it has no sound {MANIFEST}") from None
    if not program.is_absolute() or ".." in program.parts:
        raise NoPack(f"{folder}: no pack of beamgdb: it has no sound {MANIFEST}")
    found = Opened(folder / CORE, folder / ROOT / str(program).lstrip("/"), folder / ROOT)
    for path in (found.core, found.program):
        if not path.is_file():
            raise NoPack(f"{folder}: not whole: it has no {path.name}")
    return found


@contextmanager
def whatever(core: Path, program: Path | None) -> Iterator[Opened]:
    """A core file, the folder of a pack, or a pack, which is unpacked as long as that lasts. Raises `NoPack`,
    `NoAnswer`, OSError."""
    if core.is_dir():
        yield opened(core)
    elif is_packed(core):
        with tempfile.TemporaryDirectory(prefix="beamgdb-") as folder:
            yield unpack(core, Path(folder))
    else:
        yield asked_gdb.opened(core, program)
