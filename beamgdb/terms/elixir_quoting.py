"""Atoms, strings and names of functions as Elixir writes them.

Source: `Macro.inspect_atom/3` and `classify_atom/1` (macro.ex), `Code.Identifier.escape/4` (identifier.ex), and
`String.printable?/1` of Elixir 1.14 to 1.18. As in `quoting`, characters that command a terminal or deceive who reads
are always escaped, also where Elixir would not. Names in several scripts are between quotes where one of these versions
wants them, which all of them can read.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from beamgdb.terms.quoting import has_control, runtime_atom, unquoted
from jit.system.controls import CONTROLS

_ALIAS: Final = re.compile(r"Elixir(?:\.[A-Z][A-Za-z0-9_]*)*")
"""What an atom is that stands for a module of Elixir."""

_ASCII_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_@]*[?!]?")
_CALLED_NAME: Final = re.compile(r"[a-z_][A-Za-z0-9_]*[?!]?")

#: Operators that a quoted atom is not needed for, unary and binary (identifier.ex).
_OPERATORS: Final = frozenset(
    "& ! ^ not + - @ <- \\\\ when | = || ||| or && &&& and == != =~ === !== < <= >= > |> <<< >>> <<~ ~>> <~ ~> <~> in "
    "++ -- <> +++ --- * / **".split()
)
#: Those that need quotes as an atom, but none behind the dot of a call.
_QUOTED_OPERATORS: Final = frozenset(("::", "^^^", "~~~", "<|>"))
#: Other atoms that need no quotes, but do behind a dot.
_NOT_CALLABLE: Final = frozenset(("%", "%{}", "{}", "<<>>", "...", "..", ".", "..//", "->"))

_ESCAPES: Final = {
    "\a": "\\a", "\b": "\\b", "\x7f": "\\d", "\x1b": "\\e", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\\": "\\\\",
    "\t": "\\t", "\v": "\\v", "\0": "\\0", "#{": "\\#{",
}  # fmt: skip
_MEANT: Final = {escape[1:]: character for character, escape in _ESCAPES.items()}
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|[xu]\{([0-9A-Fa-f]{1,6})\}|(#\{|.))", re.DOTALL)
#: Blanks and marks that Elixir escapes from 1.15 on, besides.
_UNSEEN: Final = r"\xa0\u034f\u2000-\u200d\u205f\ufffc"
_ESCAPED: Final = re.compile(rf"#\{{|[{CONTROLS}{_UNSEEN}\\\ufffe\uffff]")

#: The first character behind Latin-1's controls, which are written with two digits.
_NO_CONTROL: Final = 0xA0
#: The last two of Unicode's first 65536 codes are of no characters.
_NO_CHARACTERS: Final = 0xFFFE

_PRINTABLE: Final = re.compile("[\n\r\t\v\b\f\x1b\x7f\a -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_ASCII_PRINTABLE: Final = re.compile("[\n\r\t\v\b\f\x1b\a -~]*")

#: Scripts that may stand together in an identifier, and what belongs to none. In 1.14 Latin may stand with these too
#: (UTS #39, "Highly Restrictive"), and later what "_" divides may be of any scripts.
_TOGETHER: Final = ({"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "BOPOMOFO"}, {"CJK", "HANGUL"})
_ANY_SCRIPT: Final = frozenset(("", "COMBINING", "MODIFIER", "MIDDLE", "IDEOGRAPHIC"))

_ERLANG_ATOM: Final = r"'(?:[^'\\]|\\.)*'|[^\s:'/]+"
_FUNCTION: Final = re.compile(rf"(?P<module>{_ERLANG_ATOM}):(?P<name>{_ERLANG_ATOM})(?P<rest>/[0-9]+.*)", re.DOTALL)


def printable(text: str) -> bool:
    """Whether Elixir shows a binary of these characters as a string."""
    return bool(_PRINTABLE.fullmatch(text))


def printable_charlist(text: str) -> bool:
    """Whether Elixir shows a list of these characters as a charlist."""
    return bool(_ASCII_PRINTABLE.fullmatch(text))


def quoted(text: str) -> str:
    """`text` between double quotes, with Elixir's escapes."""
    return '"' + _ESCAPED.sub(_escape, text).replace('"', '\\"') + '"'


def _escape(found: re.Match[str]) -> str:
    known = _ESCAPES.get(found[0])
    if known is not None:
        return known
    code = ord(found[0])
    if code < _NO_CONTROL:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code < _NO_CHARACTERS else f"\\x{{{code:X}}}"


def is_alias(name: str) -> bool:
    """Whether the atom of this name is written as an alias, `ShopWeb.Cart`."""
    return bool(_ALIAS.fullmatch(name))


def atom(name: str) -> str:
    """An atom as `inspect/1` writes it."""
    if name in ("nil", "true", "false"):
        return name
    if is_alias(name):
        return _alias(name)
    return f":{name if _is_plain(name) else quoted(name)}"


def key(name: str) -> str:
    """An atom that is a key in a keyword list or map, with its colon."""
    return f"{name if _is_plain(name) and not is_alias(name) else quoted(name)}:"


def _alias(name: str) -> str:
    """A name that begins with Elixir twice keeps that, for it would mean another atom without."""
    head, _, rest = name.partition(".")
    return name if not rest or rest.partition(".")[0] == head else rest


def _is_plain(name: str) -> bool:
    return name in _OPERATORS or name in _NOT_CALLABLE or bool(_ASCII_NAME.fullmatch(name)) or _is_letters(name)


def called(name: str) -> str:
    """The name of a function behind the dot of a call."""
    if name in _OPERATORS or name in _QUOTED_OPERATORS or _CALLED_NAME.fullmatch(name):
        return name
    return name if _is_letters(name) and not name[0].isupper() and "@" not in name else quoted(name)


def _is_letters(name: str) -> bool:
    """Whether a name with letters that are not ASCII is an identifier. Elixir takes none with letters that only look
    otherwise, or with those of several scripts that are not written together (tokenizer.ex)."""
    if name.isascii() or has_control(name):
        return False
    plain = (name[:-1] if name[-1] in "?!" else name).replace("@", "_") if name[0] != "@" else ""
    if not plain.isidentifier() or not unicodedata.is_normalized("NFKC", name):
        return False
    scripts = {_script(character) for character in name} - _ANY_SCRIPT
    return len(scripts) < 2 or any(scripts <= together for together in _TOGETHER)


def _script(character: str) -> str:
    """The script of a letter, a figure or a mark, by the first word of its name."""
    if character.isascii():
        return "LATIN" if character.isalpha() else ""
    return re.split("[ -]", unicodedata.name(character, ""))[0]


@lru_cache(maxsize=1 << 14)
def function(name: str) -> str:
    """The name of a function of an Elixir module, `ShopWeb.Cart.add!/2`, from that of its symbol,
    `'Elixir.ShopWeb.Cart':add!/2`, whatever follows it; any other text as it is."""
    if not name.startswith("'Elixir"):
        return name
    match = _FUNCTION.fullmatch(name)
    module = unquoted(match["module"]) if match is not None else ""
    if match is None or not is_alias(module):
        return name
    return f"{_alias(module)}.{called(unquoted(match['name']))}{match['rest']}"


def spellings(name: str) -> Iterator[str]:
    """Other ways to write the name of a function than that of its symbol: as Elixir does, and for a module of Elixir
    also with its full name before a colon."""
    match = _FUNCTION.fullmatch(name)
    if match is None:
        return
    module, local = unquoted(match["module"]), unquoted(match["name"])
    if is_alias(module):
        yield function(name)
        yield f"{module}:{local if _CALLED_NAME.fullmatch(local) else match['name']}{match['rest']}"
    else:
        yield f"{atom(module)}.{called(local)}{match['rest']}"


def symbol(module: str, name: str) -> tuple[str, str]:
    """A module and a function's name as symbols have them, from how Elixir writes them: an alias or an atom with its
    colon, and what stands behind the dot."""
    if module.startswith(":"):
        of_erlang = _meant(module[1:])
    else:
        of_erlang = module if module.partition(".")[0] == "Elixir" else f"Elixir.{module}"
    return runtime_atom(of_erlang), runtime_atom(_meant(name))


def typed_atoms(text: str) -> tuple[str, ...]:
    """The names of atoms that a user may mean, the likelier first: `customer` and `'a b'` are written as in Erlang,
    `:customer` and `:"a b"` as in Elixir, and `ShopWeb.Cart` may be an alias."""
    if text.startswith(":") and len(text) > 1:
        return (_meant(text[1:]),)
    alias = f"Elixir.{text}"
    return (unquoted(text), alias) if is_alias(alias) else (unquoted(text),)


def _meant(text: str) -> str:
    """A name that may be quoted."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    return _ESCAPE.sub(_character, text[1:-1])


def _character(escape: re.Match[str]) -> str:
    """What an escape stands for; the escape itself, where it is none."""
    digits = escape[1] or escape[2] or escape[3]
    if digits is None:
        return _MEANT.get(escape[4], escape[4])
    return chr(int(digits, 16)) if int(digits, 16) <= sys.maxunicode else escape[0]
