"""What has to be stated of a release: one that is added with too little is told of by the names of what is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from jit.erts import layout as compiler
from jit.otp import features, vm_flags
from jit.otp.features import Feature
from jit.otp.layouts.layout import TABLES
from jit.otp.tags import RELEASES as WITH_TERMS
from jit.otp.tags import tag_scheme
from jit.sandbox import PAIRS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
NAMED: dict[str, Feature] = {name: one for name, one in vars(features).items() if isinstance(one, Feature)}


def read(table: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(table.read_text(encoding="utf-8"))
    return found


def tables() -> Iterator[int]:
    """The release of each table."""
    for table in map(read, TABLES.iterdir()):
        yield int(table["otp"].partition(".")[0])


RELEASES = sorted(set(tables()) | set(compiler.RELEASES) | {pair.otp for pair in PAIRS})


def has_terms(otp: int) -> bool:
    return all(tag_scheme(otp, size) for size in (4, 8))


def has_machines(otp: int) -> bool:
    """A table for each machine that there is a sandbox of."""
    names = {"armhf": "arm32", "arm64": "aarch64", "amd64": "x86_64"}
    there = {(table["arch"], table["otp"].partition(".")[0]) for table in map(read, TABLES.iterdir())}
    wanted = {(names[pair.arch], str(otp)) for pair in PAIRS if pair.otp == otp}
    return bool(wanted) and wanted <= there


def has_bifs(otp: int) -> bool:
    return str(otp) in json.loads(files("jit.erts").joinpath("bifs.json").read_text(encoding="utf-8"))


#: By name, whether it is there. A release that a sandbox or a table has needs all of it.
STATED: dict[str, Callable[[int], bool]] = {
    "the format of terms (jit/otp/tags.py)": has_terms,
    "states of processes (jit/otp/vm_flags.py)": lambda otp: bool(vm_flags.of_state(otp)),
    "a table of field offsets for each machine (jit/otp/layouts/tables)": has_machines,
    "a sandbox (jit/sandbox/pairs.py)": lambda otp: otp in {pair.otp for pair in PAIRS},
    "a row in the README": lambda otp: f"| Erlang/OTP {otp}." in README,
}

#: The same of what a release needs besides that native code is made for.
STATED_FOR_NATIVE: dict[str, Callable[[int], bool]] = {
    "flags of processes (jit/otp/vm_flags.py)": lambda otp: bool(vm_flags.numbers(otp)),
    "a runtime system for native code (jit/erts/layout.py)": lambda otp: compiler.load(otp).otp == otp,
    "its BIFs (jit/erts/bifs.json)": has_bifs,
}


def missing(otp: int, stated: dict[str, Callable[[int], bool]] = STATED) -> list[str]:
    """What is not stated of a release."""
    found = []
    for what, is_there in stated.items():
        try:
            if is_there(otp):
                continue
        except LookupError:
            pass
        found.append(what)
    return found


@pytest.mark.parametrize("otp", RELEASES)
def test_all_is_stated(otp: int) -> None:
    assert missing(otp) == []


@pytest.mark.parametrize("otp", compiler.RELEASES)
def test_all_is_stated_for_native_code(otp: int) -> None:
    assert missing(otp, STATED_FOR_NATIVE) == []


def test_of_a_release_that_nobody_knows_all_is_missing() -> None:
    assert missing(39) == list(STATED)
    assert missing(39, STATED_FOR_NATIVE) == list(STATED_FOR_NATIVE)


@pytest.mark.parametrize("release", WITH_TERMS)
def test_states_are_known_of_all_releases_whose_terms_are(release: int) -> None:
    """For processes of those are shown."""
    assert vm_flags.of_state(release)["EXITING"] == 1 << 11


def test_of_a_release_whose_other_flags_were_not_read_only_states_are_told() -> None:
    assert vm_flags.numbers(27)["ERTS_PSFLG_EXITING"] == vm_flags.of_state(28)["EXITING"]
    with pytest.raises(LookupError):
        vm_flags.numbers(28)


def test_a_release_has_no_flags_of_later_ones() -> None:
    newer = {name for name, _ in vm_flags.numbers(27).items() ^ vm_flags.numbers(25).items()}
    assert newer == {"FS_MON_MSGQ_LEN_LONG"}
    assert newer.isdisjoint(vm_flags.numbers(25))


@pytest.mark.parametrize("name", NAMED)
def test_features_are_used_and_have_a_source(name: str) -> None:
    """Each has a condition somewhere, or something that depends on it, and says where it is from."""
    assert re.search(r"\.[ch]\b|\.erl\b|pull request|print", NAMED[name].source)
    sources = (path for half in ("jit", "beamgdb") for path in (ROOT / half).rglob("*.py"))
    assert any(re.search(rf"\b{name}(\.of\(|, (True|False)\))", path.read_text()) for path in sources)


def test_no_condition_or_default_is_a_bare_release() -> None:
    """Conditions have names, and defaults follow from which releases there are."""
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for half in ("jit", "beamgdb")
        for path in (ROOT / half).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\b(otp|release)\b(: int)? *(<|>|=|!=)=? *\d", line)
    ]
    assert bare == []
