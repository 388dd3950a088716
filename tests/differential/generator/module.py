"""A whole module of a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tests.differential.generator import (  # noqa: F401 - the import of a family declares what writers write
    bits,
    control,
    guards,
    maps,
    numbers,
    processes,
    terms,
)
from tests.differential.generator.functions import write_function
from tests.differential.generator.samples import FIELDS, sample
from tests.differential.generator.writer import Signature, Writer
from tests.differential.tree import TEXT, Node, items, text

#: Operations that a module may be compiled without: none is in most functions.
_LEFT_OUT = (
    "bif1", "bs_create_bin", "bs_match", "bs_start_match4", "call_ext_last", "call_ext_only", "call_fun", "call_fun2",
    "call_last", "catch", "gc_bif1", "get_list", "get_tuple_element", "is_integer", "loop_rec", "make_fun3",
    "put_map_assoc", "return", "select_val", "send", "try", "update_record",
)  # fmt: skip

#: What a random module may use.
_OWN = """\
opaque(X) ->
    case get(never) of
        undefined -> X;
        Y -> Y
    end.

map_own(F, [H | T]) -> [F(H) | map_own(F, T)];
map_own(_, []) -> [].

raise_own(X) when X > 5 -> throw({above, X});
raise_own(X) ->
    Y = error(X),
    [Y].
"""


@dataclass(frozen=True)
class Source:
    """A generated module: a tree of its text, and options of the compiler, as Erlang text.

    ``without``: operations that are not to be compiled, so that there are interpreted functions between native ones.
    """

    name: str
    tree: Node
    options: str
    without: frozenset[str]

    def text(self) -> str:
        """The module's source."""
        return str(self.tree)


def generate(seed: int, otp: int) -> Source:
    """The module of a seed: the same for each release but for the compiler's options."""
    rng = random.Random(seed)
    known: list[Signature] = []
    written: list[Node] = []
    for number in range(rng.randint(10, 20), 0, -1):
        writer = Writer(rng, known)
        signature, node = write_function(writer, f"f{number}", rng.choice((2, 3, 3, 4)))
        known.append(signature)
        written.append(Node(TEXT, (node, ".\n\n"), simple=_stub(signature)))
    name = f"d_{seed}"
    public = [one for one in known if one.exported] or known[-1:]
    exports = ", ".join(f"{one.name}/{len(one.parameters)}" for one in public)
    cases = [case for one in public for case in _cases(rng, one)]
    tree = text(
        f"-module({name}).\n-export([cases/0]).\n-export([{exports}]).\n",
        _record(),
        "cases() ->\n    [",
        items(cases, ",\n     ", 1),
        "].\n\n",
        items(written[::-1], ""),
        _OWN,
    )
    choices = random.Random(seed)
    options = _options(choices, otp)
    return Source(name, tree, options, frozenset(choices.sample(_LEFT_OUT, choices.choice((0, 0, 0, 1)))))


def mutated(source: Source, seed: int) -> Source:
    """A module whose assembly is changed into other assembly that is valid: see erlang/mutate.erl."""
    return replace(source, options=", ".join(filter(None, (source.options, f"{{mutated, {seed}}}"))))


def _stub(signature: Signature) -> str:
    unused = ", ".join("_" for _ in signature.parameters)
    return f"{signature.name}({unused}) -> a.\n\n"


def _times(rng: random.Random, one: Signature) -> int:
    return rng.randint(2, 6) if one.parameters else 1


def _record() -> str:
    wide = ", ".join("abcdefghi")
    return f"-record(wide, {{{wide}}}).\n-record(rec, {{{FIELDS[0]} = 1, {FIELDS[1]}, {FIELDS[2]} = []}}).\n\n"


def _cases(rng: random.Random, one: Signature) -> list[Node]:
    chosen = [_arguments(rng, one) for _ in range(_times(rng, one))]
    return [text(f"{{{one.name}, [{', '.join(arguments)}]}}") for arguments in (*chosen, *one.examples)]


def _arguments(rng: random.Random, one: Signature) -> list[str]:
    return [sample(rng, "any" if rng.random() < 0.05 else kind) for kind in one.parameters]


def _options(rng: random.Random, otp: int) -> str:
    """Mostly the compiler's usual work; else that of older releases, or less or more of it."""
    older = ["r24", "no_ssa_opt"] if otp == 25 else ["no_ssa_opt_update_tuple"]
    if otp == 27:
        older.insert(0, "no_bs_match")
    return rng.choice(("", "", "", "", "", "inline", "no_type_opt", "no_copt", *older))
