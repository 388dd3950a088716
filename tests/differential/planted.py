"""Mistakes planted in the compiler, for the generator to find: ``python -m tests.differential.planted --help``.

A mistake is another text in the source of one function, which is compiled anew in its place. It is found by a module
that does not do the same natively and interpreted, or of which the compiler itself tells that it goes wrong.
"""

from __future__ import annotations
import __future__

import argparse
import ast
import inspect
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

from jit.beam.module import read_module
from jit.codegen import cache, liveness, select
from jit.codegen.compile import compile_module
from jit.erts.arm32 import (
    arith,
    bs_context,
    bs_create,
    bs_integer,
    bs_match,
    bs_put,
    call,
    catch,
    common,
    comparisons,
    fun,
    guard_bifs,
    numbers,
    record,
    small_integers,
    type_tests,
)
from jit.erts.arm32 import (
    float as floats,
)
from jit.erts.arm32 import (
    map as maps,
)
from jit.erts.arm32.emitters import EMITTERS
from jit.erts.arm32.runtime import StockErts
from jit.erts.layout import RELEASES
from tests.differential.generator.module import Source, generate
from tests.differential.workshop import Workshop


@dataclass(frozen=True)
class Mistake:
    """``wrong`` in place of ``right``, which stands in the source of the function once.

    ``stress``: it can only be seen where garbage is collected.
    """

    name: str
    function: Any
    right: str
    wrong: str
    stress: bool = False


MISTAKES: Final = (
    # Arithmetic
    Mistake("an overflow is not tested", arith.Work.check_overflow, "if not self.fits", "if False"),
    Mistake(
        "a difference is taken to fit by its least value",
        arith._fits,
        "low - most in SMALLS and high - least",
        "low - most",
    ),
    Mistake("a product that is too large is not noticed", arith._multiply, "a.b(work.slow, NE)", "pass"),
    Mistake("a negative integer is shifted as if it had no sign", arith._shift_right, "asr(work.a", "lsr(work.a"),
    Mistake("bits are lost that are shifted out", arith._shift_left, "and work.constant", "and False"),
    Mistake("the least small integer has an absolute value", arith._absolute, "work.check_overflow()", "pass"),
    Mistake("what is negative is divided by a shift", arith._divide, "and low >= 0", ""),
    Mistake("of two operands only one is tested", small_integers.check_smalls, "if len(unknown) == 2", "if False"),
    Mistake(
        "the constant is forgotten where numbers are large",
        arith._finish,
        "e.a.mov_constant(R1, conventions.small(work.constant))",
        "pass",
    ),
    Mistake("a quotient is too large for a small integer", numbers.div, "a.b(slow, HS)", "pass"),
    # Floats
    Mistake("an infinity is a result", EMITTERS["fadd"], "e.a.b(failure, HS)", "pass"),
    Mistake("the float that is boxed is another", floats._box, "_place(e, source)", "_place(e, FloatRegister(0))"),
    Mistake("an integer is greater than any float", floats.to_double, "a.mov(R0, 0, LT)", "pass"),
    # Comparisons and tests
    Mistake(
        "integers are taken to be small ones",
        comparisons.compare_exactly,
        "SMALLS.have_all(e.type(operand))",
        "e.type(operand).is_only(TypeKind.INTEGER)",
    ),
    Mistake(
        "1 is not equal to 1.0", comparisons.compare_equal, "compare(e, one, other)", "compare_exactly(e, one, other)"
    ),
    Mistake(
        "a large negative integer is none",
        type_tests.is_integer,
        "tags.HEADER_MASK & ~tags.BIG_SIGN",
        "tags.HEADER_MASK",
    ),
    Mistake("a tagged tuple may have another size", type_tests.is_tagged_tuple, "e.a.b(failure, NE)\n    tag", "tag"),
    Mistake(
        "the element behind the last one is there",
        guard_bifs._element,
        "tuple_header(index.value)",
        "tuple_header(index.value - 1)",
    ),
    # Selections
    Mistake("a case is left out", select._halved, "rows[middle + 1 :]", "rows[middle + 2 :] or rows[middle:]"),
    Mistake("a table has a place too few", select.plan, "range(least, least + size)", "range(least, least + size - 1)"),
    # Moves, heap, garbage
    Mistake("what is swapped is stored once", common.swap, "e.store(R1, one)", "e.store(R0, one)"),
    Mistake(
        "the head of a list is in the way of its tail",
        common.get_list,
        "e.target(head, R1)",
        "e.target(head, R1, last=cell)",
    ),
    Mistake("there is no heap test", common.test_heap, "check_room(e, heap_words(e, heap), live)", "pass"),
    Mistake(
        "the collector is told of one register less",
        common.check_room,
        "(R3, live)",
        "(R3, max(live - 1, 0))",
        stress=True,
    ),
    Mistake(
        "the last y register is not initialised",
        common.init_yregs,
        "for register in registers",
        "for register in registers[:-1]",
        stress=True,
    ),
    Mistake("what the cache had is not loaded again", common.check_room, "e.reload()", "e._moved = False", stress=True),
    Mistake("the cache has an old value", cache.Cache.drop, "self._release(register)", "self.taken.add(register)"),
    Mistake(
        "a value that is wanted at a label is in no memory",
        cache.Cache.fate,
        "keeps is not Keeps.ALL or self._live_elsewhere[at] & bit",
        "keeps is not Keeps.ALL",
    ),
    Mistake("what is wanted at a label is dead", liveness._before, "| elsewhere |", "|"),
    # Matches of bits
    Mistake("what is stored before a collection is in no memory", bs_match.bs_match, "words > 0", "False"),
    Mistake(
        "room is made before a constant is compared",
        bs_match._before_room,
        'if not any(command.name == "=:=" for command in together[:telling])',
        "if True",
        stress=True,
    ),
    Mistake("a constant stays in what is read", bs_match._comparisons, "upper << bits | value", "value"),
    Mistake("the position does not go on", bs_match._command, "advance(e, register, bits)", "pass"),
    Mistake("more than all bits are a match", bs_match._command, "e.a.b(match_failure(e, fail), NE)", "pass"),
    Mistake("bits are no whole bytes", bs_match._command, "if unit > 1", "if False"),
    Mistake("a sign is forgotten", bs_match._read, "field_flags(command.operands[1])", "0"),
    Mistake("little-endian fields are read as big ones", bs_match._read_together, "or flags & vm_flags.BSF_LITTLE", ""),
    Mistake("a field of 31 bits is small", bs_integer.words_for, "_SMALL + bool(flags & vm_flags.BSF_SIGNED)", "31"),
    Mistake("of four bytes three are read", bs_integer.bs_read, "(1, 2, 3)", "(1, 2)"),
    # Construction of bits
    Mistake(
        "a field of a word spoils those before it",
        bs_put.Writer._load_field,
        "e.a.insert(R3, R0, begin, size)",
        "e.a.insert(R3, R0, begin, bits - begin)",
    ),
    Mistake(
        "a large integer is taken for a small one",
        bs_put.Writer._load_field,
        "check_small(e.a, register, R1, slow)",
        "pass",
    ),
    Mistake("a word is written within a byte", bs_put.Writer._together, "self.offset % 8", "False"),
    Mistake("the offset stays behind", bs_put.Writer._write_word, "here + bits, False", "here + bits, True"),
    Mistake(
        "a size may be negative",
        bs_context.load_small_size,
        "e.a.b(failure, MI)\n    e.a.cmp_constant(into, most // unit)\n    e.a.b(failure, HI)",
        "pass",
    ),
    Mistake("a character is a byte shorter", bs_create.load_steps, "small(limit)", "small(limit + 1)"),
    Mistake("the words of a binary are not counted", bs_create._new_on_heap, "words + _HEAD + size", "words"),
    # Maps and records
    Mistake("the map is overwritten by its first value", maps._map_last, "sorted(pairs", "list(pairs) or sorted(pairs"),
    Mistake("a key that is missing is updated", maps.put_map_exact, "e.a.b(failure, EQ)", "pass"),
    Mistake(
        "the last key of a map is not looked at",
        maps._search,
        "a.mov(R0, 0, MI)\n    a.bx(LR, MI)",
        "a.mov(R0, 0, EQ)\n    a.bx(LR, EQ)",
    ),
    Mistake("elements are copied from behind the changed one", record._copy, "WORD * (index - taken)", "0"),
    # Calls, funs, exceptions, messages
    Mistake("a frame is given up but for a word", call.call_ext_last, "stack + 1", "stack"),
    Mistake(
        "a fun has its variables in another order",
        fun._make,
        "enumerate(variables)",
        "enumerate(variables[::-1])",
    ),
    Mistake("a fun of another arity fits", fun.is_function2, "arity.value << tags", "1 << tags"),
    Mistake("a try is not ended", catch.try_end, "_count(e, -1)", "pass"),
    Mistake("what is caught is another reason", catch.try_case, "X(3)", "X(2)"),
)


@contextmanager
def planted(mistake: Mistake) -> Iterator[None]:
    """The mistake is made, until this ends. Raises ValueError if the text is not there once."""
    function = mistake.function
    assert isinstance(function, FunctionType)
    before = function.__code__
    function.__code__ = _compiled(mistake, function)
    try:
        yield
    finally:
        function.__code__ = before


def _compiled(mistake: Mistake, function: FunctionType) -> CodeType:
    """The function's code with the other text. What is around a function of a function gives it the same variables."""
    text = inspect.getsource(function)
    if text.count(mistake.right) != 1:
        raise ValueError(f"{mistake.name}: {mistake.right!r} is not once in {function.__qualname__}")
    (definition,) = ast.parse(textwrap.dedent(text.replace(mistake.right, mistake.wrong))).body
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    around = ast.parse(f"def around({', '.join(function.__code__.co_freevars)}): pass")
    (outer,) = around.body
    assert isinstance(outer, ast.FunctionDef)
    outer.body = [ast.Global([definition.name]), definition]  # it may call itself
    flags = __future__.annotations.compiler_flag
    code: object = compile(ast.fix_missing_locations(around), function.__code__.co_filename, "exec", flags, True)
    for name in ("around", definition.name):
        assert isinstance(code, CodeType)
        code = next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name)
    assert isinstance(code, CodeType)
    return code


@dataclass
class Found:
    """What came of a mistake: the number of modules of which code was looked at, and differed, and the first wrong one.

    ``wrong`` is empty if none was.
    """

    modules: int = 0
    differed: int = 0
    seconds: int = 0
    wrong: str = ""

    def text(self) -> str:
        """A row."""
        end = f"module {self.modules:4}" if self.wrong else f"not in {self.modules:4}"
        return f"{end}, of which {self.differed:4} had other code, {self.seconds:4} s"


#: Modules that Erlang compiles one after the other.
_BATCH: Final = 10


class Hunt:
    """Modules of seeds, which are made as they are wanted, and searched for one mistake after the other."""

    def __init__(self, workshop: Workshop, seeds: range) -> None:
        self._workshop, self._seeds = workshop, seeds
        self._sources: list[Source | None] = []
        #: By seed and mode, the right code.
        self._right: dict[tuple[int, bool], bytes] = {}

    def find(self, mistake: Mistake) -> Found:
        """Until a module is wrong."""
        found, began = Found(), time.monotonic()
        for seed in self._seeds:
            found.modules += 1
            source = self._source(seed)
            if source is not None:
                found.wrong = self._look(mistake, seed, source, found)
            found.seconds = round(time.monotonic() - began)
            if found.wrong:
                break
        return found

    def _look(self, mistake: Mistake, seed: int, source: Source, found: Found) -> str:
        """What is wrong with a module; empty if nothing, or if it is no other."""
        right = self._right.get((seed, mistake.stress))
        if right is None:
            right = self._right[seed, mistake.stress] = self._code(source, mistake.stress)
        with planted(mistake):
            try:
                same = self._code(source, mistake.stress) == right
            except Exception as error:  # the compiler says so itself
                found.differed += 1
                return f"{type(error).__name__}: {error}"
            if same:
                return ""
            found.differed += 1
            outcome = self._workshop.again(source, stress=mistake.stress)
        if outcome.wrong:
            self._workshop.end_node()  # whose memory may be anything
        return " ".join(outcome.wrong)

    def _source(self, seed: int) -> Source | None:
        """The module of a seed, whose bytecode is there; None if it does not compile."""
        while seed >= self._seeds.start + len(self._sources):
            begin = self._seeds.start + len(self._sources)
            end = min(begin + _BATCH, self._seeds.stop)
            batch = [generate(one, self._workshop.otp) for one in range(begin, end)]
            outcomes = self._workshop.bytecode(batch)
            self._sources += [None if outcome.refused else source for source, outcome in zip(batch, outcomes)]
        return self._sources[seed - self._seeds.start]

    def _code(self, source: Source, stress: bool) -> bytes:
        runtime = StockErts(self._workshop.otp)
        native = compile_module(read_module(self._workshop.plain_beam(source)), runtime, stress=stress)
        return native.code.data + repr(sorted(native.interpreted.items())).encode()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if a mistake is not found."""
    options = _parser().parse_args(arguments)
    chosen = [one for one in MISTAKES if options.only in one.name][options.first :: options.step]
    seeds = range(options.seed, options.seed + options.count)
    missed = 0
    with tempfile.TemporaryDirectory(prefix="planted-") as folder, Workshop(Path(folder), options.otp) as workshop:
        hunt = Hunt(workshop, seeds)
        for mistake in chosen:
            found = hunt.find(mistake)
            missed += not found.wrong
            mode = "stress" if mistake.stress else "plain"
            print(f"{found.text()}, {mode}: {mistake.name}", flush=True)
            if options.verbose and found.wrong:
                print(f"    {found.wrong[:300]}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} mistakes are found")
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.differential.planted", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first module (%(default)s)")
    parser.add_argument("--count", type=int, default=200, help="how many modules for each mistake (%(default)s)")
    parser.add_argument("--otp", type=int, choices=RELEASES, default=27, help="release (%(default)s)")
    parser.add_argument("--only", metavar="TEXT", default="", help="mistakes with this in their names")
    text = "mistakes from this number on, each so many, for several at a time (%(default)s)"
    parser.add_argument("--first", metavar="N", type=int, default=0, help=text)
    parser.add_argument("--step", metavar="N", type=int, default=1, help="see --first (%(default)s)")
    parser.add_argument("--verbose", action="store_true", help="say what was wrong")
    return parser


if __name__ == "__main__":
    sys.exit(main())
