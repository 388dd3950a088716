"""Operations as beam_disasm of Erlang/OTP tells them, brought to a form that ours can be compared with.

beam_disasm wraps and moves operands: ``{test,is_atom,{f,1},[{x,0}]}``, ``{gc_bif,'+',{f,0},1,[{x,0},{x,1}],{x,0}}``.
Both sides are compared as the name of the operation and the collection of its operands. Their order is that of the file
on both sides, as an operand is read where the one before it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jit.beam.external import encode_term
from jit.beam.matching import COMMANDS
from jit.beam.module import Module
from jit.beam.operands import (
    Allocation,
    BeamLabel,
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
from jit.beam.terms import NIL, Atom, Bitstring, List, Term, Tuple
from jit.beam.types import type_bits
from tests.harness.erl import installed_release

Form = tuple[str, list[bytes]]

_BIFS = {"bif", "gc_bif"}
_FLOAT_OPERATIONS = {"fadd", "fsub", "fmul", "fdiv", "fnegate"}
_PAIRS = {"x", "y", "fr", "f", "integer", "atom", "literal", "float", "alloc"}


def tuple_of(*elements: Term | str) -> Tuple:
    """A tuple; strings in it are atoms."""
    return Tuple(tuple(Atom(element) if isinstance(element, str) else element for element in elements))


def of_otp(instruction: Term) -> Form:
    """An instruction of beam_disasm."""
    if isinstance(instruction, Atom):
        return instruction.name, []
    assert isinstance(instruction, Tuple)
    head, *rest = instruction.elements
    assert isinstance(head, Atom)
    name = head.name
    if name in ("test", "arithfbif"):
        assert isinstance(rest[0], Atom)
        name, rest = rest[0].name, rest[1:]
    elif name in _BIFS:
        arguments = rest[-2]
        assert isinstance(arguments, List)
        if isinstance(rest[0], Atom) and rest[0].name in _FLOAT_OPERATIONS:
            name, rest = rest[0].name, rest[1:]
        elif rest[0] == Atom("raise"):
            name, rest = "raise", [arguments]
        else:
            name += str(len(arguments.elements))
            rest = [term for term in rest if term != Atom("nofail")]
    elif name == "raise":
        rest = rest[1:-1]
    if name == "bs_match_string":
        rest = [_string(term) for argument in rest for term in _flat(argument)]
    return name, _sorted(leaf for term in rest for leaf in _leaves(term))


def _sorted(leaves: Iterable[Term]) -> list[bytes]:
    return sorted(map(_comparable, leaves))


def _comparable(leaf: Term) -> bytes:
    """The leaf's bytes; of a literal their collection, as Erlang may have changed places of the pairs of its maps."""
    data = encode_term(leaf)
    is_literal = isinstance(leaf, Tuple) and leaf.elements[:1] == (Atom("literal"),)
    return bytes(sorted(data)) if is_literal else data


def _flat(term: Term) -> tuple[Term, ...]:
    return term.elements if isinstance(term, List) else (term,)


def _string(term: Term) -> Term:
    return tuple_of("string", term) if isinstance(term, Bitstring) else term


def _leaves(term: Term) -> Iterator[Term]:
    if isinstance(term, List):
        if term == NIL:
            return
        for element in term.elements:
            yield from _leaves(element)
    elif isinstance(term, Tuple) and term.elements:
        head, *rest = term.elements
        name = head.name if isinstance(head, Atom) else ""
        if (name in _PAIRS and len(rest) == 1) or name == "extfunc" or _is_mfa(term):
            yield term
        elif name == "tr":
            # Only OTP 25 tells types as they stand in the file; later ones bring them to another form.
            yield term if len(rest) > 2 else tuple_of("tr", rest[0])
        elif name in COMMANDS:
            yield tuple_of("atom", name)
            yield from (Atom("nil") if element == tuple_of("literal", NIL) else element for element in rest)
        elif name == "field_flags":
            yield _flags(rest[0])
        elif name == "string":
            yield tuple_of("string", _as_binary(rest[0]))
        elif name == "u":
            yield rest[0]
        elif name == "i":
            yield tuple_of("integer", rest[0])
        else:
            for element in rest if name in ("list", "commands", "location") else term.elements:
                yield from _leaves(element)
    else:
        yield term


def _is_mfa(term: Tuple) -> bool:
    return len(term.elements) == 3 and isinstance(term.elements[1], Atom) and isinstance(term.elements[2], int)


def _flags(flags: Term) -> Term:
    if isinstance(flags, List):
        bits = {"little": 2, "signed": 4, "native": 16}
        return sum(bits[flag.name] for flag in flags.elements if isinstance(flag, Atom))
    return flags


def _as_binary(string: Term) -> Bitstring:
    if isinstance(string, List):
        data = bytes(item for item in string.elements if isinstance(item, int))
        return Bitstring(data, 8 * len(data))
    assert isinstance(string, Bitstring)
    return string


def of_ours(operation: Operation, module: Module) -> Form:
    """The same for an operation that we read."""
    leaves = [leaf for operand in operation.operands for leaf in _ours(operand, operation.name, module)]
    return operation.name, _sorted(leaves)


def _ours(operand: Operand, name: str, module: Module) -> Iterator[Term]:
    if isinstance(operand, tuple):
        for element in operand:
            yield from _ours(element, name, module)
    elif isinstance(operand, BeamLabel) and name in ("call", "call_last", "call_only"):
        callee = next(function for function in module.functions if function.entry == operand.number)
        yield tuple_of(module.name, callee.name, callee.arity)
    elif isinstance(operand, Import):
        extfunc = tuple_of("extfunc", operand.module, operand.function, operand.arity)
        yield Atom(operand.function) if "bif" in name else extfunc
    elif isinstance(operand, Lambda):
        if name == "make_fun3":
            yield tuple_of(module.name, operand.function, operand.arity)
            yield operand.old_uniq
        # OTP 27's beam_disasm says where the fun that is called begins; that of 25 leaves its number.
        is_place = name == "call_fun2" and installed_release().otp >= 27
        yield tuple_of("f", operand.label) if is_place else module.lambdas.index(operand)
    elif isinstance(operand, Location):
        assert module.lines
        yield module.lines.locations.index(operand)
    else:
        yield _leaf(operand, module)


def _leaf(operand: Operand, module: Module) -> Term:
    if isinstance(operand, int):
        return operand
    if isinstance(operand, X | Y | FloatRegister):
        return tuple_of({X: "x", Y: "y", FloatRegister: "fr"}[type(operand)], operand.number)
    if isinstance(operand, Typed):
        return _typed(operand, module)
    if isinstance(operand, BeamLabel):
        return tuple_of("f", operand.number)
    if isinstance(operand, Integer):
        return tuple_of("integer", operand.value)
    if isinstance(operand, Literal):
        return tuple_of("float" if isinstance(operand.value, float) else "literal", operand.value)
    if isinstance(operand, String):
        return tuple_of("string", Bitstring(operand.data, 8 * len(operand.data)))
    if isinstance(operand, Allocation):
        sizes = zip(("words", "floats", "funs"), (operand.words, operand.floats, operand.funs))
        return tuple_of("alloc", List(tuple(tuple_of(kind, size) for kind, size in sizes)))
    if operand == NIL:
        return Atom("nil")
    assert isinstance(operand, Atom)
    return tuple_of("atom", operand.name)


def _typed(operand: Typed, module: Module) -> Tuple:
    assert module.types
    register = _leaf(operand.register, module)
    if module.types.version > 1:
        return tuple_of("tr", register)
    bits = type_bits(operand.type.kinds, module.types.version)
    low, high = operand.type.lowest, operand.type.highest
    return tuple_of("tr", register, bits, *((0, -1) if low is None or high is None else (low, high)))
