"""Small functions of one thing each that the compiler does by itself, with arguments that come to its ends.

What the other templates write computes much of which little depends on one instruction. Here arguments are chosen for
the code: integers where small ones end, tuples of one element more, maps without the key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.differential.generator.samples import COMPARISONS
from tests.differential.generator.writer import Signature, Writer
from tests.differential.tree import Node, text

#: Small integers of 32 bits have 28; then those of one digit, of more, of 64 bits; and what no integers are.
_SMALL = (0, 1, -1, 2, 3, 5, -7, 8, 100, 255, 65536)
_ENDS = ((1 << 27) - 1, -(1 << 27), (1 << 27) - 2, 1 - (1 << 27), 1 << 26, -(1 << 26), 11586, -11586)
_LARGE = (1 << 27, -(1 << 27) - 1, 1 << 28, (1 << 31) - 1, 1 << 31, 1 << 32, -(1 << 32), 1 << 40, -(1 << 40), 1 << 64)
_OTHERS = ("1.5", "-0.0", "a", "[]", "{}", "<<1>>", "134217728.0", "1.0e308", "[1 | 2]", "{a, 1}", "#{a => 1}")
#: One of each kind of term, and of those that are nearly so.
_TERMS = (
    "0", "-1", "134217727", "-134217728", "134217728", "-134217729", "1 bsl 64", "-(1 bsl 64)", "1.5", "-0.0", "a",
    "true", "false", "[]", "[1]", "[1 | 2]", "{}", "{a}", "{a, 1}", "{a, 1, 2}", "{b, 1}", "{1, a}", "<<>>", "<<1>>",
    "<<1:3>>",
    "#{}", "#{a => 1}", "fun erlang:abs/1", "fun erlang:'+'/2", "{rec, 1, 2, 3}",
)  # fmt: skip


@dataclass(frozen=True)
class _Kernel:
    """Clauses without the function's name, which stands for ``F``, and arguments."""

    arity: int
    clauses: Sequence[str]
    examples: Sequence[tuple[str, ...]]


def write_kernel(w: Writer, name: str) -> tuple[Signature, Node]:
    """A function of one of these kinds."""
    kernel = w.random.choices(tuple(_KERNELS), tuple(_KERNELS.values()))[0](w)
    signature = Signature(name, ("any",) * kernel.arity, "any", True)
    signature.examples = tuple(kernel.examples)
    return signature, text(";\n".join(clause.replace("F(", f"{name}(") for clause in kernel.clauses))


def _integer(w: Writer) -> str:
    which = w.random.random()
    if which < 0.3:
        return str(w.pick(_SMALL))
    if which < 0.65:
        return str(w.pick(_ENDS))
    return str(w.pick(_LARGE)) if which < 0.9 else w.pick(_OTHERS)


def _pairs(w: Writer, count: int) -> list[tuple[str, ...]]:
    """Of integers, some of which are the same twice, and some of which add up to one that is not small any more."""
    found: list[tuple[str, ...]] = []
    for _ in range(count):
        one = _integer(w)
        found.append((one, one) if w.chance(0.15) else (one, _integer(w)))
    low, high = str(-(1 << 27)), str((1 << 27) - 1)
    found += [("11586", "11586"), ("-46341", "46341"), (low, "0"), ("0", low), ("5", "-7")]
    return [*found, (high, "1"), (low, "1"), (low, "-1"), ("1", low), ("-1", high), (high, high), (low, low)]


def _guard(w: Writer, names: Sequence[str]) -> str:
    """Of which the compiler learns types and ranges."""
    tests = []
    for name in names:
        which = w.random.random()
        if which < 0.35:
            tests.append(f"is_integer({name})")
        elif which < 0.6:
            low, high = sorted((w.pick((*_SMALL, *_ENDS)), w.pick((*_SMALL, *_ENDS))))
            tests.append(f"is_integer({name}), {low} =< {name}, {name} =< {high}")
    return f" when {', '.join(tests)}" if tests else ""


def _calculation(w: Writer) -> _Kernel:
    """Several at once: of two arguments, of which the compiler mostly knows that they are integers."""
    values = [_value(w) for _ in range(w.number(3, 7))]
    body = w.pick((
        f"{{{', '.join(values)}, A}}", f"[{' | '.join(values)}]",
        f"X = {values[0]}, Y = opaque(X), {{X, Y, {values[1]}}}",
        f"{{{', '.join(values)}}}", " + ".join(f"({value})" for value in values),
    )).replace(" | ", ", ", len(values) - 2)  # fmt: skip
    return _Kernel(2, [f"F(A, B){_guard(w, 'AB')} -> {body}", "F(_, _) -> no"], _pairs(w, 12))


def _value(w: Writer) -> str:
    """Of A and B."""
    constant = str(w.pick((*_SMALL, *_ENDS, 4, 16, 64, 1024)))
    if w.chance(0.35):
        return w.pick((
            "abs(A)", "-A", "bnot A", f"A bsl {w.number(0, 27)}", f"A bsr {w.number(0, 31)}", "abs(B)", "-B",
            f"A div {1 << w.number(0, 20)}", f"A rem {1 << w.number(0, 20)}", f"B div {w.pick((-1, 3, -7, 1000))}",
        ))  # fmt: skip
    if w.chance(0.1):
        return f"A {w.pick(('div', 'rem'))} B"
    one, other = w.pick((("A", "B"), ("A", "B"), ("A", constant), (constant, "A"), ("B", "A"), ("A", "A"), ("B", "B")))
    return f"{one} {w.pick(('+', '+', '-', '-', '*', '*', 'band', 'bor', 'bxor'))} {other}"


def _comparison(w: Writer) -> _Kernel:
    signs = [w.pick(COMPARISONS) for _ in range(3)]
    other = w.pick(("B", "B", "B", str(w.pick((*_SMALL, *_LARGE))), w.pick(_OTHERS)))
    first = f"F(A, B){_guard(w, 'AB')}"
    clauses = w.pick((
        [f"{first} -> {{{', '.join(f'A {sign} {other}' for sign in signs)}, B}}"],
        [f"{first} -> if A {signs[0]} {other} -> {{B, 1}}; A {signs[1]} {other} -> {{B, 2}}; true -> 3 end"],
        [f"F(A, B) when A {signs[0]} {other} -> B", f"F(A, B) when B {signs[1]} A -> {{A, B}}"],
    ))  # fmt: skip
    same = [(term, term) for term in (w.pick(_TERMS[:14]) for _ in range(4))]
    mixed = [(w.pick(_TERMS), w.pick(_TERMS)) for _ in range(4)] + [("1", "1.0"), ("134217728", "134217728.0")]
    large = [(f"opaque({one})", str(one)) for one in _LARGE[:3]]
    return _Kernel(2, [*clauses, "F(_, _) -> no"], [*_pairs(w, 4), *same, *mixed, *large])


_TESTS = (
    "is_integer(A)", "is_float(A)", "is_number(A)", "is_atom(A)", "is_boolean(A)", "is_list(A)", "is_tuple(A)",
    "is_binary(A)", "is_bitstring(A)", "is_map(A)", "is_function(A)", "is_function(A, 1)", "is_function(A, 2)",
    "is_integer(A), A < 0", "A =:= []", "is_tuple(A), tuple_size(A) =:= 2", "is_record(A, rec)", "hd(A) =:= 1",
    "element(1, A) =:= a", "element(2, A) =:= 1", "element(3, A) =:= 2", "map_size(A) =:= 1", "length(A) =:= 1",
)  # fmt: skip
_HEADS = ("[_ | _]", "[]", "{a, _}", "{a, _, _}", "{_, a}", "{a}", "#{a := _}", "<<>>", "a", "true", "1.5", "134217728")


def _test(w: Writer) -> _Kernel:
    clauses = []
    for number in range(w.number(1, 5)):
        if w.chance(0.4):
            clauses.append(f"F({w.pick(_HEADS)} = A, _) -> {{{number}, A}}")
        else:
            clauses.append(f"F(A, _) when {w.pick(_TESTS)} -> {{{number}, A}}")
    return _Kernel(2, [*clauses, "F(A, B) -> {B, A}"], [(term, "b") for term in _TERMS])


def _element(w: Writer) -> _Kernel:
    size = w.number(1, 6)
    elements = [w.pick(("_", f"X{number}", f"X{number}")) for number in range(size)]
    names = [one for one in elements if one != "_"]
    end, none = f"[{', '.join([*names, 'B'])}]", "F(_, _) -> no"
    clauses = w.pick((
        [f"F({{{', '.join(elements)}}}, B) -> {end}", "F(T, B) when is_tuple(T) -> {tuple_size(T), B}", none],
        [f"F(T, B) -> element({size}, T)" + w.pick(("", " + B", ", {T, B}"))],
        ["F(T, B) when is_integer(B) -> element(B, T)", "F(T, _) -> element(1, T)"],
        [f"F(T, B) when element({size}, T) =:= {size} -> {{yes, B}}", none],
        [f"F(T, B) when is_tuple(T), tuple_size(T) =:= {size} -> setelement({size}, setelement(1, T, B), T)", none],
    ))  # fmt: skip
    tuples = [f"{{{', '.join(map(str, range(1, count + 1)))}}}" for count in range(max(size - 1, 0), size + 2)]
    numbers = ("1", "0", "-1", str(size), str(size + 1), "a", "1 bsl 40")
    return _Kernel(2, clauses, [(one, w.pick(numbers)) for one in (*tuples, *tuples, *tuples, "a", "[]", "1")])


def _choice(w: Writer) -> _Kernel:
    kind = w.number(0, 3)
    if kind == 0:
        least, cases = w.pick((0, -3, 5, 1000, -(1 << 27), (1 << 27) - 12)), w.number(1, 9)
        values = [least + number for number in range(cases + 4) if w.chance(0.85)] or [least]
        around = [values[0] - 1, values[-1] + 1, values[-1] + 2]
    elif kind == 1:
        values = sorted(w.random.sample([*_SMALL, *_ENDS, 9, 17, 33, 77, 1234, -55, -99, 1 << 20], w.number(2, 12)))
        around = [values[0] - 1, values[-1] + 1]
    elif kind == 2:
        values, around = [*w.random.sample(_LARGE, w.number(1, 5)), *w.random.sample(_SMALL, 2)], [(1 << 40) + 1]
    else:
        names = w.random.sample(("a", "b", "c", "d", "e", "ok", "error", "true", "undefined"), w.number(1, 8))
        clauses = [f"F({name}, B) -> {{B, {number}}}" for number, name in enumerate(names)]
        return _Kernel(2, [*clauses, "F(A, B) -> [A | B]"], [(one, "b") for one in (*names, "z", "[]", "1", "{a}")])
    clauses = [f"F({value}, B) -> {{B, {number}}}" for number, value in enumerate(values)]
    examples = [(str(value), "b") for value in (*values, *around)]
    return _Kernel(2, [*clauses, "F(A, B) -> [A | B]"], [*examples, ("a", "b"), (f"{values[0]}.0", "b")])


def _floats(w: Writer) -> _Kernel:
    values = [_float_value(w) for _ in range(w.number(1, 4))]
    body = w.pick((f"{{{', '.join(values)}}}", f"X = {values[0]}, {{X, X + 1.0, A}}", f"{values[0]} < B", values[-1]))
    guard = w.pick(("", " when is_float(A), is_float(B)", " when is_float(A), is_float(B)", " when is_float(A)"))
    numbers = (
        "1.5",
        "-2.0",
        "0.0",
        "1.0e308",
        "-1.0e308",
        "1.0e-308",
        "3",
        "134217728",
        "-(1 bsl 40)",
        "1 bsl 1030",
        "a",
    )
    examples = [(w.pick(numbers), w.pick(numbers)) for _ in range(10)]
    extremes = [
        ("1.0e308", "1.0e308"),
        ("-1.0e308", "1.0e308"),
        ("1.0e308", "1.0e-308"),
        ("1.5", "-2.0"),
        ("2.5", "0.0"),
    ]
    return _Kernel(2, [f"F(A, B){guard} -> {body}", "F(_, _) -> no"], [*examples, *extremes])


def _float_value(w: Writer) -> str:
    """Of one operation, or of some, of which the last ones have the values of the first ones in float registers."""
    operators = ("+", "-", "*", "/")
    first = f"({w.pick(('A', 'A', 'B', '1.5'))} {w.pick(operators)} {w.pick(('B', 'A', '2.0', '1.0e308'))})"
    second = f"({w.pick(('A', 'B'))} {w.pick(operators)} {w.pick(('B', '0.5', '7'))})"
    return w.pick((first, first, f"{first} {w.pick(operators)} {second}", f"-{first}", f"{first} * {second} - A"))


def _construction(w: Writer) -> _Kernel:
    segments = []
    for _ in range(w.number(1, 5)):
        size = w.pick((1, 3, 4, 5, 7, 8, 8, 8, 12, 16, 16, 24, 32, 32, 27, 28, 40, 64))
        order = w.pick(("", "", "", "/little", "/signed"))
        source = w.pick(("A", "A", "B", str(w.pick((*_SMALL, -3, -100))), "A"))
        segments.append(w.pick((
            f"{source}:{size}{order}", f"{source}:{size}{order}", f"{source}:{size}{order}", "C/bits", "C/binary",
            f"{source}/{w.pick(('utf8', 'utf16', 'utf32'))}", '"abc"', f"A:B/unit:{w.pick((1, 8, 3))}", "1.5:32/float",
        )))  # fmt: skip
    made = f"<<{', '.join(segments)}>>"
    body = w.pick((made, f"{{{made}, A, B}}", f"[{made}, C | A]", f"X = {made}, {{X, <<X/bits, A:8>>}}"))
    binaries = ("<<>>", "<<1, 2, 3>>", "<<5:3>>", "<<0:600>>", "a")
    numbers = (*map(str, (*_SMALL, *_ENDS[:2], *_LARGE[:4], 127, 128, 2047, 2048, 65535, 1114111)), "a")
    examples = [
        (w.pick(numbers), w.pick(("0", "1", "2", "8", "40", "-1", "300", "a")), w.pick(binaries)) for _ in range(10)
    ]
    plain = [("5", "8", "<<1, 2, 3>>"), ("255", "3", "<<5:3>>"), ("134217728", "16", "<<>>"), ("-1", "-1", "<<9>>")]
    return _Kernel(3, [f"F(A, B, C){w.pick(('', '', ' when is_integer(A)'))} -> {body}"], [*examples, *plain])


def _match(w: Writer) -> _Kernel:
    """Constants, fields, and a tail, of which some come to the end of a byte or of a word."""
    parts, made = [], []
    for number in range(w.number(1, 5)):
        size = w.pick((1, 2, 3, 4, 5, 7, 8, 8, 8, 9, 12, 15, 16, 16, 23, 24, 25, 27, 28, 29, 31, 32, 32, 33, 64))
        flags = w.pick(("", "", "", "/signed", "/signed", "/little", "/signed-little"))
        value = w.pick((0, 1, (1 << size) - 1, 1 << size - 1, w.random.getrandbits(size)))
        which = w.random.random()
        which /= 2 if not number else 1  # mostly a constant comes first
        pattern = f"{value}:{size}" if which < 0.3 else f"_:{size}" if which < 0.45 else f"V{number}:{size}{flags}"
        parts.append(pattern)
        made.append(f"{value}:{size}" + ("/little" if "little" in flags and "V" in pattern else ""))
    names = [part.partition(":")[0] for part in parts if part[0] == "V"]
    tail, rest = w.pick((("", ""), ("R/bits", "R"), ("R/binary", "R"), ("_/bits", ""), ("_/binary", "")))
    pattern = ", ".join([*parts, *([tail] if tail else [])])
    found = [*names, *([rest] if rest else [])]
    kept = w.random.sample(found, w.number(min(1, len(found)), len(found))) if found else ["ok"]
    body = w.pick(
        (f"{{{', '.join(kept)}}}", f"[{', '.join(kept)} | B]", f"X = opaque({kept[0]}), {{X, {', '.join(kept)}}}")
    )
    if names and w.chance(0.5):  # fields that nobody asks for later
        one, other, end = w.pick(names), w.pick(names), rest or "B"
        body = w.pick((
            f"{one} + {other}", f"[{one} + 1 | {end}]", f"{{{one} - {other}, {end}}}", f"[{one} bxor 5 | {end}]",
            f"{{{one} * 3 - {other}, {end}}}", f"{one} band 7", f"({one} + 1) * 2 + {other}", end,
        ))  # fmt: skip
    guard = f" when {names[0]} {w.pick(COMPARISONS)} {w.pick(('B', '1', '0'))}" if names and w.chance(0.4) else ""
    again = f"F(<<{w.pick((*parts, '_:8'))}, _/bits>>, B) -> {{again, B}}"
    whole, size = ", ".join(made), w.pick((1, 8, 16, 7))
    shorter = ", ".join(made[:-1])
    binaries = [f"<<{whole}>>", f"<<{whole}, 1:{size}>>", f"<<{whole}, 1, 2, 3>>", f"<<{whole}, 3:3>>",
                f"<<{shorter}>>", f"<<0:3, {whole}>>", f"<<{whole}, 0:600>>", "<<>>", "a"]  # fmt: skip
    clauses = [f"F(<<{pattern}>>, B){guard} -> {body}", *([again] if w.chance(0.4) else []), "F(A, B) -> {no, A, B}"]
    return _Kernel(2, clauses, [(one, w.pick(("1", "b", "0", "134217727"))) for one in binaries])


def _packet(w: Writer) -> _Kernel:
    """A constant, a field or two, and what needs room on the heap; fields have their last use in arithmetic."""
    first, kind = w.pick((8, 8, 16, 4)), w.pick((0, 7, 9, 15))
    size, second = w.pick((8, 8, 8, 16, 12 - first % 8, 7)), w.pick((0, 0, 8, 16, 32, 64))
    fields = [f"{kind}:{first}", f"I:{size}", *([f"J:{second}"] if second else [])]
    tail = w.pick(("R/binary", "R/binary", "R/bits", *(["_/bits"] if second else [])))
    other, end = "J" if second else "3", "R" if tail[0] == "R" else "B"
    body = w.pick((
        end, f"[I + 1 | {end}]", f"I + {other}", f"{{I - {other}, {end}}}", f"[I bxor 5 | {end}]", f"{{I, {end}}}",
        f"{{I * 2 + {other}, {end}}}", f"case I of 5 -> {end}; _ -> I + {other} end",
    ))  # fmt: skip
    head = w.pick(("B", "B", "I"))
    guard = w.pick(("", f" when I > {other}", " when I > 4, I < 200", " when is_integer(I)"))
    body = body.replace("B", head)
    clause = f"F(<<{', '.join(fields)}, {tail}>>, {head}){guard} -> {body}"
    more = f"F(<<{kind}:{first}, I:{size}, _/bits>>, B) when I < 9 -> {{I, B}}"
    binaries = []
    for value in (5, 1, (1 << size) - 1, 0):
        begin = f"{kind}:{first}, {value}:{size}"
        whole = f"{begin}, {w.pick((1, -1, 1 << 27, 4))}:{second}"
        binaries += [f"<<{whole}, 1, 2>>", f"<<{begin}>>", f"<<{whole}, 1:3>>"]
    binaries += ["<<>>", f"<<{kind + 1}:{first}, 5:{size}, 1:{second}, 7>>", "a"]
    clauses = [clause, *([more] if w.chance(0.5) else []), "F(A, B) -> {no, A, B}"]
    return _Kernel(2, clauses, [(one, w.pick(("5", "5", "1", "b"))) for one in binaries])


def _map(w: Writer) -> _Kernel:
    keys = w.random.sample(("a", "b", "c", "1", "134217728", '"k"', "{a, 1}", "1.5"), w.number(1, 3))
    got = ", ".join(f"{key} := V{number}" for number, key in enumerate(keys))
    names = ", ".join(f"V{number}" for number in range(len(keys)))
    changed = ", ".join(f"{key} {w.pick((':=', '=>', ':='))} {w.pick(('B', '2', 'M'))}" for key in keys)
    new = ", ".join(f"{key} => B" for key in keys)
    clauses = w.pick((
        [f"F(#{{{got}}}, B) -> {{{names}, B}}", "F(_, _) -> no"],
        [f"F(#{{{got}}} = M, B) -> [M, {names} | B]", "F(M, _) -> M"],
        [f"F(M, B) -> M#{{{changed}}}" + w.pick(("", "#{z => M}"))],
        [f"F(M, B) -> try M#{{{changed}}} catch error:R -> {{R, B}} end"],
        [f"F(M, B) when is_map_key({keys[0]}, M) -> {{map_get({keys[0]}, M), B}}", f"F(_, B) -> #{{{new}}}"],
        [f"F(M, B) -> #{{B := V}} = M, {{V, maps:get({keys[0]}, M, B)}}"],
    ))  # fmt: skip
    some = ", ".join(f"{key} => {number}" for number, key in enumerate(keys))
    large = ", ".join(f"{number} => {number}" for number in range(40))
    maps = ["#{}", f"#{{{some}}}", f"#{{{some}, y => 1}}", f"#{{x => 1, {some}}}", f"#{{{large}, {some}}}",
            f"#{{{large}}}", f"#{{{keys[0]} => 1}}", f"#{{{keys[-1]} => [1]}}", "a"]  # fmt: skip
    return _Kernel(2, clauses, [(one, w.pick(("b", "1", keys[0]))) for one in maps])


def _record(w: Writer) -> _Kernel:
    names = "abcdefghi"
    updates = w.random.sample(names, w.number(1, 4))
    changes = ", ".join(f"{name} = {w.pick(('B', '1', 'R', f'R#wide.{w.pick(names)}'))}" for name in updates)
    clauses = w.pick((
        [f"F(R, B) -> R#wide{{{changes}}}"],
        [f"F(#wide{{{updates[0]} = X}} = R, B) -> S = R#wide{{{changes}}}, {{S, X, B}}", "F(_, _) -> no"],
        [f"F(R, B) -> S = R#wide{{{changes}}}, S#wide{{{w.pick(names)} = opaque(S)}}"],
    ))  # fmt: skip
    wide = "{wide, 1, 2, 3, 4, 5, 6, 7, 8, 9}"
    return _Kernel(
        2, clauses, [(wide, "b"), (wide, "134217728"), ("{wide, 1}", "b"), ("{rec, 1, 2, 3}", "b"), ("a", "b")]
    )


def _fun(w: Writer) -> _Kernel:
    free = w.random.sample(("A", "B", "C", "D"), w.number(0, 4))
    arity = w.number(0, 3)
    arguments = [f"P{number}" for number in range(arity)]
    made = f"fun({', '.join(arguments)}) -> {{{', '.join([*arguments, *free])}}} end"
    call = ", ".join(w.pick(("A", "B", "1", "D")) for _ in range(w.pick((arity, arity, arity, 1))))
    setup = "C = opaque(A), D = {B, C}, "
    clauses = w.pick((
        [f"F(A, B) -> {setup}G = {made}, {{G({call}), C, D}}"],
        [f"F(A, B) -> {setup}G = {made}, G({call})"],
        [f"F(A, B) -> {setup}G = {made}, {{is_function(G, {w.number(0, 3)}), is_function(A, {w.number(0, 3)}), C, D}}"],
        ["F(A, B) when is_function(A, 1) -> {A(B), B}", "F(A, B) when is_function(A, 2) -> [A(B, 1)]", "F(A, _) -> A"],
    ))  # fmt: skip
    values = ("1", "a", "fun erlang:abs/1", "fun erlang:'+'/2", "fun(_, _, _) -> x end", "[]", "1 bsl 40")
    return _Kernel(2, clauses, [(one, w.pick(("1", "-5", "b"))) for one in values])


def _frame(w: Writer) -> _Kernel:
    """Values that live over calls, in frames of several sizes, of which some are given up early."""
    count = w.number(1, 6)
    steps = [
        f"V{number} = {w.pick(('opaque(A)', 'opaque(B)', '[A | B]', '{A, B}', 'opaque([B])'))}"
        for number in range(count)
    ]
    names = [f"V{number}" for number in range(count)]
    kept = w.random.sample(names, w.number(1, count))
    middle = w.pick(
        ("", f"case V0 of [_ | T] -> opaque(T); _ -> opaque({names[-1]}) end, ", "self() ! A, receive A -> ok end, ")
    )
    end = w.pick((
        f"{{{', '.join(kept)}, A}}", f"opaque([{', '.join(kept)}])", f"lists:reverse([{', '.join(kept)}], [])",
        f"maps:get({kept[0]}, #{{}}, {kept[-1]})", f"erlang:append_element({{{', '.join(kept)}}}, B)",
        f"case opaque(A) of {{X, Y}} -> {{Y, X}}; {kept[0]} -> {{same, B}}; _ -> [{', '.join(kept)}] end",
    ))  # fmt: skip
    caught = w.pick((
        "{}", "{}", "{}", "try {} catch C:E -> {{C, E, B}} end", "X0 = (catch {}), {{X0, opaque(X0), B}}",
        "try {} of X0 -> {{ok, X0}} catch error:E -> {{E, A}} after opaque(B) end",
    ))  # fmt: skip
    body = f"{', '.join(steps)}, {middle}" + caught.format(
        w.pick((end, f"hd({kept[0]})", f"raise_own({kept[0]})", f"A + {kept[0]}"))
    )
    lists = [("[1, 2]", "b"), ("1", "[3]"), ("a", "b"), ("{1, 2}", "[]"), ("134217728", "1.5"), ("9", "9")]
    return _Kernel(2, [f"F(A, B) -> {body}"], lists)


def _list(w: Writer) -> _Kernel:
    clauses = w.pick((
        ["F([A | B], C) -> F(B, [A | C])", "F(A, B) -> {A, B}"],
        ["F([{A, B} | T], C) -> [{B, A, C} | F(T, A)]", "F([A | T], C) -> [A | F(T, C)]", "F(T, _) -> T"],
        ["F([A, B | T], C) -> F([B | T], {A, B, C})", "F(A, B) -> {A, B}"],
        ["F([A | B], A) -> B", "F([A | _], B) -> {B, A}", "F(A, B) -> {B, A}"],
        ["F(A, B) -> {hd(A), tl(A), B}"],
        ["F([A | T], B) when A > B -> [B | F(T, A)]", "F([A | T], B) -> [A | F(T, B)]", "F(A, B) -> [B | A]"],
        ["F(A, B) -> [{X, Y, B} || {X, Y} <- A, X =/= Y]"],
        ["F(A, B) -> {[X + 1 || X <- A, is_integer(X)], B}"],
    ))  # fmt: skip
    lists = (
        "[]",
        "[1]",
        "[1, 2, 3]",
        "[a, b | c]",
        "[{1, 2}, {a, a}, {3, 4}]",
        "[3, 1, 2, 134217727, a]",
        "lists:seq(1, 60)",
        "a",
    )
    return _Kernel(2, clauses, [(one, w.pick(("1", "b", "[]", "a"))) for one in lists])


def _many(w: Writer) -> _Kernel:
    """What is made again and again, until there is no room for it on the heap."""
    made = w.pick((
        "<<N:32, 1, 2, 3, 4, 5>>", "<<N:64, N:64, N:32>>", "{N, B, 1}", "N * 1.5", "fun() -> {N, B} end",
        "#{a => N, b => B}",
        "[N, B]", "(N bsl 40)", "<<N:16, 1:3>>",
    ))  # fmt: skip
    clauses = [f"F(N, B) when is_integer(N), N > 0 -> [{made} | F(N - 1, B)]", "F(_, B) -> [B]"]
    return _Kernel(2, clauses, [(str(w.number(20, 300)), "b") for _ in range(4)] + [("a", "b")])


_KERNELS: dict[Callable[[Writer], _Kernel], int] = {
    _calculation: 9, _comparison: 4, _test: 4, _element: 3, _choice: 3, _floats: 3, _construction: 5, _match: 7,
    _packet: 6, _many: 3, _map: 4, _record: 2, _fun: 2, _frame: 5, _list: 2,
}  # fmt: skip
