"""GDB's command line: which words are options and their values, and which is the program (GDB's gdb/main.c)."""

from __future__ import annotations

from collections.abc import Sequence

from beamgdb.late import dataclass

#: Options whose value is the next word, unless it stands behind `=`.
_WITH_VALUE = frozenset(
    """
    D annotate b baud c cd command core d data-directory directory e early-init-command early-init-eval-command eiex
    eix eval-command ex exec i iex init-command init-eval-command interpreter ix l p pid s se symbols tty ui x
    """.split()
)


@dataclass(frozen=True)
class Split:
    """What stands before the program: names of options, without dashes and values; and the number of words."""

    options: tuple[str, ...]
    length: int


def split(words: Sequence[str]) -> Split:
    """Find the first word that is neither an option nor the value of one. Behind `--args` and `--` is no option."""
    options: list[str] = []
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in ("-", "--"):
        name, equals, _ = words[at].removeprefix("-").removeprefix("-").partition("=")
        options.append(name)
        at += 1
        if name == "args":
            break
        if not equals and _has_value(name):
            at += 1
    return Split(tuple(options), min(at, len(words)))


def _has_value(name: str) -> bool:
    """An option may be shortened. (None without a value begins like one of these, other than what GDB refuses.)"""
    return any(option.startswith(name) for option in _WITH_VALUE)
