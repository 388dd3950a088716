"""Values as Elixir writes them with `inspect/2`, on one line and without the limits of that.

Structs show their fields, whatever an implementation of `Inspect` would make of them, in the order of the map: only the
target's code knows that of their definition. What is no term looks as in `text`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from beamgdb.terms import elixir_quoting
from beamgdb.terms.numbers import float_text, integer_text
from beamgdb.terms.text import bits_of, term_text
from beamgdb.terms.values import (
    ELIDED_STRING,
    Atom,
    Bitstring,
    Catch,
    ContinuationPointer,
    Elided,
    ExternalFun,
    Fun,
    List,
    Map,
    MatchContext,
    Pid,
    Reference,
    Tuple,
    Value,
)

#: Floats from here on are written with an exponent, also where they are whole numbers (inspect.ex).
_WHOLE = 1e16

_STRUCT, _EXCEPTION = "__struct__", "__exception__"


def elixir_text(value: Value) -> str:
    """`value` in Elixir syntax. No control character comes out raw."""
    if isinstance(value, int):
        return integer_text(value)
    write = _WRITERS.get(value.__class__)
    return write(value) if write is not None else term_text(value)


def _float(value: float) -> str:
    return f"{int(value)}.0" if 1.0 <= abs(value) < _WHOLE and value == int(value) else float_text(value)


def _atom(value: Atom) -> str:
    return term_text(value) if value.name is None else elixir_quoting.atom(value.name)


def _list(value: List) -> str:
    elided = value.tail == ELIDED_STRING
    if value.elements and (elided or value.tail is None):
        charlist = _charlist(value.elements)
        if charlist is not None:
            return charlist + (" ++ ..." if elided else "")
    if value.tail is not None and not isinstance(value.tail, Elided):
        return f"[{', '.join(map(elixir_text, value.elements))} | {elixir_text(value.tail)}]"
    pairs = _keyword(value.elements)
    parts = [elixir_text(element) for element in value.elements] if pairs is None else _keyed(pairs)
    return f"[{', '.join(parts + (['...'] if value.tail is not None else []))}]"


def _charlist(elements: tuple[Value, ...]) -> str | None:
    """The elements as a charlist, None when Elixir does not show them so."""
    try:
        text = "".join(map(chr, elements))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return f"~c{elixir_quoting.quoted(text)}" if elixir_quoting.printable_charlist(text) else None


def _keyword(elements: tuple[Value, ...]) -> list[tuple[str, Value]] | None:
    """The pairs of a keyword list, None for another list."""
    pairs: list[tuple[Value, Value]] = []
    for element in elements:
        if not isinstance(element, Tuple) or len(element.elements) != 2 or element.rest is not None:
            return None
        key, item = element.elements
        pairs.append((key, item))
    return _named(pairs)


def _named(pairs: Iterable[tuple[Value, Value]]) -> list[tuple[str, Value]] | None:
    """Pairs by names, None where not all keys may stand before a colon: no alias does."""
    named: list[tuple[str, Value]] = []
    for key, item in pairs:
        if not isinstance(key, Atom) or key.name is None or key.name.startswith("Elixir."):
            return None
        named.append((key.name, item))
    return named


def _keyed(pairs: Iterable[tuple[str, Value]]) -> list[str]:
    return [f"{elixir_quoting.key(key)} {elixir_text(item)}" for key, item in pairs]


def _tuple(value: Tuple) -> str:
    parts = [elixir_text(element) for element in value.elements]
    if value.rest is not None:
        parts.append(elixir_text(value.rest))
    return "{" + ", ".join(parts) + "}"


def _map(value: Map) -> str:
    struct, pairs = "", _named(value.pairs)
    if pairs is not None:
        struct = _struct(dict(pairs).get(_STRUCT))
        parts = _keyed((key, item) for key, item in pairs if not struct or key not in (_STRUCT, _EXCEPTION))
    else:
        parts = [f"{elixir_text(key)} => {elixir_text(item)}" for key, item in value.pairs]
    if value.rest is not None:
        parts.append(elixir_text(value.rest))
    return f"%{struct}{{{', '.join(parts)}}}"


def _struct(module: Value | None) -> str:
    """The name of a struct that is of this module, nothing for what is none."""
    is_one = isinstance(module, Atom) and module.name is not None and elixir_quoting.is_alias(module.name)
    return elixir_text(module) if module is not None and is_one else ""


def _bitstring(value: Bitstring) -> str:
    string = _string(value) if not value.bits & 7 else None
    if string is not None:
        return elixir_quoting.quoted(string) + (" <> ..." if value.elided else "")
    numbers, tail = bits_of(value)
    if tail:
        numbers[-1] = f"{numbers[-1]}::size({tail})"
    return f"<<{', '.join(numbers + (['...'] if value.elided else []))}>>"


def _string(value: Bitstring) -> str | None:
    """The text of a binary, None when Elixir does not show it as such. It may be cut off within a character."""
    try:
        text = value.data.decode()
    except UnicodeDecodeError as error:
        if not value.elided or error.start < len(value.data) - 3 or error.reason != "unexpected end of data":
            return None
        text = value.data[: error.start].decode()
    return text if elixir_quoting.printable(text) and (text or not value.elided) else None


def _match_context(value: MatchContext) -> str:
    return f"<match context at bit {value.position}: {_bitstring(value.rest)}>"


def _fun(value: Fun) -> str:
    return f"#Function<{value.index}.{value.uniq}/{value.arity} in {_atom(value.module)}{_behind_dot(value.name)}>"


def _behind_dot(name: str | None) -> str:
    """The function that a fun stands in, as Elixir tells it by the name of the fun's own (`Inspect.Function`)."""
    if name is None:
        return ""
    parent = _PARENT.fullmatch(name)
    return (
        f".{elixir_quoting.called(parent['name'])}/{parent['arity']}" if parent else f".{elixir_quoting.called(name)}"
    )


def _external_fun(value: ExternalFun) -> str:
    function = value.function
    name = term_text(function) if function.name is None else elixir_quoting.called(function.name)
    return f"&{_atom(value.module)}.{name}/{value.arity}"


def _catch(value: Catch) -> str:
    return term_text(Catch(value.index, value.where and elixir_quoting.function(value.where)))


def _continuation_pointer(value: ContinuationPointer) -> str:
    return term_text(ContinuationPointer(value.address, value.where and elixir_quoting.function(value.where)))


_PARENT: Final = re.compile(r"-(?P<name>.*)/(?P<arity>[^-/]*)-[^-/]*-[^-/]*-", re.DOTALL)
"""What the compiler calls the function of a fun: by the one around it, what it is, and its number."""

_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    float: _float,
    Atom: _atom,
    List: _list,
    Tuple: _tuple,
    Map: _map,
    Bitstring: _bitstring,
    MatchContext: _match_context,
    Pid: lambda value: f"#PID{term_text(value)}",
    Reference: lambda value: term_text(value).replace("#Ref", "#Reference", 1),
    Fun: _fun,
    ExternalFun: _external_fun,
    Catch: _catch,
    ContinuationPointer: _continuation_pointer,
}
