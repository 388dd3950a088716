"""Atoms and strings as Erlang writes them; `elixir_quoting` has how Elixir does.

Source: `io_lib.erl` and `erl_scan.erl` for what `~p` writes; `erl_printf_term.c` for names inside `fun m:f/a`, which
the runtime system writes by simpler rules. Characters that command a terminal or deceive who reads are always escaped,
also where Erlang would not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from jit.otp.features import MAYBE
from jit.system.controls import CONTROLS

_RESERVED: Final = frozenset(
    {
        "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case", "catch", "cond", "div",
        "end", "fun", "if", "let", "not", "of", "or", "orelse", "receive", "rem", "try", "when", "xor",
    }
)  # fmt: skip
#: Added by the feature `maybe_expr`, which is on by default from OTP 27.
_RESERVED_27: Final = _RESERVED | {"maybe", "else"}

_PLAIN_ATOM: Final = re.compile(r"[a-zß-öø-ÿ][a-zA-Z0-9_@ß-öø-ÿÀ-ÖØ-Þ]*", re.ASCII)
_PLAIN_NAME: Final = re.compile(r"[a-zß-öø-ÿ][a-zA-Z0-9_ß-öø-ÿÀ-ÖØ-Þ]*", re.ASCII)

_RUNTIME_ESCAPES: Final = {
    "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\b": "\\b", "\f": "\\f", "\\": "\\\\",
}  # fmt: skip
_ESCAPES: Final = _RUNTIME_ESCAPES | {"\x1b": "\\e", "\x7f": "\\d"}
#: Characters by the letter behind the backslash: all that Erlang reads, not only what it writes.
_MEANT: Final = {escape[1:]: character for character, escape in _ESCAPES.items()} | {"s": " "}
_ESCAPE: Final = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2}|\{[0-9a-fA-F]{1,6}\})|\^([@-_a-z])|(.))", re.DOTALL)

_CONTROL: Final = re.compile(f"[{CONTROLS}]")
_CONTROL_OR_BACKSLASH: Final = re.compile(rf"[{CONTROLS}\\]")

_PRINTABLE_LATIN1: Final = re.compile(r"[\n\r\t\v\b\f\x1b -~\xa0-\xff]*")
_PRINTABLE_UNICODE: Final = re.compile("[\n\r\t\v\b\f\x1b -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


def printable(text: str, unicode: bool) -> bool:
    """Whether Erlang shows a list of these characters as a string (`+pc unicode`, or the default `+pc latin1`)."""
    return bool((_PRINTABLE_UNICODE if unicode else _PRINTABLE_LATIN1).fullmatch(text))


def is_string(characters: Sequence[object]) -> bool:
    """Whether Erlang shows a list of these code points as a string."""
    return printable("".join(map(chr, characters)), unicode=True)  # type: ignore[arg-type]


def quoted(text: str, quote: str) -> str:
    """`text` between quotes, with Erlang's escapes."""
    return quote + _escaped(text, _ESCAPES).replace(quote, "\\" + quote) + quote


def has_control(text: str) -> bool:
    """Whether there is a character that is never shown as it is."""
    return _CONTROL.search(text) is not None


def atom(name: str, release: int) -> str:
    """An atom as `~tp` writes it in an OTP release."""
    reserved = _RESERVED_27 if MAYBE.of(release) else _RESERVED
    return name if _PLAIN_ATOM.fullmatch(name) and name not in reserved else quoted(name, "'")


def runtime_atom(name: str) -> str:
    """An atom as the runtime system writes it within a fun: reserved words are bare, `@` asks for quotes."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return "'" + _escaped(name, _RUNTIME_ESCAPES).replace("'", "\\'") + "'"


def unquoted(text: str) -> str:
    """The name of an atom that is written with quotes and Erlang's escapes (`erl_scan.erl`), or without."""
    if len(text) < 2 or not (text.startswith("'") and text.endswith("'")):
        return text
    return _ESCAPE.sub(_meant, text[1:-1])


def _meant(escape: re.Match[str]) -> str:
    """The character that an escape stands for; the escape itself, where it is none."""
    digits, code, control, other = escape.groups()
    if digits or code:
        number = int(digits, 8) if digits else int(code.strip("{}"), 16)
        return chr(number) if number <= sys.maxunicode else escape[0]
    return chr(ord(control) & 0x1F) if control else _MEANT.get(other, other)


def bare(name: str) -> str:
    """Text that is not to be quoted, or is already: only control characters are escaped."""
    return name if name.isprintable() else _escaped(name, _ESCAPES, _CONTROL)


def _escaped(text: str, named: Mapping[str, str], which: re.Pattern[str] = _CONTROL_OR_BACKSLASH) -> str:
    return which.sub(lambda match: named.get(match.group()) or _code_escape(ord(match.group())), text)


def _code_escape(code: int) -> str:
    return f"\\{code:03o}" if code < 0x100 else f"\\x{{{code:X}}}"
