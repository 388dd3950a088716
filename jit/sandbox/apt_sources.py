"""Where this system gets Debian's packages from, as its apt sources say (sources.list(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jit.sandbox.errors import SandboxError

APT_FOLDER = Path("/etc/apt")
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
#: Environment variable that names the archive, for systems whose sources name none.
OVERRIDE = "BEAMGDB_DEBIAN"

_ONE_LINE = re.compile(r"deb(?:-src)?\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+\S+")


@dataclass(frozen=True)
class Archive:
    """An archive of packages, and the file of the keys that sign it ("" if the source names no file)."""

    uri: str
    keyring: str = ""


def debian_archive(folder: Path = APT_FOLDER) -> Archive:
    """The Debian archive among the apt sources in `folder`, the keyring being Debian's where a source names none.

    Mirrors of security updates and other vendors are not it. Raises SandboxError.
    """
    if own := os.environ.get(OVERRIDE):
        return Archive(own.rstrip("/"), DEBIAN_KEYRING)
    found = next((archive for archive in _all(folder) if _is_debian(archive.uri)), None)
    if found is None:
        raise SandboxError(f"no Debian archive among the apt sources in {folder}: set {OVERRIDE} to the URI of one")
    return Archive(found.uri.rstrip("/"), found.keyring or DEBIAN_KEYRING)


def _all(folder: Path) -> Iterator[Archive]:
    parts = folder / "sources.list.d"
    for file in sorted(parts.glob("*.sources")):
        yield from deb822_archives(_lines(file))
    for file in (folder / "sources.list", *sorted(parts.glob("*.list"))):
        yield from one_line_archives(_lines(file))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _is_debian(uri: str) -> bool:
    """Whether the path of an archive says that it is Debian's: `debian`, or a snapshot below `debian`."""
    folders = urlsplit(uri).path.rstrip("/").split("/")
    return folders[-1] == "debian" or folders[-2:-1] == ["debian"] and folders[-1][:1].isdigit()


def deb822_archives(lines: Iterable[str]) -> Iterator[Archive]:
    """The enabled archives of a file `*.sources`: stanzas of fields with continuation lines."""
    for stanza in _stanzas(lines):
        if stanza.get("enabled", ["yes"])[:1] in (["no"], ["false"]):
            continue
        # A key itself may stand in place of the name of its file.
        signed = stanza.get("signed-by", [""])[:1]
        keyring = signed[0] if signed and signed[0].startswith("/") else ""
        for uri in stanza.get("uris", []):
            yield Archive(uri, keyring)


def _stanzas(lines: Iterable[str]) -> Iterator[dict[str, list[str]]]:
    """Each stanza as field name, in lower case, to its words."""
    stanza: dict[str, list[str]] = {}
    words: list[str] = []
    for line in (*lines, ""):
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza = {}
        elif line[0].isspace():
            words += line.split()
        else:
            name, _, value = line.partition(":")
            words = stanza.setdefault(name.strip().lower(), [])
            words += value.split()


def one_line_archives(lines: Iterable[str]) -> Iterator[Archive]:
    """The archives of a file `*.list`: `deb [OPTIONS] URI SUITE COMPONENTS`."""
    for line in lines:
        if matched := _ONE_LINE.match(line.strip()):
            yield Archive(matched["uri"], _signed_by((matched["options"] or "").split()))


def _signed_by(options: Sequence[str]) -> str:
    values = (option.partition("=")[2] for option in options if option.startswith("signed-by="))
    keyring = next(values, "").split(",")[0]
    return keyring if keyring.startswith("/") else ""
