"""Terms and operations as text, in the form that users of ``erlc -S`` and beam_disasm know: ``{move,{x,0},{y,1}}``.

Operations keep the names and the order of operands that they have in the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from jit.beam.opcodes import Role
from jit.beam.operands import (
    NOWHERE,
    Allocation,
    BeamLabel,
    Character,
    FloatRegister,
    Import,
    Integer,
    Lambda,
    Literal,
    Location,
    Operand,
    String,
    Typed,
    X,
    Y,
)
from jit.beam.operations import Operation
from jit.beam.terms import Atom, Bitstring, ExternalFun, List, Map, Term, Tuple
from jit.beam.types import ANY_KIND, Type, TypeKind
from jit.system.controls import printable

_BARE_ATOM = re.compile(r"[a-z][A-Za-z0-9_@]*")
_RESERVED = frozenset(
    "after and andalso band begin bnot bor bsl bsr bxor case catch cond div else end fun if let maybe not of or orelse "
    "receive rem try when xor".split()
)
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\b": "\\b", "\f": "\\f", "\x1b": "\\e"}
_PRINTABLE = re.compile(rb"[ -~\n\r\t\v\b\f\x1b]+")

#: Python refuses to write longer integers in decimal (sys.int_info.default_max_str_digits is 4300 digits).
_LONGEST_DECIMAL_BITS = 14000

# BSF_LITTLE, BSF_SIGNED and BSF_NATIVE of erts/emulator/beam/erl_bits.h; others are hints of old.
_FLAGS = {2: "little", 4: "signed", 16: "native"}


def term_text(term: Term) -> str:
    """A term in Erlang syntax, in one line of ASCII but for letters in atoms."""
    return _WRITERS[type(term)](term)


def atom_text(name: str) -> str:
    """An atom in Erlang syntax, quoted where needed."""
    if _BARE_ATOM.fullmatch(name) and name not in _RESERVED:
        return name
    return f"'{_escaped(name, chr(39))}'"


def type_text(type: Type) -> str:
    """A type, such as ``integer(0..255)|nil`` or ``any``."""
    if type.kinds == ANY_KIND:
        names = ["any"]
    else:
        names = [kind.name.lower() for kind in TypeKind if kind in type.kinds and kind.name]
    if type.lowest is not None or type.highest is not None:
        low, high = ("" if bound is None else str(bound) for bound in (type.lowest, type.highest))
        names = [f"{name}({low}..{high})" if name in ("any", "integer", "float") else name for name in names]
    if type.unit is not None:
        names = [f"{name}(unit {type.unit})" if name in ("bitstring", "match_context") else name for name in names]
    return "|".join(names)


def operand_text(operand: Operand) -> str:
    """An operand, such as ``{x,0}``, ``{atom,ok}`` or ``{f,3}``."""
    return _OPERAND_WRITERS[type(operand)](operand)


def operation_text(operation: Operation) -> str:
    """An operation, such as ``{call_ext,2,{extfunc,lists,reverse,2}}``."""
    parts = [atom_text(operation.name)]
    for operand, role in zip(operation.operands, operation.opcode.roles or ()):
        parts.append(_flags(operand) if role is Role.FLAGS and isinstance(operand, int) else operand_text(operand))
    return "{" + ",".join(parts) + "}" if operation.operands else parts[0]


def _escaped(text: str, quote: str) -> str:
    return "".join([_ESCAPES.get(c) or _character(c, quote) for c in text])


def _character(character: str, quote: str) -> str:
    if character == quote:
        return "\\" + character
    return printable(character)


def _integer(number: int) -> str:
    if number.bit_length() <= _LONGEST_DECIMAL_BITS:
        return str(number)
    return f"{'-' if number < 0 else ''}16#{abs(number):X}"


def _float(number: float) -> str:
    mantissa, _, exponent = repr(number).partition("e")
    if not exponent:
        return mantissa
    return f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(exponent)}"


def _list(term: List) -> str:
    if term.elements and term.tail is None and all(type(item) is int and 0 < item < 127 for item in term.elements):
        data = bytes(item for item in term.elements if isinstance(item, int))
        if _PRINTABLE.fullmatch(data):
            return _string(data)
    elements = ",".join(map(term_text, term.elements))
    return f"[{elements}]" if term.tail is None else f"[{elements}|{term_text(term.tail)}]"


def _string(data: bytes) -> str:
    return f'"{_escaped(data.decode("ascii"), chr(34))}"'


def _bitstring(term: Bitstring) -> str:
    if not term.bits % 8:
        return _binary(term.data)
    tail = term.bits % 8
    return f"<<{','.join([*map(str, term.data[:-1]), f'{term.data[-1] >> 8 - tail}:{tail}'])}>>"


def _binary(data: bytes) -> str:
    return f"<<{_string(data) if _PRINTABLE.fullmatch(data) else ','.join(map(str, data))}>>"


def _external_fun(fun: ExternalFun) -> str:
    return f"fun {atom_text(fun.module.name)}:{atom_text(fun.function.name)}/{fun.arity}"


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    int: _integer,
    float: _float,
    Atom: lambda atom: atom_text(atom.name),
    List: _list,
    Tuple: lambda term: "{" + ",".join(map(term_text, term.elements)) + "}",
    Map: lambda term: "#{" + ",".join(f"{term_text(key)} => {term_text(value)}" for key, value in term.pairs) + "}",
    Bitstring: _bitstring,
    ExternalFun: _external_fun,
}


def _location(location: Location) -> str:
    if location == NOWHERE:
        return "[]"
    return f'[{{location,"{_escaped(location.file, chr(34))}",{location.line}}}]'


def _flags(flags: int) -> str:
    return "{field_flags,[" + ",".join(name for bit, name in _FLAGS.items() if flags & bit) + "]}"


def _alloc(heap: Allocation) -> str:
    return f"{{alloc,[{{words,{heap.words}}},{{floats,{heap.floats}}},{{funs,{heap.funs}}}]}}"


_OPERAND_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    int: str,
    X: lambda register: f"{{x,{register.number}}}",
    Y: lambda register: f"{{y,{register.number}}}",
    FloatRegister: lambda register: f"{{fr,{register.number}}}",
    Typed: lambda typed: f"{{tr,{operand_text(typed.register)},{type_text(typed.type)}}}",
    BeamLabel: lambda label: f"{{f,{label.number}}}",
    Integer: lambda integer: f"{{integer,{_integer(integer.value)}}}",
    Character: lambda character: f"{{char,{_integer(character.value)}}}",
    Atom: lambda atom: f"{{atom,{atom_text(atom.name)}}}",
    List: lambda _: "nil",
    Literal: lambda literal: f"{{literal,{term_text(literal.value)}}}",
    Allocation: _alloc,
    Import: lambda f: f"{{extfunc,{atom_text(f.module)},{atom_text(f.function)},{f.arity}}}",
    Lambda: lambda fun: f"{{lambda,{atom_text(fun.function)},{fun.arity},{{f,{fun.label}}}}}",
    Location: _location,
    String: lambda string: f"{{string,{_binary(string.data)}}}",
    tuple: lambda elements: "{list,[" + ",".join(map(operand_text, elements)) + "]}",
}
