"""Releases that tests of native code are run for."""

from __future__ import annotations

import os
from typing import Final, Literal

import pytest

from jit.erts.layout import RELEASES

#: Whether all tests are run for all releases, and in all modes. Two processors take an hour for that.
EVERYTHING: Final = os.environ.get("BEAMGDB_TEST_ALL") == "1"

#: Those of which all tests are run. Of others those are that may fail there alone, which `each_release` marks: what the
#: rest look at is the same in all of them.
MOST_TESTS: Final = RELEASES if EVERYTHING else (27,)


def parametrize(metafunc: pytest.Metafunc, fixture: str, scope: Literal["module", "session"]) -> None:
    """Have a test that uses a fixture, whose parameter is a release, run for those that it is for."""
    names = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if fixture in metafunc.fixturenames and not any(fixture in one for one in names):
        is_each = metafunc.definition.get_closest_marker("each_release") is not None
        metafunc.parametrize(fixture, RELEASES if is_each else MOST_TESTS, indirect=True, scope=scope)
