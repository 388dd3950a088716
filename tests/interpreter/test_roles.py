"""Where `process_main` keeps the state of Erlang code, from real handlers."""

from __future__ import annotations

import pytest

from beamgdb.interpreter.operations import Unsupported
from beamgdb.interpreter.roles import recover
from tests.interpreter.handlers import BY_RELEASE, OTP_25, OTP_27, ROLES, Handlers, follower, listed

WORD = 4


@pytest.mark.parametrize("release", BY_RELEASE)
def test_stripped_builds_of_debian(release: int) -> None:
    handlers = BY_RELEASE[release]
    assert recover(listed(handlers), follower(handlers), WORD, 0) == ROLES[release]


def test_handlers_that_disagree_are_not_believed() -> None:
    mixed: Handlers = OTP_27 | {"move_cx": (OTP_27["move_cx"][0], OTP_25["move_cx"][1])}
    with pytest.raises(Unsupported, match=r"disagree on where its x registers is: r7 \(move_cx\), r8 \("):
        recover(listed(mixed), follower(mixed), WORD, 0)


@pytest.mark.parametrize("missing", ["put_list_rxx", "self_x"])
def test_one_handler_is_too_few(missing: str) -> None:
    fewer = {name: handler for name, handler in OTP_27.items() if name != missing}
    with pytest.raises(Unsupported, match="too few"):
        recover(listed(fewer), follower(fewer), WORD, 0)


def test_without_handlers_nothing_is_found() -> None:
    with pytest.raises(Unsupported, match="instruction was not found"):
        recover([], follower({}), WORD, 0)


def test_code_without_meaning_tells_nothing() -> None:
    nonsense = {name: (offset, "00" * (len(code) // 2)) for name, (offset, code) in OTP_27.items()}
    with pytest.raises(Unsupported):
        recover(listed(nonsense), follower(nonsense), WORD, 0)


def test_a_process_that_has_its_id_elsewhere_is_none() -> None:
    """`self` loads the word at c_p: with another place of the id, that is not it."""
    with pytest.raises(Unsupported, match="process was not found"):
        recover(listed(OTP_27), follower(OTP_27), WORD, 8)
