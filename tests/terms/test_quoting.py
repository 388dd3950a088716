"""Atoms as Erlang writes them are read back as the same names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beamgdb.terms.quoting import atom, bare, quoted, runtime_atom, unquoted

NAMES = st.text(st.sampled_from("aZ_@'\\\"\n\r\0\x1b\x7f\x85é☃0{}^x ") | st.characters(), max_size=12)


@given(NAMES)
def test_names_come_back(name: str) -> None:
    for written in (runtime_atom(name), quoted(name, "'"), atom(name, 27)):
        assert unquoted(written) == name


def test_escapes_that_only_users_write() -> None:
    assert unquoted(r"'\x{1F600}\x41\101\^A\s\z'") == "\U0001f600AA\x01 z"
    assert unquoted(r"'\x{110000}'") == r"\x{110000}"
    assert unquoted("plain") == "plain"


@pytest.mark.parametrize("text", [*"\0\x1b\x7f\x9b\u061c\u200b\u200e\u2028\u202e\u2067\ufeff\U000e0041\udc80"])
def test_nothing_commands_a_terminal(text: str) -> None:
    for written in (runtime_atom(text), quoted(text, '"'), atom(text, 27), bare(text)):
        assert written.isascii()
        assert written.isprintable()


def test_words_of_all_languages_stay() -> None:
    """Files are found by such names: Persian with a joiner that is not seen, blanks of other scripts, a soft hyphen."""
    text = "می\u200cخواهم 東京\u3000n\xadz\xa0😀\u200d💻"
    assert bare(text) == text
