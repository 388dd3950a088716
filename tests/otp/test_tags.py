"""Tags of terms: what all known releases share, and what Debian's own binaries tell of them."""

from __future__ import annotations

import pytest

from jit.otp import tags
from jit.otp.layouts.executable import Executable
from jit.otp.tags import HEADERS_IN_BITS, HEADERS_IN_BYTES, RELEASES, Kind, tag_scheme
from jit.sandbox import PAIRS, Sandbox
from jit.sandbox.pairs import Pair

#: The releases that export tags (erl_etp.c).
ETP_TAGS = (27, 28)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("word_size", [4, 8])
def test_headers_without_a_release_are_those_of_all(release: int, word_size: int) -> None:
    scheme = tag_scheme(release, word_size)
    for header, kind in (
        (tags.TUPLE_HEADER, Kind.TUPLE),
        (tags.BIG_HEADER, Kind.POS_BIG),
        (tags.BIG_HEADER | tags.BIG_SIGN, Kind.NEG_BIG),
        (tags.FUN_HEADER, Kind.FUN),
        (tags.FLOAT_HEADER, Kind.FLOAT),
        (tags.SIGNAL_HEADER, Kind.EXTERNAL_PID),
    ):
        assert scheme.kind(header | 7 << tags.ARITY_SHIFT) is kind


def test_headers_of_bit_strings_are_those_of_the_release() -> None:
    for headers, release in ((HEADERS_IN_BYTES, 25), (HEADERS_IN_BITS, 27), (HEADERS_IN_BITS, 29)):
        scheme = tag_scheme(release, 4)
        assert {kind: scheme.kind(header) for kind, header in headers.items()} == {kind: kind for kind in headers}


def test_what_only_some_releases_have() -> None:
    found = {
        kind: {release for release in RELEASES if kind in tag_scheme(release, 8).subtags}
        for kind in (Kind.MATCH_STATE, Kind.FUN_REF, Kind.RECORD)
    }
    assert found == {Kind.MATCH_STATE: {25, 26}, Kind.FUN_REF: {27}, Kind.RECORD: {29}}
    assert tag_scheme(29, 8).told()["etp_bin_ref_subtag"] == 10 << tags.SUBTAG_SHIFT
    assert "etp_record_subtag" not in tag_scheme(29, 8).told()


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.otp in ETP_TAGS], ids=lambda pair: pair.name)
def test_a_stock_vm_tells_the_same(pair: Pair) -> None:
    """In numbers that it exports."""
    sandbox = Sandbox(pair.arch, pair.otp).ensure()
    (beam,) = sandbox.otp_root.glob("erts-*/bin/beam.smp")
    executable = Executable(beam)
    word_size = 4 if pair.arch == "armhf" else 8
    for name, number in tag_scheme(pair.otp, word_size).told().items():
        address = executable.symbol(name)
        assert address is not None, name
        data = executable.read(address, word_size)
        assert data is not None
        assert (name, int.from_bytes(data, "little")) == (name, number)


def test_what_is_clear_in_pointers_alone() -> None:
    primary = range(tags.PRIMARY_MASK + 1)
    assert [tag for tag in primary if not tag & tags.NOT_CONS] == [tags.HEADER, tags.CONS]
    assert [tag for tag in primary if not tag & tags.NOT_BOXED] == [tags.HEADER, tags.BOXED]
