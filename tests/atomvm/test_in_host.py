"""Native code runs in a small machine of our own, whose collector moves all that lives whenever it is asked for memory,
and gives what Erlang/OTP gives."""

from __future__ import annotations

import subprocess
from itertools import product
from pathlib import Path

import pytest

from jit.atomvm import terms
from tests.atomvm import host
from tests.codegen.native_node import erlc, erlc_of
from tests.harness.patience import PATIENCE

SOURCE = Path(__file__).with_name("in_host.erl")
#: AtomVM, and so the machine, has these without what OTP tells beside them; and the machine prints no quotes.
EXPRESSION = '[io:format("~w~n", [R]) || R <- in_host:results()], halt().'


@pytest.fixture(scope="module")
def beam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By the Erlang that is installed."""
    return erlc(SOURCE, tmp_path_factory.mktemp("ebin"))


@pytest.fixture(scope="module")
def expected(beam: Path) -> list[str]:
    """What Erlang/OTP gives."""
    told = subprocess.run(
        ["erl", "-noshell", "-pa", beam.parent, "-eval", EXPRESSION],
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    return told.stdout.splitlines()


#: Code for ARMv7-M is that for ARMv6-M but for few instructions.
CASES = [one for one in product(host.TOOLS, (0, 29)) if one != ("armv6m+thumb2", 0)]


@pytest.mark.parametrize(("target", "otp"), [*CASES, ("x86_64", 27)])
def test_as_in_otp(tmp_path: Path, beam: Path, expected: list[str], target: str, otp: int) -> None:
    """Compiled by the Erlang that is installed, and by others, which make other operations."""
    lines = host.run(target, erlc_of(otp, SOURCE, tmp_path) if otp else beam, tmp_path).splitlines()
    assert lines[-1] == "ended after many collections and many turns"
    assert lines[:-1] == expected


def test_it_finds_mistakes(tmp_path: Path, beam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one in a list's cells: then the program does not give what it should, or ends."""
    monkeypatch.setattr(terms, "HEAD", terms.TAIL)
    with pytest.raises(AssertionError):
        host.run("x86_64", beam, tmp_path)
