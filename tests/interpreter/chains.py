"""Modules of functions that call one another in a long chain, each with arguments that no other has: whatever a
debugger shows as an argument can be told right or wrong by the function's name alone.

What a function does around its call, and with which of its arguments, is chosen by chance: code of all kinds, that
moves terms between registers in many ways.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from textwrap import indent

MODULE = "chain"

_HEAD = """-module(chain).
-compile([export_all, nowarn_export_all, nowarn_unused_vars]).
-record(r, {a, b, c}).

start() -> register(chain, spawn(fun loop/0)), ok.

loop() -> put(key, value), f0(CALL), loop().

id(X) -> X.
pair(X, Y) -> {Y, X}.
three(X, Y, Z) -> [Z, X | Y].
throws(X) -> throw({thrown, X}).
fails(X, _) -> error({failed, X}).
sum(X, Y) when is_number(X) -> X + 1;
sum(_, Y) -> Y.
"""


@dataclass(frozen=True)
class Argument:
    """An argument: its kind, its text in Erlang syntax as a debugger shows it, and a mark that only it has."""

    kind: str
    text: str
    mark: str


@dataclass(frozen=True)
class Chain:
    """A module's source, and the texts of the arguments of its functions by `module:function/arity`. Function `f0` is
    called first, each calls the next, and the last one calls `stages:c_function/1`."""

    source: str
    arguments: dict[str, list[str]]


def chain(seed: int, length: int) -> Chain:
    """A module of `length` functions, always the same for a seed."""
    chance = random.Random(seed)
    signatures = [[_argument(chance, at, n) for n in range(chance.randint(1, 6))] for at in range(length)]
    calls = [_call(chance, at, arguments) for at, arguments in enumerate(signatures)]
    bodies = [
        _function(chance, at, arguments, (*calls, "stages:c_function({bottom, 1})")[at + 1])
        for at, arguments in enumerate(signatures)
    ]
    names = {f"{MODULE}:f{at}/{len(one)}": [argument.text for argument in one] for at, one in enumerate(signatures)}
    head = _HEAD.replace("f0(CALL)", calls[0])
    return Chain("\n".join((head, *bodies)), names)


_KINDS = {
    "integer": "{number}",
    "atom": "{mark}",
    "tuple": "{{{mark},t}}",
    "list": "[{mark},1,2]",
    "binary": '<<"{mark}">>',
    "map": "#{{{mark} => 1}}",
    "float": "{number}.5",
    "record": "{{r,{mark},b,c}}",
}
"""Kinds of arguments, and their texts."""


def _argument(chance: random.Random, function: int, number: int) -> Argument:
    kind, mark = chance.choice(list(_KINDS)), f"f{function}_a{number}"
    return Argument(kind, _KINDS[kind].format(mark=mark, number=1_000_000 + 1000 * function + number), mark)


def _call(chance: random.Random, function: int, arguments: list[Argument]) -> str:
    given = (chance.choice(("{}", "id({})", "element(1, id({{{}}}))")).format(one.text) for one in arguments)
    return f"f{function}({', '.join(given)})"


_STATEMENTS = {
    "any": (
        "V = pair(X, Y)",
        "V = three(Y, X, X)",
        "V = try throws(X) catch throw:{thrown, Z@} -> {Z@, Y} end",
        "V = try pair(Y, X) of {_, Z@} -> [Z@, Y] catch error:E@ -> {E@, X} after put(k, Y) end",
        "V = try fails(X, Y) catch error:{failed, Z@}:S@ -> {Z@, length(S@)} end",
        "V = (catch fails(Y, X))",
        "V = (catch pair(Y, X))",
        "V = receive {never, Z@} -> {Z@, X} after 0 -> Y end",
        "self() ! {X, here}, V = receive {Z@, here} -> {Z@, Y} end",
        "Ref@ = make_ref(), self() ! {Ref@, Y}, V = receive {Ref@, Z@} -> [X | Z@] end",
        "V = (fun(Z@) -> {Z@, X} end)(Y)",
        "V = lists:map(fun(Z@) -> [Z@, Y] end, [1, X])",
        "V = [{Z@, X} || Z@ <- [1, 2, Y], Z@ =/= 2]",
        "V = apply(chain, pair, [X, Y])",
        "M@ = id(chain), V = M@:pair(Y, X)",
        "F@ = id(fun pair/2), V = F@(X, Y)",
        "V = get(key)",
        "V = term_to_binary({X, Y})",
        "V = {X, Y, [X | Y], id(Y)}",
        "V = sum(X, Y)",
        "V = case is_atom(X) of true -> Y; false -> pair(Y, Y) end",
        "V = X =:= Y orelse is_tuple(Y)",
        "V = setelement(2, {X, Y, X}, pair(Y, Y))",
        "V = erlang:phash2({X, Y})",
        "V = #{a => X, Y => 2}",
        "V = begin Z@ = id(#{k => X}), Z@#{k := Y, l => X} end",
        "V = #r{a = X, b = pair(X, Y), c = Y}",
        "V = begin Z@ = #r{a = X}, W@ = Z@#r{b = Y}, W@#r{c = id(W@)} end",
        "erlang:garbage_collect(), V = X",
        "V = element(2, {X, Y, X})",
        "V = if is_list(X), hd(X) =:= Y -> X; true -> Y end",
        "V = case id(X) of {Z@, t} -> Z@; [Z@ | _] -> {Z@, Y}; #{} -> pair(X, Y); _ -> Y end",
    ),
    "integer": (
        "V = X + 1",
        "V = (X bsl 70) bor 1",
        "V = X * X - X div 7 + X rem 5",
        "V = case X rem 5 of 0 -> a; 1 -> Y; 2 -> {Y}; 3 -> [X | Y]; 4 -> pair(Y, X) end",
        "V = if X > 5 -> {X, Y}; true -> Y end",
        "V = <<X:32, (X rem 256)>>",
        "V = X / 4 + 1.5",
    ),
    "float": (
        "V = X * 2.0 + 1.0 / X",
        "V = trunc(X)",
        "V = <<X:64/float>>",
        "V = begin Z@ = X + X, {Z@ - 1.0, -X} end",
    ),
    "atom": ("V = atom_to_list(X)", "V = case X of ok -> 1; error -> 2; undefined -> Y; _ -> X end"),
    "tuple": (
        "{W@, t} = X, V = [W@ | Y]",
        "V = case X of {W@, t} when is_atom(W@) -> {W@, Y}; _ -> Y end",
        "V = tuple_to_list(X)",
        "V = element(1, X)",
    ),
    "record": (
        "V = X#r{b = Y}",
        "V = begin Z@ = X#r{b = Y, c = 1}, W@ = Z@#r{a = pair(X, Y)}, W@#r{b = 2} end",
        "V = {X#r.a, X#r.c, X#r.b}",
        "#r{a = A@, c = C@} = X, V = three(C@, Y, A@)",
    ),
    "list": (
        "[H@ | T@] = X, V = [T@, H@]",
        "V = lists:foldl(fun(E@, Acc@) -> [E@, Y | Acc@] end, [], X)",
        "V = length(X)",
        "V = X ++ [Y]",
        "[_, A@, B@] = X, V = A@ + B@",
        "V = [{E@, Y} || E@ <- X]",
        "V = case X of [] -> Y; [Q@] -> Q@; [Q@, R@ | _] -> {Q@, R@, Y} end",
    ),
    "binary": (
        "<<C@, R@/binary>> = X, V = {C@, R@, Y}",
        "V = <<X/binary, 1, (byte_size(X)):16>>",
        "V = << <<C@:16>> || <<C@>> <= X >>",
        "V = [C@ || <<C@>> <= X]",
        'V = case X of <<"f", R@/binary>> -> R@; _ -> Y end',
        "<<A@:3, B@:5, C@:16/little, D@/bits>> = X, V = {A@, B@, C@, D@}",
        "<<A@:2/binary, B@/utf8, _/binary>> = X, V = [A@, B@, Y]",
        "V = begin Z@ = <<X/binary, 7>>, W@ = <<Z@/binary, X/binary>>, {Z@, W@} end",
        "V = binary:part(X, 0, 2)",
    ),
    "map": (
        "#{MARK := W@} = X, V = {W@, Y}",
        "V = X#{MARK := Y, z => 1}",
        "V = maps:get(MARK, X)",
        "V = case X of #{none := W@} -> W@; #{MARK := W@, other := _} -> W@; _ -> Y end",
        "V = maps:fold(fun(K@, E@, Acc@) -> [{K@, E@, Y} | Acc@] end, [], X)",
        "V = map_size(X)",
    ),
}
"""Statements for an argument X of a kind, with any other argument Y. Names with @ are new, MARK is X's mark."""

_CALLS = (
    "V = CALL",
    "V = CALL",
    "V = CALL",
    "V = [X | CALL]",
    "V = {X, CALL, Y}",
    "V = try CALL catch throw:T@ -> {T@, X} end",
    "V = try CALL of R@ -> [R@, Y] catch _:E@:S@ -> {E@, S@, X} after put(k, X) end",
    "V = (catch CALL)",
    "V = case CALL of nothing -> X; R@ -> {R@, Y} end",
    "V = try throws(X) catch throw:{thrown, Z@} -> {Z@, CALL, Y} end",
    "V = case is_pid(X) of true -> Y; false -> CALL end",
    "V = receive {never, Z@} -> Z@ after 0 -> CALL end",
    "V = pair(CALL, X)",
    "V = #r{a = CALL, b = Y}",
    "V = <<(byte_size(term_to_binary(CALL)))>>",
    "V = case {X, Y} of {[Q@ | _], _} -> {Q@, CALL}; {_, [Q@ | _]} -> {CALL, Q@}; _ -> [CALL] end",
)
"""How a function calls the next one."""


def _function(chance: random.Random, at: int, arguments: list[Argument], call: str) -> str:
    names = [f"A{n}" for n in range(len(arguments))]
    before, after = chance.randint(0, 4), chance.randint(0, 3)
    lines, made = list[str](), list[str]()
    for number in range(before + 1 + after):
        x = chance.randrange(len(arguments))
        kinds = _STATEMENTS["any"] + 3 * _STATEMENTS[arguments[x].kind]
        form = chance.choice(_CALLS) if number == before else chance.choice(kinds)
        y = chance.choice(names + made)
        for old, new in (("V =", f"V{number} ="), ("@", f"_{number}"), ("MARK", arguments[x].mark), ("CALL", call)):
            form = form.replace(old, new)
        lines.append(_named(form, names[x], y))
        made.append(f"V{number}")
    result = chance.sample(names + made, chance.randint(1, len(names + made)))
    lines.append("{" + ", ".join(result) + "}")
    return f"f{at}({', '.join(names)}) ->\n" + indent(",\n".join(lines), "    ") + ".\n"


def _named(form: str, x: str, y: str) -> str:
    """The statement with the names of its arguments: X and Y stand alone there."""
    words = {"X": x, "Y": y}
    text, word = "", ""
    for letter in form + "\0":
        if letter.isalnum() or letter == "_":
            word += letter
            continue
        text += words.get(word, word) + letter
        word = ""
    return text.rstrip("\0")
