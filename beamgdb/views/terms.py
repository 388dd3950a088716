"""Terms and functions as text, within limits, in the syntax that a user wants."""

from __future__ import annotations

from typing import Protocol

from beamgdb.late import dataclass
from beamgdb.node import Node
from beamgdb.terms import elixir_quoting
from beamgdb.terms.parts import Part
from beamgdb.terms.quoting import unquoted
from beamgdb.terms.source import Limits
from beamgdb.terms.values import Value

MAX_TEXT = 1 << 20
"""Characters of one term at most: the limits are on its parts, and it may be made of many large ones."""


@dataclass(frozen=True)
class Syntax:
    """`elixir`: terms are written in the syntax of Elixir, else of Erlang; `elixir_names`: functions of modules of
    Elixir are named as Elixir does."""

    elixir: bool = False
    elixir_names: bool = True

    def module(self, name: str) -> str:
        """The name of a module as users see it, from how symbols have it."""
        is_elixir = self.elixir_names and elixir_quoting.is_alias(unquoted(name))
        return elixir_quoting.atom(unquoted(name)) if is_elixir else name

    def function(self, name: str) -> str:
        """The name of a function as users see it, from that of its symbol, whatever follows it. Other text is left."""
        return elixir_quoting.function(name) if self.elixir_names else name


class TermReader(Protocol):
    """A VM, as far as its terms are concerned. No question raises."""

    def term(self, word: int, limits: Limits | None = None, *, elixir: bool = False) -> str: ...

    def boxed(self, address: int, limits: Limits | None = None, *, elixir: bool = False) -> str: ...

    def text(self, value: Value, elixir: bool) -> str: ...

    def parts(self, word: int, most: int) -> list[Part]: ...


@dataclass(frozen=True)
class AnyTerms:
    """Terms of one VM, of whichever kind; a text that is too long for the limits all the same is cut."""

    node: TermReader
    limits: Limits
    syntax: Syntax = Syntax()

    def text(self, word: int) -> str:
        """The term in a word. Never raises."""
        return _cut(self.node.term(word, self.limits, elixir=self.syntax.elixir))

    def boxed(self, address: int) -> str:
        """The heap object whose header word is at `address`. Never raises."""
        return _cut(self.node.boxed(address, self.limits, elixir=self.syntax.elixir))

    def value(self, value: Value) -> str:
        """A term that has been decoded within the limits."""
        return _cut(self.node.text(value, self.syntax.elixir))


@dataclass(frozen=True)
class Terms(AnyTerms):
    """Those of Erlang/OTP's VM."""

    node: Node


def _cut(text: str) -> str:
    left_out = len(text) - MAX_TEXT
    return text if left_out <= 0 else f"{text[:MAX_TEXT]}... ({left_out} characters left out)"
