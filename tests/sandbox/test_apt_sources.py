"""Where Debian's packages come from, for the ways in which systems say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jit.sandbox.apt_sources import DEBIAN_KEYRING, OVERRIDE, Archive, debian_archive
from jit.sandbox.errors import SandboxError

DEBIAN = "http://mirror.example/debian"


@pytest.fixture(autouse=True)
def _no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OVERRIDE, raising=False)


def archive(folder: Path, **files: str) -> Archive:
    """The archive that files say, named as `NAME_sources`, `NAME_list`, or `sources_list` for the one of old."""
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        stem, _, suffix = name.partition("_")
        where = folder / "sources.list" if name == "sources_list" else folder / "sources.list.d" / f"{stem}.{suffix}"
        where.write_text(text)
    return debian_archive(folder)


def test_deb822(tmp_path: Path) -> None:
    text = f"# Debian\nTypes: deb deb-src\nURIs: {DEBIAN}/\nSuites: bookworm\nComponents: main\nSigned-By: /k.gpg\n"
    assert archive(tmp_path, debian_sources=text) == Archive(DEBIAN, "/k.gpg")


def test_deb822_takes_the_first_stanza_that_is_debian(tmp_path: Path) -> None:
    text = (
        "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\n\n"
        "Types: deb\nEnabled: no\nURIs: http://old.example/debian\nSuites: bookworm\n\n"
        f"types: deb\n# a comment within\nuris: http://other.example/ubuntu\n  {DEBIAN}\nSuites: bookworm\n"
    )
    assert archive(tmp_path, debian_sources=text).uri == DEBIAN


def test_key_in_place_of_a_keyring(tmp_path: Path) -> None:
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----"
    text = f"Types: deb\nURIs: {DEBIAN}\nSuites: bookworm\nSigned-By:\n {key}\n"
    assert archive(tmp_path, debian_sources=text) == Archive(DEBIAN, DEBIAN_KEYRING)


def test_one_line(tmp_path: Path) -> None:
    text = (
        "# deb http://old.example/debian bookworm main\n"
        "deb https://mirror.example/debian-security bookworm-security main\n"
        f"deb [arch=amd64 signed-by=/k.gpg,/l.gpg] {DEBIAN}/ bookworm main contrib # ours\n"
    )
    assert archive(tmp_path, sources_list=text) == Archive(DEBIAN, "/k.gpg")


def test_one_line_without_options_of_a_part(tmp_path: Path) -> None:
    assert archive(tmp_path, some_list=f"deb-src {DEBIAN} bookworm main\n") == Archive(DEBIAN, DEBIAN_KEYRING)


def test_snapshot_of_a_day(tmp_path: Path) -> None:
    uri = "http://snapshot.example/archive/debian/20250520T000000Z"
    assert archive(tmp_path, sources_list=f"deb {uri} bookworm main\n").uri == uri


def test_no_debian(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=f"no Debian archive .* set {OVERRIDE}"):
        archive(tmp_path, sources_list="deb http://mirror.example/ubuntu noble main\n")


def test_override(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "http://near.example/mirror/")
    assert debian_archive(tmp_path) == Archive("http://near.example/mirror", DEBIAN_KEYRING)
