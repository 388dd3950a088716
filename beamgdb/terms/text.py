"""Values as Erlang writes them with `io:format("~0tp")`: one line, no limit on its length.

What is no term is written between angle brackets, `<like this 0x..>`, which no term but a pid uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from beamgdb.late import dataclass
from beamgdb.terms.numbers import float_text, integer_text
from beamgdb.terms.quoting import atom, bare, printable, quoted, runtime_atom
from beamgdb.terms.values import (
    ELIDED_STRING,
    Atom,
    Bitstring,
    Catch,
    ContinuationPointer,
    Elided,
    ExternalFun,
    Fun,
    Header,
    HugeInteger,
    Internal,
    LayoutUnknown,
    List,
    Map,
    MatchContext,
    Moved,
    NativeRecord,
    NodeOfTerm,
    NonValue,
    Pid,
    Port,
    Reference,
    Tuple,
    UnknownBoxed,
    UnknownWord,
    UnreadableTerm,
    UnresolvedId,
    Value,
)
from jit.otp.tags import RELEASES


@dataclass(frozen=True)
class Style:
    """`release` decides which words are reserved; `unicode` whether characters above 255 are printable (`+pc`)."""

    release: int = max(RELEASES)
    unicode: bool = True


DEFAULT_STYLE: Final = Style()


def term_text(value: Value, style: Style = DEFAULT_STYLE) -> str:
    """`value` in Erlang syntax. No control character comes out raw."""
    if value.__class__ is int:
        return integer_text(value)
    return _WRITERS[value.__class__](value, style)


def _atom(value: Atom, style: Style) -> str:
    return f"<atom {value.index}>" if value.name is None else atom(value.name, style.release)


def _list(value: List, style: Style) -> str:
    elided = value.tail == ELIDED_STRING
    if value.elements and (elided or value.tail is None):
        string = _string(value.elements, style)
        if string is not None:
            return string + "..." if elided else string
    inner = ",".join([term_text(element, style) for element in value.elements])
    if value.tail is None:
        return f"[{inner}]"
    return f"[{inner}{'|' if inner else ''}{term_text(value.tail, style)}]"


def _string(elements: tuple[Value, ...], style: Style) -> str | None:
    """The elements as a string literal, None when they are not all printable characters."""
    try:
        text = "".join(map(chr, elements))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return quoted(text, '"') if printable(text, style.unicode) else None


def _tuple(value: Tuple, style: Style) -> str:
    parts = [term_text(element, style) for element in value.elements]
    if value.rest is not None:
        parts.append(term_text(value.rest, style))
    return "{" + ",".join(parts) + "}"


def _map(value: Map, style: Style) -> str:
    parts = [f"{term_text(key, style)} => {term_text(item, style)}" for key, item in value.pairs]
    if value.rest is not None:
        parts.append(term_text(value.rest, style))
    return "#{" + ",".join(parts) + "}"


def _native_record(value: NativeRecord, style: Style) -> str:
    parts = [f"{_atom(key, style)} = {term_text(item, style)}" for key, item in value.fields]
    if value.rest is not None:
        parts.append(term_text(value.rest, style))
    return f"#{_atom(value.module, style)}:{_atom(value.name, style)}{{{','.join(parts)}}}"


def _bitstring(value: Bitstring, style: Style) -> str:
    if not value.bits:
        return "<<>>"
    more = "..." if value.elided else ""
    if not value.bits & 7 and value.data:
        string = _binary_string(value, style)
        if string:
            return f"<<{string}{more}>>"
    numbers, tail = bits_of(value)
    if tail:
        numbers[-1] = f"{numbers[-1]}:{tail}"
    if more:
        numbers.append(more)
    return f"<<{','.join(numbers)}>>"


def bits_of(value: Bitstring) -> tuple[list[str], int]:
    """The bytes of a bitstring as numbers, and how many bits the last one has where that is no whole byte, else 0."""
    tail = 0 if value.elided else value.bits & 7
    numbers = list(map(str, value.data))
    if tail:
        numbers[-1] = str(value.data[-1] >> (8 - tail))
    return numbers, tail


def _binary_string(value: Bitstring, style: Style) -> str | None:
    """The inside of `<<"..">>` or `<<".."/utf8>>`, None when the bytes are not printable text in either way."""
    try:
        text = value.data.decode()
    except UnicodeDecodeError as error:
        if not value.elided or error.start < len(value.data) - 3 or error.reason != "unexpected end of data":
            latin1 = value.data.decode("latin-1")
            return quoted(latin1, '"') if printable(latin1, False) else None
        text = value.data[: error.start].decode()
    if not printable(text, style.unicode):
        return None
    return quoted(text, '"') + ("" if text.isascii() else "/utf8")


def _match_context(value: MatchContext, style: Style) -> str:
    return f"<match context at bit {value.position}: {_bitstring(value.rest, style)}>"


def _channel(node: NodeOfTerm | None) -> int:
    """The first number of an external identifier is its node's atom index; 0 is this node."""
    return node.name.index if node else 0


def _pid(value: Pid, _: Style) -> str:
    return f"<{_channel(value.node)}.{value.number}.{value.serial}>"


def _port(value: Port, _: Style) -> str:
    return f"#Port<{_channel(value.node)}.{value.number}>"


def _reference(value: Reference, _: Style) -> str:
    return f"#Ref<{_channel(value.node)}.{'.'.join(map(str, reversed(value.numbers)))}>"


def _fun(value: Fun, _: Style) -> str:
    name = value.module.name
    return f"#Fun<{_unnamed(value.module) if name is None else bare(name)}.{value.index}.{value.uniq}>"


def _external_fun(value: ExternalFun, _: Style) -> str:
    return f"fun {_fun_name(value.module)}:{_fun_name(value.function)}/{value.arity}"


def _fun_name(value: Atom) -> str:
    return _unnamed(value) if value.name is None else runtime_atom(value.name)


def _unnamed(value: Atom) -> str:
    return f"<atom {value.index}>"


def _huge_integer(value: HugeInteger, _: Style) -> str:
    return f"<{'negative ' if value.negative else ''}integer of {value.bits} bits>"


def _catch(value: Catch, _: Style) -> str:
    return f"<catch {value.index if value.where is None else bare(value.where)}>"


def _continuation_pointer(value: ContinuationPointer, _: Style) -> str:
    return f"<cp {hex(value.address) if value.where is None else bare(value.where)}>"


def _header(value: Header, _: Style) -> str:
    return f"<header {value.word:#x} {value.kind.value}/{value.arity}>"


def _internal(value: Internal, _: Style) -> str:
    return f"<{value.kind.value} {value.address:#x}>"


def _moved(value: Moved, _: Style) -> str:
    return f"<moved {value.target:#x}>"


def _unreadable(value: UnreadableTerm, _: Style) -> str:
    return f"<unreadable {value.address:#x}>"


def _unknown_word(value: UnknownWord, _: Style) -> str:
    return f"<unknown {value.word:#x}>"


def _unknown_boxed(value: UnknownBoxed, _: Style) -> str:
    return f"<unknown boxed {value.address:#x}: {value.why}>"


def _layout_unknown(value: LayoutUnknown, _: Style) -> str:
    return f"<{value.kind.value} {value.address:#x}: layout unknown>"


def _unresolved_id(value: UnresolvedId, _: Style) -> str:
    return f"<{'pid' if value.is_pid else 'port'} {value.word:#x}: number unknown>"


_WRITERS: Final[dict[type, Callable[[Any, Style], str]]] = {
    float: lambda value, _: float_text(value),
    Atom: _atom,
    List: _list,
    Tuple: _tuple,
    Map: _map,
    NativeRecord: _native_record,
    Bitstring: _bitstring,
    MatchContext: _match_context,
    HugeInteger: _huge_integer,
    Pid: _pid,
    Port: _port,
    Reference: _reference,
    Fun: _fun,
    ExternalFun: _external_fun,
    Catch: _catch,
    ContinuationPointer: _continuation_pointer,
    Header: _header,
    Internal: _internal,
    NonValue: lambda _value, _style: "<non-value>",
    Moved: _moved,
    UnreadableTerm: _unreadable,
    UnknownWord: _unknown_word,
    UnknownBoxed: _unknown_boxed,
    LayoutUnknown: _layout_unknown,
    UnresolvedId: _unresolved_id,
    Elided: lambda _value, _style: "...",
}
